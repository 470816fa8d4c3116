// Chooses streams from the list: found by name, group and tag, chosen by ticking.

import { html, useState } from "../lib/html.js";
import { t } from "../lib/language.js";
import { live, useList } from "../lib/live.js";
import { byName } from "../lib/names.js";
import { Icon } from "./icon.js";
import { Search, hasWords } from "./search.js";

const MOST_SHOWN = 60;
const MOST_CHIPS = 12;

/** `chosen` is a Set of ids, `onChosen` gets another one. */
export function Picker({ chosen, onChosen }) {
  const [text, setText] = useState("");
  const streams = byName(useList());
  const found = streams.filter((stream) => hasWords(text, [stream.name, stream.id, stream.group, ...stream.tags]));
  const shown = found.slice(0, MOST_SHOWN);
  const set = (ids, on) => {
    const next = new Set(chosen);
    for (const id of ids) {
      if (on) next.add(id);
      else next.delete(id);
    }
    onChosen(next);
  };
  const missing = found.filter(({ id }) => !chosen.has(id));
  const names = [...chosen].map((id) => [id, live.streams.get(id)?.name ?? id]);
  return html`<div class="picker">
    <${Search} label=${t.maintenance.search} value=${text} onValue=${setText} slash=${false}
      autofocus=${matchMedia("(pointer: fine)").matches} />
    <div class="picker-foot">
      <p class="hint" role="status">${chosen.size > 0 ? t.maintenance.chosen(chosen.size) : t.maintenance.noneChosen}</p>
      ${missing.length > 1 && html`<button type="button" class="quiet" onClick=${() => set(found.map(({ id }) => id), true)}>
        ${t.maintenance.chooseFound(found.length)}</button>`}
      ${chosen.size > 0 && html`<button type="button" class="quiet" onClick=${() => onChosen(new Set())}>
        ${t.maintenance.clearChosen}</button>`}
    </div>
    ${names.length > 0 && names.length <= MOST_CHIPS && html`<p class="picker-chosen">${names.map(([id, name]) => html`
      <button type="button" key=${id} aria-label=${t.maintenance.takeOut(name)} onClick=${() => set([id], false)}>
        ${name} <${Icon} name="close" /></button>`)}</p>`}
    <div class="picker-list">${shown.map((stream) => html`
      <label key=${stream.id}><input type="checkbox" checked=${chosen.has(stream.id)}
        onChange=${(event) => set([stream.id], event.currentTarget.checked)} />
        <span>${stream.name}</span>${stream.group && html`<span class="tag">${stream.group}</span>`}</label>`)}
      ${found.length === 0 && html`<p class="hint">${t.maintenance.noneFound}</p>`}
      ${found.length > shown.length && html`<p class="hint">${t.maintenance.moreFound(found.length - shown.length)}</p>`}
    </div>
  </div>`;
}
