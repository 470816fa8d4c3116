// What is said to whoever did something: what went wrong, that it is done, that there is nothing.

import { html, render, useEffect, useState } from "../lib/html.js";
import { ApiError } from "../lib/api.js";
import { t } from "../lib/language.js";
import { Icon } from "./icon.js";

/** The sentence of an error: that of the service, or that it did not answer. */
export function sentenceOf(error) {
  if (error instanceof ApiError) return error.message;
  return error instanceof TypeError || error?.name === "TimeoutError" ? t.noAnswer : String(error?.message ?? error);
}

/** An error with all its details; nothing without one. */
export function Problem({ error, retry }) {
  if (!error) return null;
  const details = (error.details ?? []).filter((detail) => detail?.message && detail.message !== error.message);
  return html`<div class="problem" role="alert">
    <p>${sentenceOf(error)}</p>
    ${details.length > 0 && html`<ul>${details.map((detail) => html`
      <li>${detail.path && html`<code>${detail.path}</code>`} ${detail.message}</li>`)}</ul>`}
    ${retry && html`<button type="button" onClick=${retry}>${t.tryAgain}</button>`}
  </div>`;
}

/** What stands where something will be: `asked` is what `useAsked` gives. */
export function Waiting({ asked }) {
  if (asked.error && asked.data === undefined) return html`<${Problem} error=${asked.error} retry=${asked.reload} />`;
  if (asked.data === undefined) return html`<p class="waiting" role="status">${t.loading}</p>`;
  return null;
}

/** A button that keeps the focus while what it began goes on: presses do nothing then. Without `onClick` it sends its form. */
export function BusyButton({ busy, onClick, children, ...rest }) {
  const press = (event) => {
    if (busy) event.preventDefault();
    else onClick?.(event);
  };
  return html`<button type=${onClick ? "button" : "submit"} ...${rest} aria-disabled=${busy ? "true" : null}
    onClick=${press}>${children}</button>`;
}

/** Nothing there, why, and what to do. `whole`: there is nothing else on the page. */
export function Empty({ icon = "mark", title, whole = false, children }) {
  return html`<div class="empty"><${Icon} name=${icon} class="large" />
    ${whole ? html`<h1>${title}</h1>` : html`<h2>${title}</h2>`}${children}</div>`;
}

const toasts = new Set();
let shown = [];

function setShown(next) {
  shown = next;
  toasts.forEach((update) => update(shown));
}

/** Says for some seconds that something is done; `undo` offers to take it back. */
export function toast(text, { undo, kind = "done" } = {}) {
  const one = { text, undo, kind };
  setShown([...shown.slice(-2), one]);
  setTimeout(() => setShown(shown.filter((other) => other !== one)), undo ? 12_000 : 5000);
}

/** Where toasts appear: once in the frame. */
export function Toasts() {
  const [list, update] = useState(shown);
  useEffect(() => {
    toasts.add(update);
    return () => toasts.delete(update);
  }, []);
  return html`<div class="toasts" role="status" aria-live="polite">${list.map((one) => html`
    <div class="toast" data-kind=${one.kind} key=${one}>
      <span>${one.text}</span>
      ${one.undo && html`<button type="button" onClick=${() => {
        setShown(shown.filter((other) => other !== one));
        one.undo();
      }}>${t.undo}</button>`}
    </div>`)}</div>`;
}

/** Asks before something that cannot be undone: true when it is to be done. */
export function ask({ title, text, action, danger = true }) {
  return new Promise((resolve) => {
    const place = document.createElement("div");
    document.body.append(place);
    const before = document.activeElement;
    let answered = false;
    const answer = (value) => {
      if (answered) return;
      answered = true;
      render(null, place);
      place.remove();
      before?.focus?.();
      resolve(value);
    };
    function Question() {
      return html`<dialog class="dialog small" ref=${(node) => node && !node.open && node.showModal()}
        aria-labelledby="question" onCancel=${() => answer(false)} onClose=${() => answer(false)}>
        <form method="dialog" onSubmit=${(event) => { event.preventDefault(); answer(true); }}>
          <h2 id="question">${title}</h2>
          <p>${text}</p>
          <div class="buttons">
            <button type="button" onClick=${() => answer(false)}>${t.cancel}</button>
            <button class=${danger ? "danger" : "primary"}>${action}</button>
          </div>
        </form>
      </dialog>`;
    }
    render(html`<${Question} />`, place);
  });
}
