// The file changed on disk while somebody typed: both values side by side, and whoever typed chooses.

import { html, useEffect, useRef } from "../../lib/html.js";
import { t } from "../../lib/language.js";
import { focusLater } from "./focus.js";

/** `rows` is `[{key, label, theirs, mine}]`; `take(key)` puts theirs into the field, `keep(key)` leaves what was typed. */
export function Clash({ rows, take, keep }) {
  const box = useRef(null);
  // Both take the row away: the next one is to be chosen about, or the form is to be saved.
  const then = (choose) => {
    const form = box.current.closest("form");
    choose();
    focusLater(() => box.current?.querySelector("button") ?? form?.querySelector("button.last"));
  };
  useEffect(() => {
    if (rows.length) box.current?.focus();
  }, [rows.length > 0]);
  if (!rows.length) return null;
  return html`<section class="clash" ref=${box} tabindex="-1" aria-labelledby="clash">
    <h2 id="clash">${t.settings.clash.title}</h2>
    <p>${t.settings.clash.text}</p>
    <div class="scroll"><table>
      <thead><tr><th scope="col">${t.settings.clash.setting}</th><th scope="col">${t.settings.clash.theirs}</th>
        <th scope="col">${t.settings.clash.mine}</th><th scope="col">
          <span class="unseen">${t.settings.actions}</span></th></tr></thead>
      <tbody>${rows.map(({ key, label, theirs, mine }) => html`<tr key=${key}>
        <th scope="row">${label}</th><td><code>${theirs}</code></td><td><code>${mine}</code></td>
        <td><div class="buttons">
          <button type="button" onClick=${() => then(() => take(key))}
            aria-label=${`${label}: ${t.settings.clash.take}`}>${t.settings.clash.take}</button>
          <button type="button" onClick=${() => then(() => keep(key))}
            aria-label=${`${label}: ${t.settings.clash.keep}`}>${t.settings.clash.keep}</button>
        </div></td></tr>`)}</tbody>
    </table></div>
  </section>`;
}

/** A value for a person. */
export function shownValue(value) {
  if (value === undefined || value === null || value === "") return t.settings.notSet;
  if (typeof value === "boolean") return value ? t.settings.on : t.settings.off;
  if (Array.isArray(value)) return value.map(shownValue).join(", ");
  return typeof value === "object" ? Object.values(value).map(shownValue).join(" × ") : String(value);
}
