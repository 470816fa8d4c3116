// A text to be taken elsewhere: shown once, copied by a click.

import { html, useRef, useState } from "../lib/html.js";
import { t } from "../lib/language.js";
import { Labelled } from "./fields.js";
import { Icon } from "./icon.js";

/** `navigator.clipboard` is there under TLS only; the old way works everywhere. */
async function copy(field) {
  field.select();
  try {
    await navigator.clipboard.writeText(field.value);
    return true;
  } catch {
    return document.execCommand("copy");
  }
}

export function Copyable({ label, hint, value }) {
  const field = useRef(null);
  const [done, setDone] = useState(null);
  const run = async () => setDone(await copy(field.current) ? t.copied : t.notCopied);
  return html`<${Labelled} label=${label} hint=${hint}>${(attributes) => html`<div class="copyable">
    <input ...${attributes} ref=${field} class="mono" readonly value=${value}
      onFocus=${(event) => event.currentTarget.select()} />
    <button type="button" onClick=${run}><${Icon} name="copy" /> ${t.copy}</button>
    <span role="status">${done}</span>
  </div>`}<//>`;
}
