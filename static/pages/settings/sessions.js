// How many sessions at once a device takes: a row for each one that differs from what is found out by itself.

import { html, useMemo } from "../../lib/html.js";
import { t } from "../../lib/language.js";
import { live } from "../../lib/live.js";
import { Labelled } from "../../parts/fields.js";
import { Icon } from "../../parts/icon.js";
import { hintOf, labelOf } from "./config-form.js";
import { splitAddress } from "./draft.js";
import { hostOf } from "./import-lines.js";

const PATH = "devices";

const hostOfStream = (stream) => hostOf(splitAddress(stream.url ?? "").plain);

export function Sessions({ form }) {
  const items = form.shown(PATH);
  const s = t.settings.general;
  const hosts = useMemo(() => [...new Set([...live.streams.values()].map(hostOfStream))].sort(), []);
  const put = (next) => form.set(PATH, next);
  const change = (at, key, value) => put(items.map((item, n) => (n === at ? { ...item, [key]: value } : item)));
  const problem = (at, key) => (form.error?.details ?? [])
    .find((detail) => [`${PATH}[${at}].${key}`, `${PATH}[${at}]`].includes(detail?.path))?.message;
  return html`<section class="box" data-typed=${form.isTyped(PATH) ? "" : null}><h2>${labelOf(PATH)}</h2>
    <p class="hint">${hintOf(PATH)}</p>
    ${items.map((item, at) => html`<div class="device" key=${at}>
      <${Labelled} label=${s.host} problem=${problem(at, "host")}>${(attributes) => html`<input ...${attributes} list="hosts"
        autocapitalize="none"
        spellcheck="false" value=${item.host ?? ""}
          onInput=${(event) => change(at, "host", event.currentTarget.value)} />`}<//>
      <${Labelled} label=${s.sessions} problem=${problem(at, "sessions")}>${(attributes) => html`<input ...${attributes}
        inputmode="numeric" size="6"
        value=${item.sessions ?? ""}
          onInput=${(event) => change(at, "sessions", event.currentTarget.value)} />`}<//>
      <button type="button" class="quiet icon-only" aria-label=${s.removeDevice(item.host || at + 1)} title=${t.settings.remove}
        onClick=${() => put(items.filter((_, n) => n !== at))}><${Icon} name="trash" /></button>
    </div>`)}
    <datalist id="hosts">${hosts.map((host) => html`<option value=${host} />`)}</datalist>
    <div><button type="button" onClick=${() => put([...items, { host: "", sessions: "" }])}>
      <${Icon} name="plus" /> ${s.addDevice}</button></div>
  </section>`;
}
