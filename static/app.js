// Which page is shown, and the frame around the wall.

import { el, icon, setText } from "./dom.js";
import * as api from "./api.js";
import * as texts from "./texts.js";
import { Detail } from "./detail.js";
import { Live } from "./live.js";
import { Wall } from "./wall.js";
import { changePassword, signIn } from "./signin.js";

const app = document.getElementById("app");

// Whoever asked for a report without a session was sent here for one: /?report=2026-11.
const report = /^(?:current|\d{4}-\d{2})$/.exec(new URLSearchParams(location.search).get("report") ?? "")?.[0];

function showSignIn() {
  document.title = "StreamPulse";
  app.replaceChildren(signIn((session, password) => {
    if (session.must_change_password) showChange(password);
    else show();
  }));
}

function showChange(known) {
  app.replaceChildren(changePassword(known, show));
}

function show() {
  if (report) showReport();
  else showWall();
}

async function showReport() {
  try {
    // Renews the session's cookies when they are too old.
    await api.get("/api/reports");
    location.replace(`/api/reports/${report}.html`);
  } catch (error) {
    if (error.code === "password_change_required") showChange(null);
    else if (error.status === 401) showSignIn();
    else showWall();
  }
}

function showWall() {
  const summary = el("p", { class: "summary", role: "status" });
  const banner = el("p", { class: "banner", role: "alert", hidden: true });
  let lostAt = null;
  let ticker = null;

  const live = new Live({
    changed: (id) => {
      wall.update(id);
      detail.update(id);
      summarize(live, summary);
    },
    connection: (ok) => {
      lostAt = ok ? null : lostAt ?? live.heardAt;
      tick();
    },
    gone: (error) => {
      clearInterval(ticker);
      detail.leave();
      if (error.code === "password_change_required") showChange(null);
      else showSignIn();
    },
  });
  const wall = new Wall(live);
  const detail = new Detail(live);

  function tick() {
    banner.hidden = lostAt === null;
    document.body.classList.toggle("stale", lostAt !== null);
    if (lostAt !== null) {
      const old = live.heardAt ? (Date.now() - live.heardAt) / 1000 : 0;
      const since = old >= 2 ? `What you see is ${texts.span(old)} old.` : "";
      setText(banner, `Connection to StreamPulse lost, trying again. ${since}`);
    }
    wall.tick();
    detail.tick();
  }

  const leave = el("button", {
    type: "button",
    class: "quiet",
    onclick: async () => {
      live.stop();
      clearInterval(ticker);
      detail.leave();
      await api.logout().catch(() => {});
      showSignIn();
    },
  }, "Sign out");

  app.replaceChildren(
    el("header", { class: "top" },
      el("div", { class: "brand" }, icon("mark", "mark"), el("span", {}, "StreamPulse")),
      summary,
      el("nav", {}, el("a", { href: "/api/reports/current.html" }, "Report"), leave)),
    banner,
    wall.element,
    detail.element);
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

// With a session the wall comes at once; its first request leads to the sign-in when the session is over.
({ none: showSignIn, change: () => showChange(null), open: show })[api.session()]();
