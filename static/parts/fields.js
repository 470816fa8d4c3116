// Fields of forms: a label, a hint, what is wrong with the value.

import { html, useRef } from "../lib/html.js";

let count = 0;

function useId(name) {
  const id = useRef(null);
  id.current ??= `field-${name ?? ""}-${count += 1}`;
  return id.current;
}

/** The label, hint and problem around one input; `children(attributes)` gives the input. */
export function Labelled({ label, hint, problem, name, children }) {
  const id = useId(name);
  const told = [hint && `${id}-hint`, problem && `${id}-problem`].filter(Boolean).join(" ");
  return html`<div class="field" data-problem=${problem ? "" : null}>
    <label for=${id}>${label}</label>
    ${children({ id, name, "aria-describedby": told || null, "aria-invalid": problem ? "true" : null })}
    ${hint && html`<p class="hint" id=${`${id}-hint`}>${hint}</p>`}
    ${problem && html`<p class="wrong" id=${`${id}-problem`}>${problem}</p>`}
  </div>`;
}

/** A line of text, a number, a password, a time: whatever `type` says. `onValue` gets the text. */
export function TextField({ label, hint, problem, name, value, onValue, type = "text", inputRef, ...rest }) {
  return html`<${Labelled} ...${{ label, hint, problem, name }}>${(attributes) => html`
    <input ...${attributes} ref=${inputRef} type=${type} value=${value ?? ""} autocapitalize="none" spellcheck="false"
      onInput=${(event) => onValue(event.currentTarget.value)} ...${rest} />`}<//>`;
}

/** Lines of text. */
export function TextArea({ label, hint, problem, name, value, onValue, ...rest }) {
  return html`<${Labelled} ...${{ label, hint, problem, name }}>${(attributes) => html`
    <textarea ...${attributes} value=${value ?? ""} spellcheck="false"
      onInput=${(event) => onValue(event.currentTarget.value)} ...${rest} />`}<//>`;
}

/** One of `options`: `[[value, text], …]`. */
export function Choice({ label, hint, problem, name, value, onValue, options, ...rest }) {
  return html`<${Labelled} ...${{ label, hint, problem, name }}>${(attributes) => html`
    <select ...${attributes} value=${value} onChange=${(event) => onValue(event.currentTarget.value)} ...${rest}>
      ${options.map(([one, text]) => html`<option value=${one} selected=${one === value}>${text}</option>`)}
    </select>`}<//>`;
}

/** Yes or no. */
export function Switch({ label, hint, name, value, onValue, ...rest }) {
  const id = useId(name);
  return html`<div class="field switch">
    <label for=${id}><input id=${id} name=${name} type="checkbox" role="switch" checked=${Boolean(value)}
      aria-describedby=${hint ? `${id}-hint` : null}
      onChange=${(event) => onValue(event.currentTarget.checked)} ...${rest} /><span>${label}</span></label>
    ${hint && html`<p class="hint" id=${`${id}-hint`}>${hint}</p>`}
  </div>`;
}

/** The problem of one path among the details of a refused change: "url" finds "streams[3].url" too. */
export function problemOf(error, path) {
  const found = (error?.details ?? []).find((detail) => detail?.path === path || detail?.path?.endsWith(`.${path}`));
  return found?.message;
}
