// Which page is shown, and the frame around it.

import { html, render, useCallback, useEffect, useLayoutEffect, useRef, useState } from "./lib/html.js";
import { logout, onSessionEnd, session } from "./lib/api.js";
import { t } from "./lib/language.js";
import { live } from "./lib/live.js";
import { applyTheme } from "./lib/preferences.js";
import { mayLeave, useRoute } from "./lib/router.js";
import { begin, me } from "./lib/session.js";
import { Problem, sentenceOf, toast } from "./parts/feedback.js";
import { Frame } from "./pages/frame.js";
import { NotFound } from "./pages/not-found.js";
import { Overview } from "./pages/overview.js";
import { FirstPassword, SignIn } from "./pages/signin.js";

// The overview comes with the first load; the others when they are looked at.
const pages = {
  streams: () => import("./pages/stream.js"),
  incidents: () => import("./pages/incidents.js"),
  settings: () => import("./pages/settings.js"),
  help: () => import("./pages/help.js"),
};

// Whoever asked for a report without a session was sent here for one: /?report=2026-11.
const report = /^(?:current|\d{4}-\d{2})$/.exec(new URLSearchParams(location.search).get("report") ?? "")?.[0];

// Another page begins at its top and takes the focus; the wall is found again where it was left.
let wallAt = 0;

function usePlace(path, shown) {
  const before = useRef(null);
  useLayoutEffect(() => {
    if (!shown) return undefined;
    const first = before.current === null;
    before.current = path;
    if (first) return undefined;
    window.scrollTo(0, path === "" ? wallAt : 0);
    document.querySelector("main")?.focus({ preventScroll: true });
    return undefined;
  }, [path, shown]);
  useLayoutEffect(() => {
    if (path !== "") return undefined;
    const note = () => { wallAt = window.scrollY; };
    window.addEventListener("scroll", note, { passive: true });
    return () => window.removeEventListener("scroll", note);
  }, [path]);
}

function Page() {
  const { parts, query } = useRoute();
  const [name = ""] = parts;
  const [loaded, setLoaded] = useState({});
  const [failure, setFailure] = useState(null);
  const load = pages[name];
  usePlace(parts.join("/"), !load || Boolean(loaded[name]));
  const bring = useCallback(() => {
    setFailure(null);
    load().then((page) => setLoaded((before) => ({ ...before, [name]: page.default })), setFailure);
  }, [name]);
  useEffect(() => {
    if (load && !loaded[name]) bring();
  }, [name]);
  if (name === "") return html`<${Overview} query=${query} />`;
  if (!load) return html`<${NotFound} />`;
  const Shown = loaded[name];
  if (Shown) return html`<${Shown} parts=${parts.slice(1)} query=${query} />`;
  return html`<main class="page" tabindex="-1">${failure
    ? html`<${Problem} error=${failure} retry=${bring} />` : html`<p class="waiting" role="status">${t.loading}</p>`}</main>`;
}

function App() {
  // "opening", or "open" once it is known who is signed in; `gate` is what stands before it: "sign-in", "change" or nothing.
  const [stage, setStage] = useState("opening");
  const [gate, setGate] = useState({ none: "sign-in", change: "change" }[session()] ?? null);
  const [known, setKnown] = useState(null);
  const [error, setError] = useState(null);
  // Another account gets a page of its own; the same one finds what it had typed.
  const [account, setAccount] = useState(null);

  const open = useCallback(async () => {
    setError(null);
    try {
      await begin();
      if (report) {
        location.replace(`/api/reports/${report}.html`);
        return;
      }
      setAccount((before) => {
        if (before !== null && before !== me.username) live.stop();
        return me.username;
      });
      setGate(null);
      setKnown(null);
      setStage("open");
      live.start();
    } catch (problem) {
      setError(problem);
    }
  }, []);

  useEffect(() => {
    onSessionEnd((problem) => {
      live.pause();
      setGate(problem.code === "password_change_required" ? "change" : "sign-in");
    });
    if (gate === null) open();
  }, []);

  const leave = useCallback(async () => {
    if (!(await mayLeave())) return;
    try {
      await logout();
    } catch (problem) {
      // A session that is over already is what was wanted.
      if (problem.status !== 401) {
        toast(t.frame.stillIn(sentenceOf(problem)), { kind: "failed" });
        return;
      }
    }
    live.stop();
    setStage("opening");
    setAccount(null);
    setGate("sign-in");
  }, []);

  const before = gate === "sign-in" ? html`<${SignIn} again=${stage === "open"} done=${(answer, password) => {
    if (!answer.must_change_password) return open();
    setKnown(password);
    return setGate("change");
  }} />` : gate === "change" ? html`<${FirstPassword} known=${known} done=${open} />`
    : stage === "opening" && error ? html`<main class="notice"><${Problem} error=${error} retry=${open} /></main>` : null;
  // What is typed in a page outlives the session that it was typed in.
  return html`${before}${stage === "open" && html`<div key=${account} hidden=${gate !== null}>
    <${Frame} leave=${leave}><${Page} /><//></div>`}`;
}

applyTheme();
render(html`<${App} />`, document.getElementById("app"));
