// Settings of config.yaml as a form: only what was changed is sent, what is not set shows its default, and a file that changed on
// disk meanwhile costs nothing that was typed.

import { html, useEffect, useRef, useState } from "../../lib/html.js";
import { ApiError } from "../../lib/api.js";
import { useAction, useAsked } from "../../lib/hooks.js";
import { t } from "../../lib/language.js";
import { link } from "../../lib/router.js";
import { Problem, Waiting, toast } from "../../parts/feedback.js";
import { useUnsaved } from "../../parts/unsaved.js";
import { Clash, shownValue } from "./clash.js";
import { readConfig, saveConfig, valueAt } from "./config.js";
import { HIDDEN, numberOf, same } from "./draft.js";
import { press } from "./focus.js";

/** How a value of the file becomes what its field shows, and back; undefined is "not set". */
export const KINDS = {
  number: { shown: (value) => (value ?? null) === null ? "" : String(value), meant: numberOf },
  text: { shown: (value) => value ?? "", meant: (text) => String(text).trim() || undefined },
  choice: { shown: (value) => (value ?? null) === null ? "" : String(value), meant: numberOf },
  switch: { shown: (value, standard) => value ?? standard, meant: (on) => on },
  list: { shown: (value) => (value ?? []).join("\n"), meant: (text) => nothingOf(linesOf(text)) },
  items: { shown: (value) => value ?? [], meant: (items) => nothingOf(items.map(itemOf)) },
  secret: { shown: () => "", meant: (text) => text },
};

const linesOf = (text) => text.split("\n").map((line) => line.trim()).filter(Boolean);

const MEANT = { host: (text) => text.trim(), sessions: (text) => numberOf(text) ?? "" };
const itemOf = (item) => Object.fromEntries(Object.entries(item).map(([key, value]) => [key, MEANT[key]?.(value) ?? value]));

function nothingOf(list) {
  return list.length ? list : undefined;
}

/**
 * `keys` is `{path: [kind, default]}`. Of what it gives: `shown(path)` is for the field, `set(path, shown)` takes it back,
 * `reset(path)` makes it the default, and `value(path)` is what the file would have after saving.
 */
export function useConfigForm(keys, saved = async () => {}) {
  const [base, setBase] = useState(null);
  const [typed, setTyped] = useState({});
  const [clashes, setClashes] = useState([]);
  const [warnings, setWarnings] = useState([]);
  const asked = useAsked(async () => {
    const read = await readConfig();
    setBase(read);
    return read;
  }, []);

  const stored = (path, from = base) => valueAt(from?.values, path);
  const kind = (path) => KINDS[keys[path][0]];
  const value = (path) => (path in typed ? typed[path].value : stored(path));
  const isChange = ([path, { value: next }]) => !same(next, stored(path));
  // As it was typed: a blank or a new line at its end means nothing yet, and is not to vanish under the hands.
  const put = (path, next) => setTyped((before) => ({ ...before, [path]: next }));
  const set = (path, shown) => {
    // A secret is never shown, so an empty field is one that was left alone.
    if (keys[path][0] === "secret" && shown === "") setTyped(({ [path]: _, ...rest }) => rest);
    else put(path, { shown, value: kind(path).meant(shown) });
  };
  const reset = (path) => put(path, { shown: kind(path).shown(undefined, keys[path][1]), value: undefined });
  const discard = (path) => {
    setTyped(({ [path]: _, ...rest }) => rest);
    setClashes((before) => before.filter((one) => one !== path));
  };
  // Null rather than taking the line out: a comment beside the value stays.
  const changes = Object.entries(typed).filter(isChange).map(([path, { value: next }]) => ({ path, value: next ?? null }));

  const [save, busy, error, clear] = useAction(async () => {
    let from = base;
    let merged = false;
    const sent = typed;
    for (let turn = 0; ; turn += 1) {
      try {
        const answer = await saveConfig(from.etag, changes);
        setWarnings(answer.warnings);
        break;
      } catch (problem) {
        if (problem.status !== 412 || turn > 2) throw problem;
      }
      const now = await readConfig();
      merged = true;
      const found = changes.filter(({ path, value: mine }) => {
        const theirs = stored(path, now);
        return !same(stored(path, from), theirs) && !same(mine, theirs);
      });
      from = now;
      setBase(now);
      setClashes(found.map(({ path }) => path));
      if (found.length) return;
    }
    setBase(await readConfig());
    // What was typed meanwhile is the next change.
    setTyped((now) => Object.fromEntries(Object.entries(now).filter(([path, one]) => !same(one, sent[path]))));
    setClashes([]);
    toast(merged ? t.settings.savedMerged : t.settings.saved);
    await saved(changes);
  });

  useUnsaved(changes.length > 0);
  return {
    asked, base, value, set, reset, changes, save, busy, warnings, clashes, discard,
    keep: (path) => setClashes((before) => before.filter((one) => one !== path)),
    error,
    revert: () => { setTyped({}); setClashes([]); clear(); },
    shown: (path) => (path in typed ? typed[path].shown : kind(path).shown(stored(path), keys[path][1])),
    isTyped: (path) => path in typed && isChange([path, typed[path]]),
    isSet: (path) => (value(path) ?? null) !== null,
    isStored: (path) => (stored(path) ?? null) !== null,
    standard: (path) => keys[path][1],
    problem: (path) => (error?.details ?? [])
      .find((detail) => detail?.path === path || detail?.path?.startsWith(`${path}[`))?.message,
    has: (path) => path in keys,
  };
}

