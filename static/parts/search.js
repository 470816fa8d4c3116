// A field to search with: "/" leads to it, Escape empties it.

import { html, useEffect, useRef } from "../lib/html.js";
import { Labelled } from "./fields.js";

/** `<${Search} label="…" value=${text} onValue=${set} />`; `slash` false where another field has the key. */
export function Search({ label, value, onValue, slash = true, ...rest }) {
  const input = useRef(null);
  useEffect(() => {
    if (!slash) return undefined;
    const listen = (event) => {
      const typing = event.target.closest?.("input, textarea, select, [contenteditable]");
      if (event.key !== "/" || typing || event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
      event.preventDefault();
      input.current?.focus();
    };
    window.addEventListener("keydown", listen);
    return () => window.removeEventListener("keydown", listen);
  }, [slash]);
  return html`<${Labelled} label=${label}>${(attributes) => html`
    <input ...${attributes} ref=${input} type="search" value=${value} autocapitalize="none" autocomplete="off" spellcheck="false"
      onInput=${(event) => onValue(event.currentTarget.value)}
      onKeyDown=${(event) => {
        // What is found is there already; a form around this is not sent by it.
        if (event.key === "Enter") event.preventDefault();
        if (event.key !== "Escape" || !value) return;
        event.preventDefault();
        event.stopPropagation();
        onValue("");
      }} ...${rest} />`}<//>`;
}

/** True when every word of `wanted` is somewhere in the texts, upper and lower case alike. */
export function hasWords(wanted, texts) {
  const words = wanted.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return true;
  const all = texts.filter(Boolean).join("\n").toLowerCase();
  return words.every((word) => all.includes(word));
}
