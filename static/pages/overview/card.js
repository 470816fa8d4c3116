// One stream of the wall. Far from the window it is only its name and a place.

import { html, useLayoutEffect, useRef } from "../../lib/html.js";
import { age, dateTime, latency, span, time } from "../../lib/format.js";
import { useTicking } from "../../lib/hooks.js";
import { t } from "../../lib/language.js";
import { live, useStream } from "../../lib/live.js";
import { link } from "../../lib/router.js";
import { useNear } from "../../lib/visible.js";
import { why } from "../../lib/why.js";
import { Age } from "../../parts/age.js";
import { Snapshot, isOld } from "../../parts/snapshot.js";
import { State, shownState } from "../../parts/state.js";
import { Strip } from "../../parts/strip.js";

const sinceText = (seconds) => t.overview.since(span(seconds));

export function Card({ id }) {
  const place = useRef(null);
  const near = useNear(place);
  return html`<article class="card" ref=${place}>${near ? html`<${Filled} id=${id} place=${place} />`
    : html`<div class="picture"></div><div class="body far"><h2><a href=${link("streams", id)}>${live.streams.get(id)?.name}</a></h2></div>`}</article>`;
}

function Filled({ id, place }) {
  const stream = useStream(id);
  if (!stream) return null;
  const state = shownState(stream);
  const { reason, message, next } = why(stream);
  // The card is a place that never changes; what it looks like does.
  const card = place.current;
  if (card.dataset.state !== state) card.dataset.state = state;
  card.toggleAttribute("data-picture", Boolean(stream.picture_at));
  // A camera that is left alone was not probed, whatever its newest heartbeat says.
  const when = stream.paused_until ?? stream.checked_at;
  return html`
    <div class="picture">
      <${Snapshot} stream=${stream} blank=${reason || message ? "" : t.picture.none} />
      ${(reason || message) && html`<div class="why" title=${message}>
        <p class="reason">${reason ?? message}</p>
        ${(next || (!stream.enabled && message)) && html`<p class="next">${next || message}</p>`}
      </div>`}
      ${stream.picture_at && html`<${Age} class="taken" at=${stream.picture_at} say=${age} />`}
      <${Old} stream=${stream} card=${card} />
    </div>
    <div class="body">
      <header>
        <h2><a href=${link("streams", id)}>${stream.name}</a></h2>
        <p class="line"><${State} state=${state} />
          ${stream.enabled && stream.checked_at && html`<${Age} class="since" at=${stream.since} say=${sinceText} />`}
          ${stream.flapping && html`<span class="tag">${t.overview.flapping}</span>`}</p>
      </header>
      <dl>
        <div><dt>${t.overview.latency}</dt><dd>${latency(stream.latency_ms)}</dd></div>
        <div><dt>${stream.paused_until ? t.overview.askedAgain : t.overview.probed}</dt><dd title=${dateTime(when)}>${time(when)}</dd></div>
      </dl>
      <${Strip} letters=${stream.strip} />
    </div>`;
}

// A picture grows old while nothing comes: the card says so then.
function Old({ stream, card }) {
  const old = useTicking(() => isOld(stream));
  useLayoutEffect(() => { card.toggleAttribute("data-old", old); }, [old]);
  return null;
}
