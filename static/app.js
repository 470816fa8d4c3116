// Which page is shown, and the frame around the wall.

import { el, icon, setText } from "./dom.js";
import * as api from "./api.js";
import * as texts from "./texts.js";
import { Live } from "./live.js";
import { Wall } from "./wall.js";
import { changePassword, signIn } from "./signin.js";

const app = document.getElementById("app");

function showSignIn() {
  document.title = "StreamPulse";
  app.replaceChildren(signIn((session, password) => {
    if (session.must_change_password) showChange(password);
    else showWall();
  }));
}

function showChange(known) {
  app.replaceChildren(changePassword(known, showWall));
}

function showWall() {
  const summary = el("p", { class: "summary", role: "status" });
  const banner = el("p", { class: "banner", role: "alert", hidden: true });
  let lostAt = null;
  let ticker = null;

  const live = new Live({
    changed: (id) => {
      wall.update(id);
      summarize(live, summary);
    },
    connection: (ok) => {
      lostAt = ok ? null : lostAt ?? live.heardAt;
      tick();
    },
    gone: (error) => {
      clearInterval(ticker);
      if (error.code === "password_change_required") showChange(null);
      else showSignIn();
    },
  });
  const wall = new Wall(live);

  function tick() {
    banner.hidden = lostAt === null;
    document.body.classList.toggle("stale", lostAt !== null);
    if (lostAt !== null) {
      const since = live.heardAt ? `What you see is ${texts.span((Date.now() - live.heardAt) / 1000)} old.` : "";
      setText(banner, `Connection to StreamPulse lost, trying again. ${since}`);
    }
    wall.tick();
  }

  const leave = el("button", {
    type: "button",
    class: "quiet",
    onclick: async () => {
      live.stop();
      clearInterval(ticker);
      await api.logout().catch(() => {});
      showSignIn();
    },
  }, "Sign out");

  app.replaceChildren(
    el("header", { class: "top" },
      el("div", { class: "brand" }, icon("mark", "mark"), el("span", {}, "StreamPulse")),
      summary,
      leave),
    banner,
    wall.element);
  ticker = setInterval(tick, 1000);
  live.start();
}

function summarize(live, summary) {
  const counts = {};
  for (const stream of live.streams.values()) {
    if (stream.enabled) counts[stream.state] = (counts[stream.state] ?? 0) + 1;
  }
  const order = ["up", "degraded", "down", "unknown", "maintenance"].filter((state) => counts[state]);
  summary.replaceChildren(...order.map((state) =>
    el("span", { "data-state": state }, icon(state), el("b", {}, String(counts[state])), texts.states[state].toLowerCase())));
  const bad = counts.down ?? 0;
  document.title = bad ? `(${bad} down) StreamPulse` : "StreamPulse";
}

// With a session's cookies the wall comes at once; without them the wall's first request leads to the sign-in.
api.get("/api/streams").then(showWall, (error) => {
  if (error.code === "password_change_required") showChange(null);
  else if (error.status === 401) showSignIn();
  else showWall();
});
