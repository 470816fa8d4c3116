// The register of incidents: open ones, past ones, all of them.

import { html, useEffect, useState } from "../../lib/html.js";
import { date, fromField } from "../../lib/format.js";
import { t } from "../../lib/language.js";
import { live } from "../../lib/live.js";
import { link } from "../../lib/router.js";
import { BusyButton, Empty, Problem } from "../../parts/feedback.js";
import { hasWords } from "../../parts/search.js";
import { Filters } from "./filters.js";
import { useNames, useRegister } from "./keeping.js";
import { Acknowledge } from "./remarks.js";
import { Rows } from "./rows.js";
import { nameOf, titleOf, whatOf, whenOf } from "./words.js";

const OPEN = { open: true, past: false };
// So long one that is over stays among the open ones, marked as over.
const STAYS_SECONDS = 60;

/** The begin of a day in the shown zone, so many days later; undefined when it is none. */
function dayBegin(text, later = 0) {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text ?? "")) return undefined;
  const day = new Date(`${text}T00:00:00Z`);
  if (Number.isNaN(day.getTime())) return undefined;
  day.setUTCDate(day.getUTCDate() + later);
  return fromField(day.toISOString().replace(/:00\.000Z$/, "")) ?? undefined;
}

const textsOf = (incident) => [
  whatOf(incident), titleOf(incident), incident.message, incident.note, incident.action, incident.acknowledged?.by,
  String(incident.id), ...incident.streams.flatMap(({ stream }) => [stream, nameOf(stream)]),
];

const NAMES = ["text", "stream", "state", "from", "to"];

export function Register({ show, query, tabs }) {
  useNames();
  const [acknowledging, setAcknowledging] = useState(null);
  const [, setTurn] = useState(0);
  useEffect(() => {
    const turner = setInterval(() => setTurn((n) => n + 1), 10_000);
    return () => clearInterval(turner);
  }, []);

  const filter = Object.fromEntries(NAMES.map((name) => [name, query.get(name) ?? ""]));
  const filtered = NAMES.some((name) => filter[name]);
  const matches = (incident) => (!filter.state || incident.state === filter.state)
    && hasWords(filter.text, filter.text ? textsOf(incident) : []);
  const register = useRegister({
    open: OPEN[show], stream: filter.stream, from: dayBegin(filter.from), to: dayBegin(filter.to, 1),
  }, matches);

  // What was just typed may match nothing that is here, and something further back.
  const shown = register.incidents.filter(matches).filter((incident) => show !== "open" || incident.open
    || live.secondsSince(incident.closed_at) < STAYS_SECONDS);
  useEffect(() => {
    if (filtered && register.begun && shown.length === 0) register.load();
  }, [filter.state, filter.text]);

  const close = (done) => {
    setAcknowledging(null);
    // The button that was pressed is gone; its row is where one was.
    if (done) setTimeout(() => document.querySelector(`.inc-what a[href="${link("incidents", acknowledging.id)}"]`)?.focus());
  };

  const last = register.incidents.at(-1);
  const begun = register.begun || register.incidents.length > 0;
  return html`<main tabindex="-1" class="page inc">
    <header><h1>${t.incidents.title}</h1></header>
    ${tabs}
    <${Filters} show=${show} filter=${filter} filtered=${filtered} />
    ${shown.length > 0 && html`<div class="box inc-register">
      <${Rows} incidents=${shown} marked=${show !== "past"} acknowledge=${setAcknowledging} /></div>`}
    <${Problem} error=${register.error} retry=${register.begun ? register.load : register.reload} />
    <p class="hint inc-end" role="status">
      ${register.loading ? t.loading
        : shown.length > 0 && html`<span>${t.incidents.count(shown.length)}. ${!register.more ? t.incidents.all
          : last && t.incidents.lookedBack(whenOf(last.opened_at))}</span>`}</p>
    ${!register.loading && !register.error && shown.length === 0 && html`
      <${Nothing} show=${show} filtered=${filtered} back=${register.more && last ? date(last.opened_at) : null} />`}
    ${register.begun && register.more && html`<p class="buttons inc-more">
      <${BusyButton} busy=${register.loading} onClick=${register.load}>${t.incidents.more}<//></p>`}
    ${!begun && !register.error && html`<p class="inc-room"></p>`}
    ${acknowledging && html`<${Acknowledge} taken=${register.put} onClose=${close}
      incident=${register.incidents.find(({ id }) => id === acknowledging.id) ?? acknowledging} />`}
  </main>`;
}

function Nothing({ show, filtered, back }) {
  if (filtered) {
    return html`<${Empty} icon="search" title=${t.incidents.noMatch}>
      <p>${t.incidents.noMatchHint} ${back && t.incidents.lookedBack(back)}</p>
      <p><a class="button" href=${link("incidents", show === "open" ? {} : { show })}>${t.incidents.clear}</a></p><//>`;
  }
  if (show === "open") {
    return html`<${Empty} icon="check" title=${t.incidents.noneOpen}>
      <p>${t.incidents.noneOpenHint}</p>
      <p><a class="button" href=${link("incidents", { show: "past" })}>${t.incidents.seePast}</a></p><//>`;
  }
  return html`<${Empty} icon="incidents" title=${show === "past" ? t.incidents.nonePast : t.incidents.noneAtAll}>
    <p>${show === "past" ? t.incidents.nonePastHint : t.incidents.noneAtAllHint}</p><//>`;
}
