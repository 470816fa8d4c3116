// Role and groups of an account or a token.

import { html, useMemo } from "../../lib/html.js";
import { t } from "../../lib/language.js";
import { Choice } from "../../parts/fields.js";
import { knownGroups } from "./stream-fields.js";

/** `value` is `{role, groups}`, groups null for every stream. */
export function RoleFields({ value: { role, groups }, onValue, problem }) {
  // Groups that no stream has any more must be seen to be taken away.
  const known = useMemo(() => [...new Set([...knownGroups(), ...(groups ?? [])])].sort(), []);
  const s = t.settings.users;
  const put = (next) => onValue({ role, groups, ...next });
  const setRole = (next) => put({ role: next, groups: next === "admin" ? null : groups });
  const tick = (group, on) => put({ groups: on ? [...groups, group] : groups.filter((one) => one !== group) });
  return html`
    <${Choice} label=${s.role} name="role" hint=${s.may[role]} value=${role} onValue=${setRole}
      options=${Object.entries(t.roles)} />
    ${role !== "admin" && html`<fieldset class="groups"
      aria-describedby=${problem ? "groups-problem" : null}><legend>${s.sees}</legend>
      <label><input type="radio" name="sees" checked=${groups === null}
        onChange=${() => put({ groups: null })} /> ${s.everyStream}</label>
      <label><input type="radio" name="sees" checked=${groups !== null} disabled=${known.length === 0}
        onChange=${() => put({ groups: groups ?? [] })} /> ${s.onlyGroups}</label>
      ${groups !== null && html`<div class="ticks">${known.map((group) => html`<label key=${group}><input type="checkbox"
        checked=${groups.includes(group)}
        onChange=${(event) => tick(group, event.currentTarget.checked)} /> ${group}</label>`)}</div>`}
      ${known.length === 0 && html`<p class="hint">${s.noGroups}</p>`}
      ${problem && html`<p class="wrong" id="groups-problem">${problem}</p>`}
    </fieldset>`}`;
}

/** Groups as a table shows them. */
export const Groups = ({ role, groups }) => (groups === null
  ? html`<span class="hint">${role === "admin" ? t.settings.users.everything : t.settings.users.everyStream}</span>`
  : groups.map((group) => html`<span class="tag" key=${group}>${group}</span> `));

/** Nothing chosen means nothing seen, which nobody means. */
export const groupsProblem = (groups) => (groups?.length === 0 ? t.settings.users.chooseGroup : null);
