// The fields of a camera: what everyone needs, where its address is found, and the rest under "More".

import { html, useMemo, useRef } from "../../lib/html.js";
import { t } from "../../lib/language.js";
import { live } from "../../lib/live.js";
import { Choice, Labelled, Switch, TextField } from "../../parts/fields.js";
import { MAKERS, addressOf } from "./addresses.js";
import { CHECKS } from "./draft.js";

/** Groups that there are, for a field's list. */
export const knownGroups = () => [...new Set([...live.streams.values()].map((stream) => stream.group).filter(Boolean))].sort();

const fieldsOf = ({ draft, set, problem }) => (key, rest) => ({
  label: t.settings.stream[key], hint: t.settings.stream.hints[key], name: key, value: draft[key], problem: problem(key),
  onValue: (value) => set(key, value), ...rest,
});

/** `form` has `draft`, `set(key, value)`, `problem(key)`, `leaveUrl()`. */
export function Main({ form, id }) {
  const { draft, set } = form;
  const s = t.settings.stream;
  const groups = useMemo(knownGroups, []);
  const url = useRef(null);
  const field = fieldsOf(form);
  const takeMaker = (maker) => {
    const host = s.someHost;
    const address = addressOf(maker, draft.url, host);
    set("url", address);
    requestAnimationFrame(() => {
      const at = address.indexOf(host);
      url.current.focus();
      if (at > 0) url.current.setSelectionRange(at, at + host.length);
    });
  };
  return html`
    <${TextField} ...${field("url", { inputRef: url, inputmode: "url", placeholder: "rtsp://192.0.2.10/stream1", class: "mono",
      onBlur: form.leaveUrl, required: true, autocomplete: "off" })} />
    <details class="more"><summary>${s.where}</summary>
      <p class="hint">${s.whereHint}</p>
      <ul class="makers">${MAKERS.map((maker) => html`<li key=${maker[0]}>
        <button type="button"
          onClick=${() => takeMaker(maker)}><b>${maker[0]}</b>${" "}
          <code>${maker[2] && `:${maker[2]}`}${maker[3]}</code></button></li>`)}</ul>
      <p class="hint">${s.whereElse}</p>
    </details>
    <div class="pair">
      <${TextField} ...${field("username", { autocomplete: "off" })} />
      <${TextField} ...${field("password", { type: "password", autocomplete: "new-password",
        placeholder: draft.kept ? s.keptPassword : "", hint: draft.kept ? s.hints.kept : null })} />
    </div>
    <${TextField} ...${field("name", { required: true, hint: id ? s.hints.rename(id) : null, autocapitalize: "sentences" })} />
    <div class="pair">
      <${TextField} ...${field("group", { list: "known-groups" })} />
      <${TextField} ...${field("tags")} />
    </div>
    <datalist id="known-groups">${groups.map((group) => html`<option value=${group} />`)}</datalist>`;
}

/** What a camera needs seldom. It is open when a problem is in it. */
export function More({ form, id, open }) {
  const { draft, problem } = form;
  const s = t.settings.stream;
  const others = useMemo(() => [...live.streams.values()].filter((stream) => stream.id !== id), [id]);
  const field = fieldsOf(form);
  const number = (key, rest) => field(key, { inputmode: "decimal", autocomplete: "off", ...rest });
  const tls = /^\s*(rtsps|https):/i.test(draft.url);
  return html`<details class="more" open=${open || undefined}><summary>${s.more}</summary>
    <div class="form">
      <${Switch} ...${field("enabled")} />
      <div class="pair">
        <${TextField} ...${number("heartbeat_seconds", { placeholder: s.asFile })} />
        <${TextField} ...${number("timeout_seconds", { placeholder: s.asFile })} />
        <${Choice} ...${field("transport", { options: Object.entries(s.transports) })} />
      </div>
      <fieldset><legend>${s.tls}</legend>
        ${!tls && html`<p class="hint">${s.noTls}</p>`}
        <${TextField} ...${field("tls_fingerprint", { class: "mono", autocomplete: "off" })} />
        <${TextField} ...${field("ca_file", {
          class: "mono", autocomplete: "off", placeholder: "/etc/streampulse/camera-ca.pem",
        })} />
        <${Switch} ...${field("tls_verify")} />
        ${!draft.tls_verify && html`<p class="loud" role="note">${s.noVerify}</p>`}
      </fieldset>
      <div class="pair">
        <${Choice} ...${field("parent", { options: parents(draft.parent, others, s.noParent) })} />
        ${!id && html`<${TextField} ...${field("id", { class: "mono", autocomplete: "off" })} />`}
      </div>
      <fieldset><legend>${s.checks}</legend>
        <p class="hint">${s.checksHint}</p>
        ${Object.entries(CHECKS).map(([name, limits]) => html`<${Check} key=${name} form=${form} name=${name}
          limits=${limits} />`)}
      </fieldset>
      <fieldset><legend>${s.expect}</legend>
        <p class="hint">${s.expectHint}</p>
        <div class="pair">
          <${Choice} ...${field("codec", {
            options: [["", s.any], ...Object.entries(t.codecs)], problem: problem("expect.codec"),
          })} />
          <${TextField} ...${number("width", { placeholder: s.any, problem: problem("expect.width") })} />
          <${TextField} ...${number("height", { placeholder: s.any, problem: problem("expect.height") })} />
        </div>
      </fieldset>
    </div>
  </details>`;
}

// A parent may be written by name, and one that is gone must not vanish from the choice.
function parents(current, others, none) {
  const options = others.map((stream) => [stream.name === current ? current : stream.id, stream.name]);
  if (current && !options.some(([value]) => value === current)) options.unshift([current, current]);
  return [["", none], ...options];
}

function Check({ form, name, limits: [standard, from, to, unit] }) {
  const { draft, set, problem } = form;
  const { on, limit } = draft.checks[name];
  const change = (next) => set("checks", { ...draft.checks, [name]: { on, limit, ...next } });
  const s = t.settings.stream;
  return html`<div class="check">
    <${Switch} label=${t.issues[name].title} hint=${s.checkHints[name]} name=${`checks.${name}`} value=${on}
      onValue=${(value) => change({ on: value })} />
    ${standard !== null && on && html`<${Labelled} label=${s.units[unit]} name=${`checks.${name}.limit`}
      problem=${problem(`checks.${name}`)}>
      ${(attributes) => html`<input ...${attributes} inputmode="decimal" size="6"
        aria-label=${`${t.issues[name].title}: ${s.units[unit]}`}
        placeholder=${standard} title=${s.range(from, to)} value=${limit}
          onInput=${(event) => change({ limit: event.currentTarget.value })} />`}<//>`}
  </div>`;
}
