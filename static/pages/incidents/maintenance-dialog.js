// Announces work: on which streams, from when, for how long, and why.

import { html, useState } from "../../lib/html.js";
import { ApiError, post, remove } from "../../lib/api.js";
import { dateTime, fromField, shownZone, toField } from "../../lib/format.js";
import { useAction } from "../../lib/hooks.js";
import { t } from "../../lib/language.js";
import { live } from "../../lib/live.js";
import { me } from "../../lib/session.js";
import { Dialog } from "../../parts/dialog.js";
import { BusyButton, Problem, sentenceOf, toast } from "../../parts/feedback.js";
import { TextArea, TextField } from "../../parts/fields.js";
import { Picker } from "../../parts/picker.js";
import { mayClose, useTyped } from "./remarks.js";
import { tellWork, worksOn } from "./work.js";

const LONGEST_NOTE = 500;
const USUAL_MINUTES = 60;
const MINUTE_MS = 60_000;

/** Buttons of which one is pressed; `options` is `[[value, text], …]`. */
function Pick({ legend, value, onValue, options }) {
  return html`<fieldset class="choices"><legend>${legend}</legend>${options.map(([one, text]) => html`
    <button type="button" key=${one} aria-pressed=${String(one === value)} onClick=${() => onValue(one)}>${text}</button>`)}</fieldset>`;
}

/** Every stream, those that the caller sees where it has groups. */
export const everyStream = () => (me.groups ? t.maintenance.everySeen : t.maintenance.every);

/** What the form says, as the service takes it; what is wrong with it is thrown. */
function workOf({ which, chosen, start, begin, length, end, note }) {
  const wrong = (message) => { throw new ApiError(422, "bad_maintenance", message); };
  if (which === "some" && chosen.size === 0) wrong(t.maintenance.choose);
  if (start === "at" && !begin) wrong(t.maintenance.giveBegin);
  if (length === "until" && !end) wrong(t.maintenance.giveEnd);
  const from = start === "at" ? fromField(begin) : null;
  if (start === "at" && !from) wrong(t.maintenance.giveBegin);
  const until = length === "until" ? fromField(end) : null;
  if (length === "until" && !until) wrong(t.maintenance.giveEnd);
  const earliest = Math.max(live.now(), from ? Date.parse(from) : 0);
  if (until && Date.parse(until) <= earliest) wrong(t.maintenance.endAfter);
  return {
    streams: which === "all" ? [] : [...chosen],
    ...(from && { from }),
    ...(until ? { until } : { minutes: length }),
    ...(note.trim() && { note: note.trim() }),
  };
}

const sameIds = (one, other) => one.size === other.size && [...one].every((id) => other.has(id));

/**
 * `<${MaintenanceDialog} streams=${["gate"]} onClose=${(work) => …} />`: these streams are chosen already. `onClose` gets what was
 * announced, or nothing.
 */
export function MaintenanceDialog({ streams = [], onClose }) {
  const [first] = useState(() => ({
    which: "some",
    chosen: new Set(streams),
    start: "now",
    begin: toField(live.now() + 60 * MINUTE_MS),
    length: USUAL_MINUTES,
    end: toField(live.now() + 120 * MINUTE_MS),
    note: "",
  }));
  const [form, setForm] = useState(first);
  // One stream that was asked for is not looked for in a list of hundreds.
  const [unfolded, setUnfolded] = useState(streams.length === 0);
  const changed = Object.keys(first).some((name) => form[name] !== first[name] && name !== "chosen")
    || !sameIds(form.chosen, first.chosen);
  const release = useTyped(changed, onClose);
  const [run, busy, error, clear] = useAction(async () => {
    const work = await post("/api/maintenance", workOf(form));
    const what = worksOn(work);
    toast(Date.parse(work.from) > live.now() + MINUTE_MS
      ? t.maintenance.doneLater(what, dateTime(work.from)) : t.maintenance.done(what, dateTime(work.until)), {
      undo: () => remove(`/api/maintenance/${work.id}`).then(
        () => toast(t.maintenance.takenBack), (problem) => toast(sentenceOf(problem), { kind: "failed" })).finally(tellWork),
    });
    tellWork();
    release();
    onClose(work);
  });
  const set = (name) => (value) => {
    clear();
    setForm((before) => ({ ...before, [name]: value }));
  };
  const words = t.maintenance;
  const zone = words.zone(shownZone());
  return html`<${Dialog} title=${words.announce} onClose=${() => onClose()} guard=${mayClose(changed)}>
    <form class="form mnt-form" onSubmit=${(event) => { event.preventDefault(); if (!busy) run(); }}>
      <p class="hint">${words.hint}</p>
      <${Pick} legend=${words.which} value=${form.which} onValue=${set("which")}
        options=${[["some", words.some], ["all", everyStream()]]} />
      ${form.which === "some" && (unfolded
        ? html`<${Picker} chosen=${form.chosen} onChosen=${set("chosen")} />`
        : html`<p class="mnt-chosen"><b>${worksOn({ streams: [...form.chosen] })}</b>
            <button type="button" class="quiet" onClick=${() => setUnfolded(true)}>${words.change}</button></p>`)}
      <${Pick} legend=${words.begin} value=${form.start} onValue=${set("start")}
        options=${[["now", words.beginNow], ["at", words.beginAt]]} />
      ${form.start === "at" && html`<${TextField} label=${words.beginTime} hint=${zone} type="datetime-local" required
        value=${form.begin} onValue=${set("begin")} />`}
      <${Pick} legend=${words.howLong} value=${form.length} onValue=${set("length")}
        options=${[...words.lengths, ["until", words.until]]} />
      ${form.length === "until" && html`<${TextField} label=${words.untilTime} hint=${zone} type="datetime-local" required
        value=${form.end} onValue=${set("end")} />`}
      <${TextArea} label=${words.note} hint=${words.noteHint} name="note" rows="2" maxlength=${LONGEST_NOTE}
        value=${form.note} onValue=${set("note")} />
      <${Problem} error=${error} />
      <div class="buttons"><button type="button" onClick=${() => onClose()}>${t.cancel}</button>
        <${BusyButton} class="primary" busy=${busy}>${busy ? t.saving : words.submit}<//></div>
    </form><//>`;
}
