// Signing in, and the change of the first password.

import { el, icon, setText } from "./dom.js";
import * as api from "./api.js";
import { noAnswer } from "./texts.js";

function panel(title, hint, fields, label, submit) {
  const problem = el("p", { class: "problem", role: "alert" });
  const button = el("button", { type: "submit", class: "primary" }, label);
  const form = el("form", { class: "panel" },
    el("div", { class: "brand" }, icon("mark", "mark"), el("span", {}, "StreamPulse")),
    el("h1", {}, title),
    hint && el("p", { class: "hint" }, hint),
    ...fields.map(([text, input]) => el("label", {}, el("span", {}, text), input)),
    problem,
    button);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    setText(problem, "");
    try {
      await submit();
    } catch (error) {
      setText(problem, error.status ? error.message : noAnswer);
      fields.at(-1)[1].select();
    } finally {
      button.disabled = false;
    }
  });
  return el("main", { class: "signin" }, form);
}

const input = (name, type, autocomplete) =>
  el("input", { name, type, autocomplete, required: true, autocapitalize: "none", spellcheck: "false" });

/** Calls `done(session, password)` with the answer of the login. */
export function signIn(done) {
  const user = input("username", "text", "username");
  const password = input("password", "password", "current-password");
  const view = panel("Sign in", null, [["User", user], ["Password", password]], "Sign in", async () => {
    done(await api.login(user.value.trim(), password.value), password.value);
  });
  queueMicrotask(() => user.focus());
  return view;
}

/** `known` is the password just typed, if any: then it is not asked for again. */
export function changePassword(known, done) {
  const current = input("current", "password", "current-password");
  const fresh = input("new", "password", "new-password");
  const again = input("again", "password", "new-password");
  fresh.minLength = 10;
  const fields = [["New password", fresh], ["New password again", again]];
  if (!known) fields.unshift(["Current password", current]);
  const view = panel("Choose your password",
    "The first password was made by the service. Choose one of your own, at least 10 characters long.",
    fields, "Change password", async () => {
      if (fresh.value !== again.value) {
        throw new api.ApiError(422, "differs", "The two passwords differ.");
      }
      await api.post("/api/password", { current_password: known ?? current.value, new_password: fresh.value });
      done();
    });
  queueMicrotask(() => fields[0][1].focus());
  return view;
}
