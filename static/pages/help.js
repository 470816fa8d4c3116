// What everything means, and how the service itself is.

import { html } from "../lib/html.js";
import { t } from "../lib/language.js";
import { link } from "../lib/router.js";
import { Tabs } from "../parts/tabs.js";
import { About } from "./help/about.js";
import { Legend } from "./help/legend.js";
import { NotFound } from "./not-found.js";

export default function Help({ parts, query }) {
  const [what] = parts;
  const current = what ?? "legend";
  const tabs = html`<${Tabs} label=${t.help.sections} current=${current} tabs=${[
    ["legend", t.help.tabs.legend, link("help")],
    ["about", t.help.tabs.about, link("help", "about")],
  ]} />`;
  if (what === undefined) return html`<${Legend} tabs=${tabs} query=${query} />`;
  if (what === "about") return html`<${About} tabs=${tabs} />`;
  return html`<${NotFound} />`;
}
