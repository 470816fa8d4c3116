// One setting of config.yaml: its field, what it is when it is not set, and the way back to that.

import { html } from "../../lib/html.js";
import { t } from "../../lib/language.js";
import { Choice, Switch, TextArea, TextField } from "../../parts/fields.js";
import { shownValue } from "./clash.js";
import { hintOf, labelOf } from "./config-form.js";
import { focusLater } from "./focus.js";

// The button is gone then.
const toField = (path) => focusLater(() => document.querySelector(`[name="${path}"]`));

/** `kind` of the form's keys decides which; `options` are those of a choice. */
export function Setting({ form, path, kind = "text", options, ...rest }) {
  const standard = form.standard(path);
  const common = {
    label: labelOf(path), hint: hintOf(path), name: path, problem: form.problem(path), value: form.shown(path),
    onValue: (value) => form.set(path, value), ...rest,
  };
  const hasWay = form.isSet(path) && kind !== "switch" && standard !== null;
  const back = hasWay && t.settings.reset(shownValue(standard));
  return html`<div class="setting" data-typed=${form.isTyped(path) ? "" : null}>
    ${field(kind, common, standard, options)}
    ${back && html`<button type="button" class="quiet small"
      onClick=${() => { form.reset(path); toField(path); }}
      aria-label=${`${labelOf(path)}: ${back}`}>${back}</button>`}
  </div>`;
}

function field(kind, common, standard, options) {
  const placeholder = standard === null || standard === undefined ? t.settings.notSet : String(standard);
  if (kind === "switch") return html`<${Switch} ...${common} />${common.problem && html`<p class="wrong">${common.problem}</p>`}`;
  if (kind === "list") return html`<${TextArea} rows="3" wrap="off" ...${common} />`;
  if (kind === "choice") {
    const isKnown = common.value === "" || options.some(([value]) => value === common.value);
    const known = isKnown ? options : [...options, [common.value, common.value]];
    return html`<${Choice} ...${common}
      options=${[["", t.settings.byDefault(options.find(([value]) => value === standard)?.[1] ?? standard)], ...known]} />`;
  }
  const input = kind === "number" ? { inputmode: "decimal" } : {};
  return html`<${TextField} autocomplete="off" placeholder=${placeholder} ...${input} ...${common} />`;
}

/** A password or token: never shown; what is typed replaces it. */
export function SecretSetting({ form, path, ...rest }) {
  const stored = form.isStored(path);
  const gone = form.isTyped(path) && !form.isSet(path);
  const s = t.settings.secret;
  return html`<div class="setting" data-typed=${form.isTyped(path) ? "" : null}>
    <${TextField} label=${labelOf(path)} hint=${gone ? s.goes : hintOf(path)} name=${path} problem=${form.problem(path)}
      type="password"
      autocomplete="new-password" placeholder=${gone ? t.settings.notSet : stored ? s.stored : t.settings.notSet}
      value=${form.shown(path)} onValue=${(value) => form.set(path, value)} ...${rest} />
    ${stored && !gone && html`<button type="button" class="quiet small" onClick=${() => { form.reset(path); toField(path); }}
      aria-label=${`${labelOf(path)}: ${s.remove}`}>${s.remove}</button>`}
    ${gone && html`<button type="button" class="quiet small" onClick=${() => { form.discard(path); toField(path); }}
      aria-label=${`${labelOf(path)}: ${s.keep}`}>${s.keep}</button>`}
  </div>`;
}
