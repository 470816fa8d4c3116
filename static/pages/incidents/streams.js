// The streams of an incident: when each began to fail, was confirmed and recovered, as figures and as bars.

import { html, useState } from "../../lib/html.js";
import { dateTime, shortDateTime, time } from "../../lib/format.js";
import { t } from "../../lib/language.js";
import { live, useStream } from "../../lib/live.js";
import { link } from "../../lib/router.js";
import { State, shownState } from "../../parts/state.js";
import { nameOf, reasonTitle, titleOf } from "./words.js";

const FEW = 20;
const COLUMNS = ["stream", "now", "reason", "began", "joined", "left", "course"];
// Up to so long, a time of day says which day.
const TIME_ALONE_MS = 20 * 3_600_000;

export function Streams({ incident }) {
  const [all, setAll] = useState(false);
  const members = incident.streams;
  const shown = all ? members : members.slice(0, FEW);
  const from = Math.min(...members.map((member) => Date.parse(member.began_at)));
  const to = incident.closed_at ? Date.parse(incident.closed_at) : live.now();
  const words = t.incidents.streamColumns;
  // What is the same for all of them is said above.
  const differ = members.some((member) => member.reason !== incident.reason);
  const short = to - from < TIME_ALONE_MS ? time : shortDateTime;
  return html`<section class="box inc-last"><h2>${t.incidents.affected}</h2>
    <table class="inc-table inc-members" role="table" aria-label=${t.incidents.affected}>
      <thead role="rowgroup"><tr role="row">${COLUMNS.filter((name) => differ || name !== "reason").map((name) => html`
        <th scope="col" role="columnheader" class=${`inc-m-${name}`}>${words[name]}</th>`)}</tr></thead>
      <tbody role="rowgroup">${shown.map((member) => html`
        <${Member} key=${`${member.stream} ${member.joined_at}`} ...${{ incident, member, from, to, differ, short }} />`)}</tbody>
    </table>
    ${shown.length < members.length && html`<p class="buttons">
      <button type="button" onClick=${() => setAll(true)}>${t.incidents.showAll(members.length)}</button></p>`}
  </section>`;
}

function Member({ incident, member, from, to, differ, short }) {
  const stream = useStream(member.stream);
  const cell = (name, value) => html`<td role="cell" class=${`inc-m-${name}`}>
    <span class="inc-label" aria-hidden="true">${t.incidents.streamColumns[name]}</span>${value}</td>`;
  const when = (at, otherwise = t.none) => (at ? html`<time datetime=${at} title=${dateTime(at)}>${short(at)}</time>` : otherwise);
  return html`<tr role="row">
    <th scope="row" role="rowheader" class="inc-m-stream">${stream
      ? html`<a href=${link("streams", member.stream)}>${stream.name}</a>`
      : html`<span>${nameOf(member.stream)}</span>`}</th>
    ${cell("now", stream ? html`<${State} state=${shownState(stream)} />`
      : html`<span class="hint">${live.loaded ? t.incidents.removed : t.none}</span>`)}
    ${differ && cell("reason", member.reason === "ok" ? titleOf(incident) : reasonTitle(member.reason))}
    ${cell("began", when(member.began_at))}
    ${cell("joined", when(member.joined_at))}
    ${cell("left", when(member.left_at, html`<span class="hint">${t.incidents.notYet}</span>`))}
    <td role="cell" class="inc-m-course"><${Bar} ...${{ incident, member, from, to }} /></td>
  </tr>`;
}

const WIDTH = 100;

// Pale from the last good heartbeat to the confirmation, full while it was in the state. The figures beside it say the same.
function Bar({ incident, member, from, to }) {
  const at = (text) => (WIDTH * (Date.parse(text) - from)) / Math.max(to - from, 1);
  const end = member.left_at ? at(member.left_at) : WIDTH;
  const began = at(member.began_at);
  const joined = Math.min(at(member.joined_at), end);
  return html`<svg class="inc-bar" data-state=${incident.state} viewBox=${`0 0 ${WIDTH} 10`} preserveAspectRatio="none" aria-hidden="true">
    <path class="inc-bar-ground" d=${`M0 0h${WIDTH}v10h-${WIDTH}Z`} />
    <path class="inc-bar-began" d=${`M${began} 0H${joined}V10H${began}Z`} />
    <path class="inc-bar-full" d=${`M${joined} 0H${Math.max(end, joined + 1)}V10H${joined}Z`} />
  </svg>`;
}
