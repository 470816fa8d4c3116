// Signing in, and the change of a password.

import { html, useRef, useState } from "../lib/html.js";
import { ApiError, login, post } from "../lib/api.js";
import { useAction } from "../lib/hooks.js";
import { t } from "../lib/language.js";
import { MIN_PASSWORD_CHARS } from "../lib/password.js";
import { Problem } from "../parts/feedback.js";
import { TextField } from "../parts/fields.js";
import { Icon } from "../parts/icon.js";

function Panel({ title, hint, submit, busy, error, onSubmit, children }) {
  return html`<main class="signin"><form class="panel" onSubmit=${(event) => { event.preventDefault(); onSubmit(); }}>
    <div class="brand"><${Icon} name="mark" class="mark" /><span>StreamPulse</span></div>
    <h1>${title}</h1>
    ${hint && html`<p class="hint">${hint}</p>`}
    ${children}
    <${Problem} error=${error} />
    <button class="primary" disabled=${busy}>${submit}</button>
  </form></main>`;
}

/** `done(session, password)` gets the answer of the login and the password that was typed. `again`: the session has ended. */
export function SignIn({ done, again = false }) {
  const [username, setUsername] = useState("");
  const [password, setPassword] = useState("");
  const field = useRef(null);
  const [run, busy, error] = useAction(async () => {
    try {
      done(await login(username.trim(), password), password);
    } catch (problem) {
      field.current?.select();
      throw problem;
    }
  });
  return html`<${Panel} title=${t.signIn.title} hint=${again ? t.signIn.over : null} submit=${t.signIn.submit} busy=${busy} error=${error} onSubmit=${run}>
    <${TextField} label=${t.signIn.user} name="username" autocomplete="username" required autofocus
      value=${username} onValue=${setUsername} />
    <${TextField} label=${t.signIn.password} name="password" type="password" autocomplete="current-password" required
      inputRef=${field} value=${password} onValue=${setPassword} />
  <//>`;
}

/** What both ways to change a password share: the fields and the check that both are the same. */
export function usePasswordChange(known, done) {
  const [current, setCurrent] = useState("");
  const [fresh, setFresh] = useState("");
  const [again, setAgain] = useState("");
  const [run, busy, error] = useAction(async () => {
    if (fresh !== again) throw new ApiError(422, "differs", t.signIn.differ);
    await post("/api/password", { current_password: known ?? current, new_password: fresh });
    done();
  });
  const fields = html`
    ${!known && html`<${TextField} label=${t.signIn.current} name="current" type="password" autocomplete="current-password"
      required autofocus value=${current} onValue=${setCurrent} />`}
    <${TextField} label=${t.signIn.fresh} name="new" type="password" autocomplete="new-password" required
      autofocus=${Boolean(known)} minlength=${MIN_PASSWORD_CHARS} value=${fresh} onValue=${setFresh} />
    <${TextField} label=${t.signIn.again} name="again" type="password" autocomplete="new-password" required
      minlength=${MIN_PASSWORD_CHARS} value=${again} onValue=${setAgain} />`;
  return { fields, run, busy, error };
}

/** The first password must be changed before anything else. `known` is the password just typed, if any. */
export function FirstPassword({ known, done }) {
  const { fields, run, busy, error } = usePasswordChange(known, done);
  return html`<${Panel} title=${t.signIn.choose} hint=${t.signIn.chooseHint} submit=${t.signIn.change} busy=${busy}
    error=${error} onSubmit=${run}>${fields}<//>`;
}
