// The streams as a table, for whoever has many.

import { html, useRef, useState } from "../../lib/html.js";
import { post, streamPath } from "../../lib/api.js";
import { age, dateTime, latency, span } from "../../lib/format.js";
import { t } from "../../lib/language.js";
import { live, useStream } from "../../lib/live.js";
import { link } from "../../lib/router.js";
import { can } from "../../lib/session.js";
import { useNear } from "../../lib/visible.js";
import { why } from "../../lib/why.js";
import { Age } from "../../parts/age.js";
import { BusyButton, sentenceOf, toast } from "../../parts/feedback.js";
import { Icon } from "../../parts/icon.js";
import { State, shownState } from "../../parts/state.js";
import { Strip } from "../../parts/strip.js";

const COLUMNS = [["name", "name"], ["type"], ["status", "state"], ["latency", "latency"], ["message"], ["beats"], ["time", "checked"], ["actions"]];

/** `rows` is a row for each stream, made once. `sort(name)` chooses the order. */
export function Table({ rows, sorted, sort }) {
  return html`<div class="scroll table"><table>
    <thead><tr>${COLUMNS.map(([column, key]) => html`
      <th scope="col" class=${column} aria-sort=${key && key === sorted ? "other" : null}>${key
        ? html`<button type="button" class="sort" aria-pressed=${String(key === sorted)} onClick=${() => sort(key)}>${t.overview.columns[column]}</button>`
        : t.overview.columns[column]}</th>`)}</tr></thead>
    <tbody>${rows}</tbody>
  </table></div>`;
}

export function Row({ id }) {
  const place = useRef(null);
  const near = useNear(place);
  return html`<tr ref=${place}>${near ? html`<${Filled} id=${id} />`
    : html`<th scope="row"><a href=${link("streams", id)}>${live.streams.get(id)?.name}</a></th><td colspan=${COLUMNS.length - 1}></td>`}</tr>`;
}

function Filled({ id }) {
  const stream = useStream(id);
  const [busy, setBusy] = useState(false);
  if (!stream) return null;
  const { reason, message } = why(stream);
  const probe = async () => {
    setBusy(true);
    try {
      const report = await post(streamPath(id, "/probe"));
      toast(t.overview.probeDone(stream.name, t.reasons[report.reason]?.title ?? report.reason));
    } catch (error) {
      toast(sentenceOf(error), { kind: "failed" });
    } finally {
      setBusy(false);
    }
  };
  const said = reason && message && !message.startsWith(reason) ? `${reason}. ${message}` : reason ?? message ?? stream.message;
  return html`
    <th scope="row"><a href=${link("streams", id)}>${stream.name}</a>${stream.group && html`<span class="group">${stream.group}</span>`}</th>
    <td class="type">${t.overview.kinds[stream.kind]}</td>
    <td class="status"><${State} state=${shownState(stream)} />
      ${stream.enabled && stream.checked_at && html`<${Age} class="since" at=${stream.since} say=${(seconds) => t.overview.since(span(seconds))} />`}</td>
    <td class="number">${latency(stream.latency_ms)}</td>
    <td class="message" title=${said}>${said}</td>
    <td class="beats"><${Strip} letters=${stream.strip} /></td>
    <td class="time" title=${dateTime(stream.checked_at)}>${stream.checked_at ? html`<${Age} at=${stream.checked_at} say=${age} />` : t.none}</td>
    <td class="actions">
      ${can("operator") && stream.enabled && html`<${BusyButton} class="quiet icon-only" busy=${busy} onClick=${probe}
        aria-label=${t.overview.probeNow(stream.name)} title=${t.overview.probeNow(stream.name)}><${Icon} name="probe" /><//>`}
      <a class="button quiet icon-only" href=${link("streams", id, { live: 1 })} aria-label=${t.overview.watch(stream.name)}
        title=${t.overview.watch(stream.name)}><${Icon} name="play" /></a>
    </td>`;
}
