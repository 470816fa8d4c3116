// The newest incidents of one stream, in short: for the page of the stream.

import { html, useCallback, useEffect, useState } from "../../lib/html.js";
import { dateTime } from "../../lib/format.js";
import { useAsked } from "../../lib/hooks.js";
import { t } from "../../lib/language.js";
import { useIncidentEvents } from "../../lib/live.js";
import { link } from "../../lib/router.js";
import { Waiting } from "../../parts/feedback.js";
import { Icon } from "../../parts/icon.js";
import { State } from "../../parts/state.js";
import { Evidence } from "./evidence.js";
import { merged, readPage, useReturn } from "./keeping.js";
import { Lasting, streamsOf, titleOf, reasonTitle, whatOf, whenOf } from "./words.js";

const MOST = 10;

/** `<${IncidentList} stream="gate" />`: the id of a stream. */
export function IncidentList({ stream }) {
  const asked = useAsked(async () => (await readPage({ stream }, null, MOST)).incidents, [stream]);
  const [changed, setChanged] = useState(new Map());
  useEffect(() => setChanged(new Map()), [stream, asked.data]);
  useReturn(asked.reload);
  useIncidentEvents(useCallback((event) => {
    if (event.streams.some((member) => member.stream === stream)) {
      setChanged((before) => new Map(before).set(event.id, merged(before.get(event.id), event)));
    }
  }, [stream]));

  if (!asked.data) return html`<${Waiting} asked=${asked} />`;
  const known = new Map(asked.data.map((incident) => [incident.id, incident]));
  for (const [id, event] of changed) known.set(id, merged(known.get(id), event));
  const incidents = [...known.values()].sort((one, other) => other.id - one.id).slice(0, MOST);
  if (incidents.length === 0) return html`<p class="hint">${t.incidents.noneOfStream}</p>`;
  return html`<div class="inc-list">
    <ol>${incidents.map((incident, index) => html`
      <${Item} key=${incident.id} ...${{ incident, stream }} unfolded=${index === 0 && incident.open} />`)}</ol>
    <p><a href=${link("incidents", { show: "all", stream })}>${t.incidents.ofStream}</a></p>
  </div>`;
}

// The part that the stream had in it: it may have failed for another reason, and recovered before the others.
function Item({ incident, stream, unfolded }) {
  // As it was when it came: what is looked at is not to be folded when the incident is over.
  const [shown, setShown] = useState(unfolded);
  const part = incident.streams.findLast((member) => member.stream === stream) ?? incident.streams.at(-1);
  const title = part.reason === "ok" || part.reason === incident.reason ? titleOf(incident) : reasonTitle(part.reason);
  const id = `inc-evidence-${incident.id}`;
  return html`<li>
    <${State} state=${incident.state} />
    <span class="inc-item-what"><a href=${link("incidents", incident.id)}>${title}</a>
      ${streamsOf(incident).length > 1 && html`<span class="hint">${whatOf(incident)}</span>`}</span>
    <time class="hint" datetime=${part.joined_at} title=${dateTime(part.joined_at)}>${whenOf(part.joined_at)}</time>
    <span class="inc-item-long"><${Lasting} from=${part.joined_at} to=${part.left_at} />
      ${incident.acknowledged && html` <${Icon} name="check" label=${t.incidents.acknowledgedBy(incident.acknowledged.by)} />`}</span>
    <button type="button" class="quiet icon-only inc-small" aria-expanded=${String(shown)} aria-controls=${shown ? id : null}
      aria-label=${t.incidents.evidenceOf(title, whenOf(part.joined_at))} title=${t.incidents.evidence}
      onClick=${() => setShown(!shown)}><${Icon} name="next" /></button>
    ${shown && html`<div id=${id} class="inc-item-evidence"><${Evidence} incident=${incident} stream=${stream} /></div>`}
  </li>`;
}
