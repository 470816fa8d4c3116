// Who changed what, newest first.

import { html, useEffect, useState } from "../../lib/html.js";
import { get } from "../../lib/api.js";
import { dateTime } from "../../lib/format.js";
import { useAction } from "../../lib/hooks.js";
import { t } from "../../lib/language.js";
import { Empty, Problem } from "../../parts/feedback.js";
import { Icon } from "../../parts/icon.js";
import { Search, hasWords } from "../../parts/search.js";
import { press } from "./focus.js";

const PAGE = 100;
// There is one of each, and the words before say which.
const NAMELESS = ["config.yaml", "jwt-secret"];
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d/;

export default function Audit() {
  const [entries, setEntries] = useState(null);
  const [cursor, setCursor] = useState(null);
  const [wanted, setWanted] = useState("");
  const s = t.settings.audit;
  const [more, busy, error] = useAction(async (from) => {
    const answer = await get(`/api/audit?limit=${PAGE}${from ? `&cursor=${encodeURIComponent(from)}` : ""}`);
    setEntries((before) => [...((from && before) || []), ...answer.entries]);
    setCursor(answer.next_cursor);
  });
  useEffect(() => { more(null); }, []);
  if (!entries) return error ? html`<${Problem} error=${error} retry=${() => more(null)} />` : html`<p class="waiting"
    role="status">${t.loading}</p>`;
  const shown = entries
    .map((entry) => ({ ...entry, said: detailsOf(entry.details), done: s.actions[entry.action] ?? entry.action }))
    .filter(({ by, done, action, target, said, address }) => hasWords(wanted, [by, done, action, target, said, address]));
  return html`
    <header class="sub"><h2>${s.title}</h2><button type="button" ...${press(busy, () => more(null))}>${s.reload}</button></header>
    <p class="hint">${s.text}</p>
    <${Problem} error=${error} />
    <div class="box">${entries.length === 0 ? html`<${Empty} icon="report" title=${s.noneTitle}><p>${s.noneText}</p><//>` : html`
      <div class="find"><${Icon} name="search" /><${Search} label=${s.search} placeholder=${s.search} value=${wanted}
        onValue=${setWanted} /></div>
      <div class="scroll" role="region" aria-label=${s.title} tabindex="0"><table class="audit stacks">
        <caption class="unseen">${s.title}</caption>
        <thead><tr><th scope="col">${s.at}</th><th scope="col">${s.by}</th><th scope="col">${s.what}</th>
          <th scope="col">${s.details}</th>
          <th scope="col">${s.from}</th></tr></thead>
        <tbody>${shown.map((entry) => html`<tr key=${entry.id}>
          <td><time datetime=${entry.at}>${dateTime(entry.at)}</time></td><td data-label=${s.by}>${entry.by}</td>
          <td>${entry.done} ${!NAMELESS.includes(entry.target) && html`<b>${entry.target}</b>`}</td>
          <td class="said">${entry.said}</td><td data-label=${s.from}>${entry.address ?? s.commandLine}</td></tr>`)}</tbody>
      </table></div>
      ${shown.length === 0 && html`<p class="hint">${t.settings.streams.nothing(wanted)}</p>`}
      ${cursor && html`<p><button type="button" ...${press(busy, () => more(cursor))}>${busy ? t.loading : s.more}</button></p>`}`}
    </div>`;
}

/** `{"keys": ["url"], "role": "viewer"}` as "changed: url · role: viewer". */
function detailsOf(details) {
  const there = (value) => (value ?? null) !== null && !(Array.isArray(value) && value.length === 0);
  return Object.entries(details ?? {}).filter(([, value]) => there(value))
    .map(([key, value]) => `${t.settings.audit.keys[key] ?? key}: ${detailOf(value)}`).join(" · ");
}

function detailOf(value) {
  if (Array.isArray(value)) return value.map(detailOf).join(", ");
  if (typeof value === "object") return JSON.stringify(value);
  return typeof value === "string" && TIME.test(value) ? dateTime(value) : String(value);
}
