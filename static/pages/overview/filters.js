// The line above the wall: what is looked for, and how it is shown.

import { html, useLayoutEffect, useRef } from "../../lib/html.js";
import { t } from "../../lib/language.js";
import { Icon } from "../../parts/icon.js";
import { ORDER } from "../../parts/state.js";

export const VIEWS = ["cards", "dense", "table"];

/** `set({key: value})` changes the filter; `shown` of `all` streams are to be seen. */
export function Filters({ filter, set, kinds, shown, all, view, setView }) {
  const search = useRef(null);
  // Before it can be seen: whoever sees it may use it.
  useLayoutEffect(() => {
    const listen = (event) => {
      const typing = /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName);
      if (event.key !== "/" || typing || event.ctrlKey || event.metaKey || document.querySelector("dialog[open]")) return;
      event.preventDefault();
      search.current?.focus();
    };
    window.addEventListener("keydown", listen);
    return () => window.removeEventListener("keydown", listen);
  }, []);
  const isFiltered = filter.q || filter.state || filter.group || filter.tag;
  const choice = (key, label, none, options) => html`<select aria-label=${label} value=${filter[key]}
    onChange=${(event) => set({ [key]: event.currentTarget.value })}>
    <option value="">${none}</option>
    ${options.map(([value, text]) => html`<option value=${value} selected=${filter[key] === value}>${text}</option>`)}
  </select>`;
  return html`<div class="filters" role="search">
    <label class="search"><${Icon} name="search" />
      <input ref=${search} type="search" aria-label=${t.overview.search} placeholder=${t.overview.search} value=${filter.q}
        autocapitalize="none" spellcheck="false" onInput=${(event) => set({ q: event.currentTarget.value })}
        onKeyDown=${(event) => {
          if (event.key !== "Escape") return;
          set({ q: "" });
          event.currentTarget.blur();
        }} /></label>
    ${choice("state", t.overview.state, t.overview.anyState, ORDER.filter((state) => kinds.states[state] || state === filter.state)
      .map((state) => [state, `${t.states[state]} (${kinds.states[state] ?? 0})`]))}
    ${kinds.groups.length > 0 && choice("group", t.overview.group, t.overview.anyGroup, kinds.groups.map((one) => [one, one]))}
    ${kinds.tags.length > 0 && choice("tag", t.overview.tag, t.overview.anyTag, kinds.tags.map((one) => [one, one]))}
    ${isFiltered && html`<button type="button" class="quiet" onClick=${() => set({ q: "", state: "", group: "", tag: "" })}>
      ${t.overview.clear(shown, all)}</button>`}
    <div class="views" role="group" aria-label=${t.overview.view}>
      ${VIEWS.map((one) => html`<button type="button" class="icon-only" aria-pressed=${String(one === view)}
        aria-label=${t.overview.views[one]} title=${t.overview.views[one]} onClick=${() => setView(one)}><${Icon} name=${one} /></button>`)}
      ${document.fullscreenEnabled && html`<button type="button" class="icon-only" aria-label=${t.overview.full} title=${t.overview.full}
        onClick=${() => document.documentElement.requestFullscreen().catch(() => {})}><${Icon} name="full" /></button>`}
    </div>
  </div>`;
}
