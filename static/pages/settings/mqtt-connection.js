// Whether the broker is reached, and a message to try it.

import { html, useEffect, useRef, useState } from "../../lib/html.js";
import { ApiError, get, post } from "../../lib/api.js";
import { age, dateTime, latency } from "../../lib/format.js";
import { useTicks } from "../../lib/hooks.js";
import { t } from "../../lib/language.js";
import { live } from "../../lib/live.js";
import { Problem } from "../../parts/feedback.js";
import { Icon } from "../../parts/icon.js";
import { press } from "./focus.js";

const EVERY_MS = 5000;
const TONES = { off: "off", connecting: "unknown", connected: "up", failed: "down" };

/** The state of the connection in use, asked now and then; `turn` changes when it should be asked at once. */
export function Connection({ turn }) {
  const [mqtt, setMqtt] = useState(undefined);
  const [error, setError] = useState(null);
  useEffect(() => {
    let on = true;
    const ask = async () => {
      try {
        const health = await get("/api/health");
        if (!on) return;
        setMqtt(health.mqtt ?? null);
        setError(null);
      } catch (problem) {
        if (on) setError(problem);
      }
    };
    ask();
    const timer = setInterval(() => document.hidden || ask(), EVERY_MS);
    return () => {
      on = false;
      clearInterval(timer);
    };
  }, [turn]);
  useTicks();
  const s = t.settings.mqtt;
  if (error && mqtt === undefined) return html`<${Problem} error=${error} />`;
  if (mqtt === undefined) return html`<p class="waiting" role="status">${t.loading}</p>`;
  if (mqtt === null) return html`<section class="box"><h2>${s.connection}</h2><p class="hint">${s.notTold}</p></section>`;
  const tone = TONES[mqtt.state] ?? "unknown";
  const ago = (time) => age(live.secondsSince(time));
  return html`<section class="box connection"><h2>${s.connection}</h2>
    <p role="status"><span class="state" data-state=${tone}><${Icon} name=${tone} /> ${s.states[mqtt.state] ?? mqtt.state}</span>
      ${mqtt.state !== "off" && html` <code>${mqtt.broker}</code>`}</p>
    ${mqtt.problem && html`<p>${mqtt.problem}</p>`}
    ${mqtt.next_step && html`<p class="next"><b>${t.settings.trial.next}</b> ${mqtt.next_step}</p>`}
    <dl class="facts">
      ${mqtt.since && html`<div><dt>${s.since}</dt><dd title=${dateTime(mqtt.since)}>${ago(mqtt.since)}</dd></div>`}
      ${mqtt.state !== "off" && html`<div><dt>${s.published}</dt><dd>${mqtt.published_total}${mqtt.last_published_at
        && html`<span title=${dateTime(mqtt.last_published_at)}>, ${s.last(ago(mqtt.last_published_at))}</span>`}</dd></div>`}
      ${mqtt.state !== "off" && (mqtt.events_waiting > 0 || mqtt.events_dropped_total > 0) && html`<div><dt>${s.waiting}</dt>
        <dd>${mqtt.events_waiting}${mqtt.events_dropped_total > 0 && html`, ${s.dropped(mqtt.events_dropped_total)}`}</dd></div>`}
    </dl>
  </section>`;
}

/** Sends one message with the settings as they are typed; `onRefused` gets the problems of single fields. */
export function TestMessage({ settings, onRefused }) {
  const [state, setState] = useState({});
  const alive = useRef(true);
  useEffect(() => () => { alive.current = false; }, []);
  const key = JSON.stringify(settings);
  const s = t.settings.mqtt;
  const run = async () => {
    setState({ busy: true });
    onRefused(null);
    let next;
    try {
      next = { answer: await post("/api/mqtt/test", { settings }), key };
    } catch (error) {
      const absent = error instanceof ApiError && [404, 405].includes(error.status);
      next = { error: absent ? new ApiError(error.status, error.code, s.noTest) : error, key };
      if (error.status === 422) onRefused(error);
    }
    if (alive.current) setState(next);
  };
  const { answer, error } = state;
  return html`<div class="test-message">
    <div class="buttons"><button type="button" ...${press(state.busy, run)}>${state.busy ? s.sending : s.send}</button>
      <span class="hint">${s.sendHint}</span></div>
    <div role="status">
      ${(answer || error) && state.key !== key && html`<p class="hint"><${Icon} name="clock" /> ${s.stale}</p>`}
      ${answer?.ok && html`<p class="outcome" data-state="up">
        <${Icon} name="up" /> ${s.sent(answer.topic, answer.broker, latency(answer.milliseconds))}</p>`}
      ${answer && !answer.ok && html`<p class="outcome" data-state="down">
        <${Icon} name="down" /> ${s.stages[answer.stage] ?? answer.stage}</p>
        <p>${answer.message}</p>
        ${answer.next_step && html`<p class="next"><b>${t.settings.trial.next}</b> ${answer.next_step}</p>`}`}
    </div>
    <${Problem} error=${error} />
  </div>`;
}
