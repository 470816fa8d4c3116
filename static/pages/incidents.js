// Everything under "#/incidents": the register, one incident, maintenance and the monthly reports.

import { html } from "../lib/html.js";
import { t } from "../lib/language.js";
import { link } from "../lib/router.js";
import { Tabs } from "../parts/tabs.js";
import { Maintenance } from "./incidents/maintenance.js";
import { One } from "./incidents/one.js";
import { Register } from "./incidents/register.js";
import { Reports } from "./incidents/reports.js";
import { NotFound } from "./not-found.js";

const SHOWS = ["open", "past", "all"];

function Sections({ current, query }) {
  // What is filtered for stays when one looks from open ones to past ones.
  const kept = Object.fromEntries([...query].filter(([name]) => name !== "show"));
  const { tabs } = t.incidents;
  return html`<${Tabs} label=${t.incidents.sections} current=${current} tabs=${[
    ["open", tabs.open, link("incidents", kept)],
    ["past", tabs.past, link("incidents", { show: "past", ...kept })],
    ["all", tabs.all, link("incidents", { show: "all", ...kept })],
    ["maintenance", tabs.maintenance, link("incidents", "maintenance")],
    ["reports", tabs.reports, link("incidents", "reports")],
  ]} />`;
}

export default function Incidents({ parts, query }) {
  const [what] = parts;
  if (what === undefined) {
    const show = SHOWS.includes(query.get("show")) ? query.get("show") : "open";
    return html`<${Register} show=${show} query=${query} tabs=${html`<${Sections} current=${show} query=${query} />`} />`;
  }
  const tabs = html`<${Sections} current=${what} query=${new URLSearchParams()} />`;
  if (what === "maintenance") return html`<${Maintenance} tabs=${tabs} />`;
  if (what === "reports") return html`<${Reports} tabs=${tabs} />`;
  if (/^\d{1,15}$/.test(what)) return html`<${One} id=${what} key=${what} />`;
  return html`<${NotFound} />`;
}
