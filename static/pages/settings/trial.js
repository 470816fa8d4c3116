// Trying a camera before it is saved: the probe while it runs, then its picture, facts and stages, or what to do.

import { html, useCallback, useEffect, useRef, useState } from "../../lib/html.js";
import { request } from "../../lib/api.js";
import { latency, number } from "../../lib/format.js";
import { t } from "../../lib/language.js";
import { videoText } from "../../lib/video.js";
import { Problem } from "../../parts/feedback.js";
import { Icon } from "../../parts/icon.js";
import { Waterfall } from "../../parts/waterfall.js";
import { focusLater } from "./focus.js";

const TICK_MS = 100;

/** `{state: "none" | "running" | "done", key, answer, error, run(body), stop()}`; `key` is what was tried, as a text. */
export function useTrial() {
  const [trial, setTrial] = useState({ state: "none" });
  const abort = useRef(null);
  const stop = useCallback(() => {
    abort.current?.abort();
    abort.current = null;
    setTrial({ state: "none" });
  }, []);
  useEffect(() => () => abort.current?.abort(), []);
  const run = useCallback(async (body) => {
    abort.current?.abort();
    const mine = new AbortController();
    abort.current = mine;
    const key = JSON.stringify(body);
    setTrial({ state: "running", key, since: performance.now() });
    const end = (found) => {
      if (abort.current === mine) setTrial({ state: "done", key, ...found });
    };
    try {
      end({ answer: (await request("POST", "/api/probe", { body, signal: mine.signal })).value });
    } catch (error) {
      end({ error });
    }
  }, []);
  return { ...trial, run, stop };
}

/** What a probe found. `pin(fingerprint)`, when it is there, takes the certificate that the camera showed. */
export function Trial({ trial, stale, pin, hint }) {
  const { state, answer, error } = trial;
  const box = useRef(null);
  useEffect(() => {
    if (state !== "none") box.current?.scrollIntoView({ block: "nearest" });
  }, [state]);
  const said = { none: null, running: t.settings.trial.running }[state]
    ?? (state === "done" ? (error ? t.settings.trial.notTried : outcome(answer)) : null);
  return html`<section class="trial" ref=${box} aria-label=${t.settings.trial.label}>
    <p class="unseen" role="status">${said}</p>
    ${state === "none" && html`<div class="try-blank"><${Icon} name="play" class="large" /><p>${hint}</p></div>`}
    ${state === "running" && html`<${Running} since=${trial.since} stop=${() => {
      const form = box.current.closest("form");
      trial.stop();
      focusLater(() => form?.querySelector("button.last"));
    }} />`}
    ${state === "done" && stale && html`<p class="stale-note"><${Icon} name="clock" /> ${t.settings.trial.stale}</p>`}
    ${state === "done" && error && html`<h3>${t.settings.trial.notTried}</h3><${Problem} error=${error} />`}
    ${state === "done" && answer && html`<${Found} answer=${answer} pin=${pin} />`}
  </section>`;
}

const outcome = (answer) => (answer.outcome === "ok" ? t.settings.trial.ok : t.reasons[answer.reason]?.title ?? answer.reason);

function Running({ since, stop }) {
  const [now, setNow] = useState(performance.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(performance.now()), TICK_MS);
    return () => clearInterval(timer);
  }, []);
  return html`<div class="try-blank">
    <p aria-hidden="true">${t.settings.trial.running} <b>${number(Math.max(0, now - since) / 1000, 1)}\u00a0s</b></p>
    <progress aria-label=${t.settings.trial.running} />
    <button type="button" class="quiet" onClick=${stop}>${t.cancel}</button>
  </div>`;
}

function Found({ answer, pin }) {
  const failed = answer.outcome !== "ok";
  const issues = answer.picture?.issues ?? [];
  const state = failed ? "down" : issues.length ? "degraded" : "up";
  const seen = /sha256:([0-9a-f]{64})/i.exec(answer.message)?.[1];
  return html`
    ${answer.snapshot && html`<img class="try-picture" src=${answer.snapshot} alt=${t.settings.trial.picture} />`}
    <h3 class="outcome" data-state=${state}><${Icon} name=${state} /> ${outcome(answer)}</h3>
    ${failed && html`<p>${answer.message}</p>`}
    ${failed && answer.next_step && html`<p class="next"><b>${t.settings.trial.next}</b> ${answer.next_step}</p>`}
    ${failed && seen && pin && html`<p><button type="button" onClick=${() => pin(seen)}>${t.settings.trial.pin}</button></p>
      <p class="hint">${t.settings.trial.pinHint}</p>`}
    ${issues.map((issue) => html`<p key=${issue}><b>${t.issues[issue]?.title ?? issue}.</b> ${t.issues[issue]?.next}</p>`)}
    <${Facts} answer=${answer} />
    <${Waterfall} report=${answer} />`;
}

function Facts({ answer }) {
  const { video } = answer;
  if (!video) return null;
  const rows = [
    [t.stream.video, videoText(video)],
    [t.stream.decoder, video.decoder && (video.hardware ? t.stream.hardware(video.decoder) : video.decoder)],
    [t.settings.trial.latency, answer.outcome === "ok" && latency(answer.latency_ms)],
  ].filter(([, value]) => value);
  return html`<dl class="facts">${rows.map(([name, value]) => html`
    <div key=${name}><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;
}
