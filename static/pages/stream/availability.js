// How much of the time there was a picture, and the states one after the other.

import { html, useEffect, useMemo, useRef, useState } from "../../lib/html.js";
import { get, streamPath } from "../../lib/api.js";
import { dateTime, duration, percent, shortDateTime } from "../../lib/format.js";
import { useAsked } from "../../lib/hooks.js";
import { t } from "../../lib/language.js";
import { live } from "../../lib/live.js";
import { Waiting } from "../../parts/feedback.js";
import { State } from "../../parts/state.js";

const WINDOWS = ["24h", "7d", "30d", "365d"];
const AGAIN_MS = 60_000;
// After a change a minute is most of what there is to show, and the figures of the windows come some seconds after it.
const CHANGED_SECONDS = 120;
const AGAIN_AFTER_CHANGE_MS = 5_000;
const STATES = ["up", "degraded", "down", "unknown", "maintenance"];

// Seconds in any state.
const watched = ({ seconds }) => Object.values(seconds).reduce((sum, one) => sum + one, 0);

// Shown again with their own data only, not with every event of the stream: a year may be two thousand stretches. `since` is
// when its state began: with each one they are asked for again.
export function Availability({ id, since }) {
  return useMemo(() => html`<${Shown} id=${id} since=${since} />`, [id, since]);
}

/** Asks again now and then, and more often for a while when the state has changed. */
function useFresh({ reload }, since) {
  const hasChanged = live.secondsSince(since) < CHANGED_SECONDS;
  useEffect(() => {
    const again = setInterval(reload, hasChanged ? AGAIN_AFTER_CHANGE_MS : AGAIN_MS);
    return () => clearInterval(again);
  }, [reload, hasChanged]);
  const before = useRef(since);
  useEffect(() => {
    if (before.current !== since) reload();
    before.current = since;
  }, [since]);
}

function Shown({ id, since }) {
  const [chosen, setChosen] = useState("24h");
  const asked = useAsked(() => Promise.all(WINDOWS.map((window) => get(streamPath(id, `/availability?window=${window}`)))), [id]);
  useFresh(asked, since);
  return html`<section class="box" aria-labelledby="availability">
    <h2 id="availability">${t.stream.availability}</h2>
    <${Waiting} asked=${asked} />
    ${asked.data && html`<div class="figures" role="group" aria-label=${t.stream.window}>${asked.data.map((one, index) => html`
      <button type="button" key=${WINDOWS[index]} aria-pressed=${String(WINDOWS[index] === chosen)} onClick=${() => setChosen(WINDOWS[index])}>
        <span>${t.stream.windows[WINDOWS[index]]}</span>
        <b>${percent(one.availability)}</b>
        <small>${one.covered < 0.9995 ? t.stream.watched(duration(watched(one))) : t.stream.watchedAll}</small>
      </button>`)}</div>`}
    <${Timeline} key=${chosen} id=${id} since=${since} window=${chosen} />
  </section>`;
}

/** The stretches in each state, as a bar, with what they come to under it. */
function Timeline({ id, since, window }) {
  const asked = useAsked(() => get(streamPath(id, `/availability?window=${window}&spans=1`)), [id, window]);
  useFresh(asked, since);
  if (!asked.data) return html`<${Waiting} asked=${asked} />`;
  const { from, to, spans, seconds } = asked.data;
  const begin = Date.parse(from);
  const length = Date.parse(to) - begin || 1;
  const place = (text) => ((Date.parse(text) - begin) / length) * 1000;
  const some = STATES.filter((state) => seconds[state] > 0);
  return html`<figure class="timeline">
    <svg viewBox="0 0 1000 28" preserveAspectRatio="none" role="img"
      aria-label=${some.length ? some.map((state) => `${t.states[state]} ${duration(seconds[state])}`).join(", ") : t.stream.notWatched}>
      <rect class="ground" width="1000" height="28" />
      ${spans.map((span) => html`<rect key=${span.from} data-state=${span.state} x=${place(span.from)}
        width=${Math.max(place(span.to) - place(span.from), 0.7)} y=${span.state === "up" ? 8 : 0} height=${span.state === "up" ? 20 : 28}>
        <title>${`${t.states[span.state]}: ${dateTime(span.from)} – ${dateTime(span.to)} (${duration((Date.parse(span.to) - Date.parse(span.from)) / 1000)})`}</title>
      </rect>`)}
    </svg>
    <figcaption><span>${shortDateTime(from)}</span><span>${shortDateTime(to)}</span></figcaption>
    <p class="sums">${some.map((state) => html`<span key=${state}><${State} state=${state} /> ${duration(seconds[state])}</span>`)}
      ${some.length === 0 && html`<span class="hint">${t.stream.notWatched}</span>`}</p>
  </figure>`;
}
