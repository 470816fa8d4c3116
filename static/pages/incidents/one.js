// One incident: what happened, what it looked like, who looks after it.

import { html, useCallback, useRef, useState } from "../../lib/html.js";
import { get } from "../../lib/api.js";
import { dateTime } from "../../lib/format.js";
import { useAsked } from "../../lib/hooks.js";
import { t } from "../../lib/language.js";
import { useIncidentEvents } from "../../lib/live.js";
import { link } from "../../lib/router.js";
import { can } from "../../lib/session.js";
import { Empty, Waiting } from "../../parts/feedback.js";
import { Icon } from "../../parts/icon.js";
import { State } from "../../parts/state.js";
import { Course } from "./course.js";
import { Evidence } from "./evidence.js";
import { useMinutes, useNames, useReturn } from "./keeping.js";
import { Acknowledge, EditRemarks } from "./remarks.js";
import { Streams } from "./streams.js";
import { Lasting, awayOf, nextOf, sentenceOf, streamsOf, titleOf, whatOf, whyOf } from "./words.js";

// Of a power cut, an event for each stream comes within a second; one answer has them all.
const GATHER_MS = 400;

export function One({ id }) {
  useNames();
  const asked = useAsked(() => get(`/api/incidents/${id}`), [id]);
  const [dialog, setDialog] = useState(null);
  const timer = useRef(null);
  const edit = useRef(null);
  useIncidentEvents(useCallback((event) => {
    if (String(event.id) !== id) return;
    clearTimeout(timer.current);
    timer.current = setTimeout(asked.reload, GATHER_MS);
  }, [id]));
  useReturn(asked.reload);
  // Pictures may be written down after the event, and the oldest ones go.
  useMinutes(asked.reload);

  if (asked.error?.status === 404) {
    return html`<main tabindex="-1" class="page inc"><h1>${t.incidents.number(id)}</h1>
      <${Empty} icon="search" title=${t.incidents.gone}><p>${t.incidents.goneHint}</p>
        <p><a class="button" href=${link("incidents")}>${t.incidents.back}</a></p><//></main>`;
  }
  const incident = asked.data;
  if (!incident) return html`<main tabindex="-1" class="page inc"><h1>${t.incidents.number(id)}</h1><${Waiting} asked=${asked} /></main>`;
  const close = () => setDialog(null);
  // The button that was pressed goes.
  const acknowledged = (done) => {
    close();
    if (done) setTimeout(() => edit.current?.focus());
  };
  return html`<main tabindex="-1" class="page inc">
    <p class="inc-back"><a href=${link("incidents", incident.open ? {} : { show: "past" })}>
      <${Icon} name="back" /> ${t.incidents.back}</a> <span class="hint">${t.incidents.number(id)}</span></p>
    <header>
      <div class="inc-title"><h1>${t.incidents.heading(whatOf(incident), titleOf(incident))}</h1>
        <p><${State} state=${incident.state} />
          ${incident.open ? html`<${Lasting} from=${incident.opened_at} to=${null} />`
            : html`<span class="hint inc-over"><${Icon} name="check" /> ${t.incidents.over}</span>`}</p></div>
      ${can("operator") && html`<div class="buttons">
        ${incident.open && !incident.acknowledged && html`
          <button type="button" class="primary" onClick=${() => setDialog("acknowledge")}><${Icon} name="check" />
            ${t.incidents.acknowledge}</button>`}
        <button type="button" ref=${edit} onClick=${() => setDialog("edit")}><${Icon} name="edit" /> ${t.incidents.editNotes}</button>
      </div>`}
    </header>
    <div class="inc-columns">
      <div>
        <${Happened} incident=${incident} />
        <section class="box"><h2>${t.incidents.evidence}</h2><${Evidence} incident=${incident} /></section>
        <${Streams} incident=${incident} />
      </div>
      <div>
        <${Course} incident=${incident} />
        <${Notes} incident=${incident} />
      </div>
    </div>
    ${dialog === "acknowledge" && html`<${Acknowledge} incident=${incident} taken=${asked.reload} onClose=${acknowledged} />`}
    ${dialog === "edit" && html`<${EditRemarks} incident=${incident} taken=${asked.reload} onClose=${close} />`}
  </main>`;
}

function Happened({ incident }) {
  const why = whyOf(incident);
  const next = nextOf(incident);
  const away = awayOf(incident).length;
  const all = streamsOf(incident).length;
  return html`<section class="box">
    <h2>${t.incidents.happened}</h2>
    <p><${Sentence} incident=${incident} />
      ${incident.open && away < all && html` ${t.incidents.stillAway(away, all)}`}
      ${incident.merged_into && html` ${t.incidents.mergedInto}${" "}
        <a href=${link("incidents", incident.merged_into)}>${t.incidents.number(incident.merged_into).toLowerCase()}</a>.`}</p>
    <p>${incident.message}</p>
    ${why && html`<p>${why}</p>`}
    ${next && html`<div class="inc-next"><h3>${t.incidents.next}</h3><p>${next}</p></div>`}
  </section>`;
}

function Sentence({ incident }) {
  // The span within the sentence counts on.
  const [before, after] = sentenceOf(incident, "\n").split("\n");
  return html`${before}<${Lasting} from=${incident.opened_at} to=${incident.closed_at} />${after}`;
}

function Notes({ incident }) {
  const { acknowledged, note, action } = incident;
  return html`<section class="box"><h2>${t.incidents.notes}</h2>
    ${acknowledged && html`<p><${Icon} name="check" /> ${t.incidents.acknowledgedBy(acknowledged.by)}
      <span class="hint"> ${dateTime(acknowledged.at)}</span></p>`}
    ${note && html`<div class="inc-said"><h3>${t.incidents.note}</h3><p>${note}</p></div>`}
    ${action && html`<div class="inc-said"><h3>${t.incidents.action}</h3><p>${action}</p></div>`}
    ${!acknowledged && !note && !action && html`<p class="hint">${t.incidents.noNotes}</p>`}
  </section>`;
}
