// The lines of an import as they were understood, with what is wrong with each and what a test of it found.

import { html, useState } from "../../lib/html.js";
import { t } from "../../lib/language.js";
import { Icon } from "../../parts/icon.js";

const ROWS = 100;

export function Preview({ rows, left, pick, results, refused, disabled }) {
  const [limit, setLimit] = useState(ROWS);
  const s = t.settings.import;
  const good = rows.filter((row) => !row.problem);
  return html`
    <div class="scroll"><table class="preview stacks">
      <caption class="unseen">${s.found(rows.length, rows.length - good.length)}</caption>
      <thead><tr>
        <th scope="col"><input type="checkbox" aria-label=${s.pickAll} disabled=${disabled}
          checked=${good.length > 0 && good.every((row) => !left.has(row.line))}
          onChange=${(event) => pick(good, event.currentTarget.checked)} /></th>
        <th scope="col" class="number">${s.line}</th><th scope="col">${t.settings.streams.name}</th>
          <th scope="col">${t.settings.streams.address}</th>
        <th scope="col">${s.user}</th><th scope="col">${s.groupAndTags}</th><th scope="col">${s.result}</th></tr></thead>
      <tbody>${rows.slice(0, limit).map((row) => html`<tr key=${row.line}
        data-wrong=${row.problem || refused.has(row.line) ? "" : null}>
        <td><input type="checkbox" aria-label=${s.pickOne(row.line, row.name)} disabled=${disabled || Boolean(row.problem)}
          checked=${!row.problem && !left.has(row.line)} onChange=${(event) => pick([row], event.currentTarget.checked)} /></td>
        <td class="number">${row.line}</td>
        <th scope="row">${row.name}</th>
        <td class="address"><code>${row.url}</code></td>
        <td>${row.user}${row.password && html` <span class="hint">${s.withPassword}</span>`}</td>
        <td>${row.group} ${row.tags.map((tag) => html`<span class="tag" key=${tag}>${tag}</span> `)}</td>
        <td><${Said} row=${row} result=${results.get(row.line)} refused=${refused.get(row.line)} /></td>
      </tr>`)}</tbody>
    </table></div>
    ${rows.length > limit && html`<p><button type="button"
      onClick=${() => setLimit(rows.length)}>${t.settings.streams.more(rows.length - limit)}</button></p>`}`;
}

function Said({ row, result, refused }) {
  const wrong = row.problem ?? refused;
  if (wrong) return html`<span class="said" data-state="down"><${Icon} name="down" /> ${wrong}</span>`;
  const state = result && (result.ok ? (result.issue ? "degraded" : "up") : "down");
  return html`
    ${result && html`<span class="said" data-state=${state}><${Icon} name=${state}
      label=${t.states[state]} /> ${result.text}</span>`}
    ${result?.more && html`<p class="hint">${result.more}</p>`}
    ${row.remark && html`<p class="hint">${row.remark}</p>`}`;
}