/** The form around the fields: waiting, problems, and what is not saved yet. */
export function ConfigForm({ form, children }) {
  const place = useRef(null);
  const { error } = form;
  useEffect(() => {
    if (error) place.current?.querySelector("[aria-invalid=true]")?.focus();
  }, [error]);
  if (!form.base) {
    if (form.asked.error?.status !== 422) return html`<${Waiting} asked=${form.asked} />`;
    return html`<div class="problem" role="alert"><p>${form.asked.error.message}</p>
      <p>${t.settings.fileHasProblems} <a href=${link("settings", "file")}>${t.settings.toFile}</a></p></div>`;
  }
  const rows = form.clashes.map((path) => ({
    key: path, label: labelOf(path),
    theirs: masked(path, form, valueAt(form.base.values, path)), mine: masked(path, form, form.value(path)),
  }));
  const changed = form.changes.length;
  return html`<form class="form config" ref=${place} novalidate
    onSubmit=${(event) => { event.preventDefault(); if (changed && !form.busy) form.save(); }}>
    ${children}
    <${Clash} rows=${rows} take=${form.discard} keep=${form.keep} />
    ${form.warnings.length > 0 && html`<div class="problem warning" role="status"><p>${t.settings.savedWithWarnings}</p>
      <ul>${form.warnings.map((one) => html`<li><code>${one.path}</code> ${one.message}</li>`)}</ul></div>`}
    <div class="buttons bar" data-waits=${changed ? "" : null}>
      <${Problem} error=${beside(form)} />
      <p class="hint" role="status">${changed ? t.settings.unsaved(changed) : t.settings.nothingToSave}</p>
      <button type="button" class="quiet" ...${press(!changed || form.busy, form.revert)}>${t.settings.revert}</button>
      <button class="primary last" ...${press(!changed || form.busy)}>${form.busy ? t.saving : rows.length ? t.settings.clash.overwrite : t.save}</button>
    </div>
  </form>`;
}

/** The label of a setting, its hint. */
export const labelOf = (path) => t.settings.keys[path]?.[0] ?? path;
export const hintOf = (path) => t.settings.keys[path]?.[1];

function masked(path, form, value) {
  const isSecret = typeof value === "string" && (value === HIDDEN || /password|token/.test(path));
  return isSecret ? "•••" : shownValue(value ?? form.standard(path));
}

// What no field shows.
function beside({ error, has }) {
  if (!(error instanceof ApiError) || !error.details?.length) return error;
  const rest = error.details.filter((detail) => !has(detail?.path?.replace(/\[.*$/, "") ?? ""));
  return new ApiError(error.status, error.code, rest.length ? error.message : t.settings.seeFields, rest);
}
