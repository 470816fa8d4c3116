// How long pictures took: hour by hour, or heartbeat by heartbeat where one looks closely. Drag over it, or press, to zoom.

import { html, useEffect, useRef, useState } from "../../lib/html.js";
import { get, streamPath } from "../../lib/api.js";
import { dateTime, latency, number, shownZone } from "../../lib/format.js";
import { useAsked } from "../../lib/hooks.js";
import { t } from "../../lib/language.js";
import { live } from "../../lib/live.js";
import { Waiting } from "../../parts/feedback.js";
import { Chart } from "../../parts/chart.js";

const HOUR_MS = 3_600_000;
const RANGES = [["1h", 1], ["6h", 6], ["24h", 24], ["7d", 168], ["30d", 720]];
// Up to here every heartbeat is drawn.
const CLOSE_MS = 6 * HOUR_MS;
const PAGE = 1000;
const MOST_PAGES = 6;
const SHORTEST_MS = 60_000;
const LONGEST_MS = 720 * HOUR_MS;

const hourOf = (at) => Math.floor(at / HOUR_MS) * HOUR_MS;
const windowOf = (from, to) => `from=${new Date(from).toISOString()}&to=${new Date(to).toISOString()}`;

async function beatsOf(id, from, to) {
  const beats = [];
  let cursor = null;
  for (let page = 0; page < MOST_PAGES; page += 1) {
    const next = cursor ? `&cursor=${encodeURIComponent(cursor)}` : "";
    const answer = await get(streamPath(id, `/history?limit=${PAGE}&${windowOf(from, to)}${next}`));
    beats.push(...answer.heartbeats);
    cursor = answer.next_cursor;
    if (!cursor) break;
  }
  return { beats: beats.reverse(), cut: Boolean(cursor) };
}

/**
 * `{series: {x, ok, failed}, from, to, kind, cut}`: seconds since 1970, milliseconds to a picture or null, and where there was
 * none. `kind` is "each", "hourly", or "onlyHours" where heartbeats are wanted and not kept any more.
 */
async function pointsOf(id, from, to) {
  const series = { x: [], ok: [], failed: [] };
  const add = (at, ok, failed) => {
    series.x.push(Date.parse(at) / 1000);
    series.ok.push(ok);
    series.failed.push(failed);
  };
  const addHours = (hours) => {
    for (const hour of hours) add(hour.at, hour.mean_ms, hour.failed > 0 ? hour.mean_ms ?? 0 : null);
  };
  if (to - from > CLOSE_MS) {
    addHours((await get(streamPath(id, `/latency?${windowOf(from, to)}`))).hours);
    return { series, from, to, kind: "hourly", cut: false };
  }
  const { beats, cut } = await beatsOf(id, from, to);
  for (const beat of beats) {
    const ok = beat.reason === "ok";
    add(beat.at, ok ? beat.latency_ms : null, ok ? null : beat.latency_ms);
  }
  if (beats.length > 0) return { series, from, to, kind: "each", cut };
  // An hour is where it begins, so that whole ones are shown.
  const [first, last] = [hourOf(from), hourOf(to - 1) + HOUR_MS];
  const [answer, { heartbeats }] = await Promise.all([
    get(streamPath(id, `/latency?${windowOf(first, last)}`)), get(streamPath(id, `/history?limit=1&${windowOf(first, last)}`)),
  ]);
  const hours = answer.hours.filter((hour) => Date.parse(hour.at) < last);
  // Heartbeats just beside the window: there were none in it.
  if (hours.length === 0 || heartbeats.length > 0) return { series, from, to, kind: "each", cut };
  addHours(hours);
  return { series, from: first, to: last, kind: "onlyHours", cut: false };
}

// Where each button leads from what is shown; null where it leads nowhere.
function movesOf(from, to, now) {
  const length = to - from;
  // What is as new as can be stays so.
  const atEnd = to >= now - SHORTEST_MS;
  const around = (wanted) => {
    const end = atEnd ? now : Math.min(now, (from + to + wanted) / 2);
    return [end - wanted, end];
  };
  return [
    ["earlier", [from - length / 2, to - length / 2]],
    ["later", atEnd ? null : [Math.min(to + length / 2, now) - length, Math.min(to + length / 2, now)]],
    ["closer", length > SHORTEST_MS ? around(Math.max(length / 2, SHORTEST_MS)) : null],
    ["wider", length < LONGEST_MS ? around(Math.min(length * 2, LONGEST_MS)) : null],
  ];
}

export function Latency({ id }) {
  const [range, setRange] = useState("1h");
  // What was dragged over or gone to; null: the range up to now.
  const [zoom, setZoom] = useState(null);
  const hours = RANGES.find(([name]) => name === range)[1];
  const windowNow = () => zoom ?? [live.now() - hours * HOUR_MS, live.now()];
  const asked = useAsked(() => pointsOf(id, ...windowNow()), [id, range, zoom]);
  const reload = useRef(asked.reload);
  reload.current = asked.reload;
  useEffect(() => {
    const again = setInterval(() => zoom === null && reload.current(), 30_000);
    return () => clearInterval(again);
  }, [zoom]);
  // What was there stays until the next one is: the page does not jump with each press.
  const before = useRef(null);
  before.current = asked.data ?? before.current;
  const shown = asked.data ?? (asked.error ? null : before.current);
  return html`<section class="box" aria-labelledby="latency">
    <header><h2 id="latency">${t.stream.latency}</h2>
      <div class="choices" role="group" aria-label=${t.stream.range}>${RANGES.map(([name]) => html`
        <button type="button" key=${name} aria-pressed=${String(!zoom && name === range)} onClick=${() => { setZoom(null); setRange(name); }}>${t.stream.ranges[name]}</button>`)}</div>
      <${Moves} window=${windowNow} zoomed=${zoom !== null} setZoom=${setZoom} /></header>
    ${shown ? html`<${Drawn} shown=${shown} zoom=${(begin, end) => setZoom([begin, end])} />` : html`<${Waiting} asked=${asked} />`}
  </section>`;
}

// What leads nowhere keeps the focus, and says so.
function Moves({ window, zoomed, setZoom }) {
  const moves = () => movesOf(...window(), live.now());
  return html`<div class="choices" role="group" aria-label=${t.stream.look}>${moves().map(([name, to]) => html`
    <button type="button" key=${name} aria-disabled=${to ? null : "true"} onClick=${() => {
      const next = moves().find(([one]) => one === name)[1];
      if (next) setZoom(next);
    }}>${t.stream[name]}</button>`)}
    <button type="button" aria-disabled=${zoomed ? null : "true"} onClick=${() => setZoom(null)}>${t.stream.zoomOut}</button></div>`;
}

function Drawn({ shown, zoom }) {
  const { series, from, to, kind, cut } = shown;
  const known = series.ok.filter((value) => value !== null);
  const mean = known.length ? known.reduce((sum, value) => sum + value, 0) / known.length : null;
  return html`
    <${Chart} label=${t.stream.latencyOf(latency(mean), known.length)} series=${series} from=${from} to=${to} zone=${shownZone()} zoom=${zoom} />
    <p class="hint">${dateTime(from)} – ${dateTime(to)}. ${series.x.length === 0 ? t.stream.noLatency
      : `${[t.stream[kind], cut && t.stream.cutOff(number(series.x.length)), t.stream.dragHint].filter(Boolean).join(" ")}`}</p>`;
}
