// The monthly reports that there are.

import { html } from "../../lib/html.js";
import { get } from "../../lib/api.js";
import { month } from "../../lib/format.js";
import { useAsked } from "../../lib/hooks.js";
import { t } from "../../lib/language.js";
import { Empty, Waiting } from "../../parts/feedback.js";
import { Icon } from "../../parts/icon.js";

const TABLES = [["csv", t.reports.csv], ["incidents_csv", t.reports.incidentsCsv], ["json", t.reports.json]];

export function Reports({ tabs }) {
  const asked = useAsked(() => get("/api/reports"), []);
  return html`<main tabindex="-1" class="page inc">
    <header><h1>${t.reports.title}</h1></header>
    ${tabs}
    <${Waiting} asked=${asked} />
    ${asked.data && (asked.data.reports.length === 0
      ? html`<${Empty} icon="report" title=${t.reports.none}><p>${t.reports.noneHint}</p><//>`
      : html`<p class="hint">${t.reports.hint} ${t.reports.zone(asked.data.timezone)}</p>
        <section class="box"><ol class="inc-months">${asked.data.reports.map((report) => html`
          <${Month} key=${report.month} report=${report} />`)}</ol></section>`)}
  </main>`;
}

function Month({ report }) {
  const name = month(report.month);
  return html`<li>
    <a class="inc-month" href=${report.html}><${Icon} name="report" /> ${name}</a>
    ${report.so_far && html`<span class="tag">${t.reports.soFar}</span>`}
    <span class="inc-files">${TABLES.map(([file, text]) => html`
      <a href=${report[file]} download aria-label=${t.reports.fileOf(text, name)}><${Icon} name="download" /> ${text}</a>`)}</span>
  </li>`;
}
