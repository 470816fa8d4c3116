// What people say of an incident: that they have seen it, a note, what was done.

import { html, useEffect, useRef, useState } from "../../lib/html.js";
import { patch, post } from "../../lib/api.js";
import { useAction } from "../../lib/hooks.js";
import { t } from "../../lib/language.js";
import { Dialog } from "../../parts/dialog.js";
import { BusyButton, Problem, ask, sentenceOf, toast } from "../../parts/feedback.js";
import { TextArea } from "../../parts/fields.js";
import { useUnsaved } from "../../parts/unsaved.js";
import { whatOf } from "./words.js";

const LONGEST = 2000;

/** The guard of a dialog: asks before something that was typed is lost. */
export const mayClose = (changed) => async () => !changed
  || ask({ title: t.incidents.notSaved, text: t.incidents.keepTyping, action: t.incidents.discard });

/**
 * For a dialog with fields: while something is typed, "back" and closing the tab ask first; a dialog does not stay over another
 * page. Gives what lets go of it, for right before it closes by itself.
 */
export function useTyped(changed, onClose) {
  const release = useUnsaved(changed);
  const close = useRef(onClose);
  close.current = onClose;
  useEffect(() => {
    const left = () => close.current();
    window.addEventListener("hashchange", left);
    return () => window.removeEventListener("hashchange", left);
  }, []);
  return release;
}

/**
 * The texts of an incident under somebody's hands: `{values, typed, theirs, set}`. What was not touched follows what others
 * write; `typed` has the fields that differ from what was there at first, `theirs` those that others changed meanwhile.
 */
function useTexts(incident, names) {
  const now = Object.fromEntries(names.map((name) => [name, incident[name] ?? ""]));
  const [first] = useState(now);
  const [texts, setTexts] = useState({});
  const typed = Object.fromEntries(Object.entries(texts).filter(([name, text]) => text !== first[name]));
  const theirs = Object.fromEntries(names.filter((name) => name in typed && now[name] !== first[name] && now[name] !== typed[name])
    .map((name) => [name, now[name]]));
  return {
    now, typed, theirs, values: { ...now, ...typed }, set: (name) => (text) => setTexts((before) => ({ ...before, [name]: text })),
  };
}

const trimmed = (texts) => Object.fromEntries(Object.entries(texts).map(([name, text]) => [name, text.trim()]));

function Remark({ name, label, hint, texts, ...rest }) {
  return html`<${TextArea} label=${label} hint=${hint} name=${name} rows="3" maxlength=${LONGEST}
      value=${texts.values[name]} onValue=${texts.set(name)} ...${rest} />
    <div role="status">${name in texts.theirs && html`<p class="hint inc-theirs">${texts.theirs[name]
      ? t.incidents.changedMeanwhile(texts.theirs[name]) : t.incidents.removedMeanwhile}</p>`}</div>`;
}

function Buttons({ busy, text, onClose }) {
  return html`<div class="buttons">
    <button type="button" onClick=${() => onClose()}>${t.cancel}</button>
    <${BusyButton} class="primary" busy=${busy}>${busy ? t.saving : text}<//></div>`;
}

/** Says that it was seen. `taken(incident)` gets it as it is then; `onClose` gets true when it was done. */
export function Acknowledge({ incident, taken = () => {}, onClose }) {
  const texts = useTexts(incident, ["note"]);
  const changed = "note" in texts.typed;
  const release = useTyped(changed, onClose);
  const [run, busy, error] = useAction(async () => {
    taken(await post(`/api/incidents/${incident.id}/acknowledge`, trimmed(texts.typed)));
    toast(t.incidents.nowAcknowledged(whatOf(incident)));
    release();
    onClose(true);
  });
  return html`<${Dialog} title=${t.incidents.acknowledgeThis(whatOf(incident))} onClose=${() => onClose()} guard=${mayClose(changed)}>
    <form class="form" onSubmit=${(event) => { event.preventDefault(); if (!busy) run(); }}>
      <p class="hint">${t.incidents.acknowledgeHint}</p>
      <${Remark} label=${t.incidents.note} hint=${t.incidents.noteHint} name="note" texts=${texts} autofocus />
      <${Problem} error=${error} />
      <${Buttons} busy=${busy} text=${t.incidents.acknowledge} onClose=${onClose} />
    </form><//>`;
}

/** Writes note and action, of these what was changed; what was there before can be brought back. */
export function EditRemarks({ incident, taken = () => {}, onClose }) {
  const texts = useTexts(incident, ["note", "action"]);
  const changed = Object.keys(texts.typed).length > 0;
  const release = useTyped(changed, onClose);
  const [run, busy, error] = useAction(async () => {
    const path = `/api/incidents/${incident.id}`;
    if (changed) {
      const before = Object.fromEntries(Object.keys(texts.typed).map((name) => [name, texts.now[name]]));
      taken(await patch(path, trimmed(texts.typed)));
      toast(t.incidents.saved, {
        undo: () => patch(path, before).then(taken, (problem) => toast(sentenceOf(problem), { kind: "failed" })),
      });
    }
    release();
    onClose();
  });
  return html`<${Dialog} title=${t.incidents.editNotes} onClose=${() => onClose()} guard=${mayClose(changed)}>
    <form class="form" onSubmit=${(event) => { event.preventDefault(); if (!busy) run(); }}>
      <${Remark} label=${t.incidents.note} hint=${t.incidents.noteHint} name="note" texts=${texts} autofocus />
      <${Remark} label=${t.incidents.action} hint=${t.incidents.actionHint} name="action" texts=${texts} />
      <${Problem} error=${error} />
      <${Buttons} busy=${busy} text=${t.save} onClose=${onClose} />
    </form><//>`;
}
