// Incidents as a dense table, which becomes cards where there is no room.

import { html } from "../../lib/html.js";
import { dateTime } from "../../lib/format.js";
import { t } from "../../lib/language.js";
import { link } from "../../lib/router.js";
import { can } from "../../lib/session.js";
import { Icon } from "../../parts/icon.js";
import { State } from "../../parts/state.js";
import { Lasting, causeOf, namesOf, streamsOf, titleOf, whatOf, whenOf } from "./words.js";

const COLUMNS = ["state", "what", "reason", "opened", "duration", "acknowledged"];

// A table whose rows are laid out as cards is none to some browsers: the roles say that it is.
/** `marked` is false where all of them are over. */
export function Rows({ incidents, marked, acknowledge }) {
  return html`<table class="inc-table" role="table" aria-label=${t.incidents.title}>
    <thead role="rowgroup"><tr role="row">${COLUMNS.map((name) => html`
      <th scope="col" role="columnheader" class=${`inc-${name}`}>${t.incidents.columns[name]}</th>`)}</tr></thead>
    <tbody role="rowgroup">${incidents.map((incident) => html`
      <${Row} key=${incident.id} ...${{ incident, marked, acknowledge }} />`)}</tbody>
  </table>`;
}

function Row({ incident, marked, acknowledge }) {
  const several = streamsOf(incident).length > 1;
  const what = whatOf(incident);
  return html`<tr role="row" class="inc-row" data-over=${!marked || incident.open ? null : ""}>
    <td role="cell" class="inc-state"><${State} state=${incident.state} />
      ${marked && !incident.open && html`<span class="hint inc-over"><${Icon} name="check" /> ${t.incidents.over}</span>`}</td>
    <th scope="row" role="rowheader" class="inc-what"><a href=${link("incidents", incident.id)}>${what}</a>
      ${several && html`<span class="hint">${causeOf(incident)}${causeOf(incident) && ": "}${namesOf(incident, 3)}</span>`}
      ${incident.merged_into && html`<span class="hint">${t.incidents.merged(incident.merged_into)}</span>`}</th>
    <td role="cell" class="inc-reason">${titleOf(incident)}
      ${incident.note && html`<span class="hint inc-note"><${Icon} name="edit" label=${t.incidents.note} /> ${incident.note}</span>`}</td>
    <td role="cell" class="inc-opened"><time datetime=${incident.opened_at} title=${dateTime(incident.opened_at)}>
      ${whenOf(incident.opened_at)}</time></td>
    <td role="cell" class="inc-duration"><${Lasting} from=${incident.opened_at} to=${incident.closed_at} /></td>
    <td role="cell" class="inc-acknowledged"><${Acknowledged} incident=${incident} what=${what} acknowledge=${acknowledge} /></td>
  </tr>`;
}

function Acknowledged({ incident, what, acknowledge }) {
  const { acknowledged } = incident;
  if (acknowledged) {
    return html`<span class="inc-seen" title=${dateTime(acknowledged.at)}><${Icon} name="check" />
      <span>${acknowledged.by}<span class="hint">${whenOf(acknowledged.at)}</span></span></span>`;
  }
  if (!incident.open || !can("operator")) return html`<span class="hint">${t.none}</span>`;
  return html`<button type="button" class="inc-small" aria-label=${t.incidents.acknowledgeThis(what)}
    onClick=${() => acknowledge(incident)}>${t.incidents.acknowledge}</button>`;
}
