// One camera: added with a test before it is saved, or changed.

import { html, useEffect, useRef, useState } from "../../lib/html.js";
import { ApiError, request, streamPath } from "../../lib/api.js";
import { useAction, useAsked } from "../../lib/hooks.js";
import { t } from "../../lib/language.js";
import { live } from "../../lib/live.js";
import { cameFrom, go, link } from "../../lib/router.js";
import { Problem, Waiting, toast } from "../../parts/feedback.js";
import { useUnsaved } from "../../parts/unsaved.js";
import { Clash, shownValue } from "./clash.js";
import { draftOf, entryOf, mergePatch, needsPassword, probeOf, rebase, same, splitAddress } from "./draft.js";
import { press } from "./focus.js";
import { Main, More } from "./stream-fields.js";
import { Trial, useTrial } from "./trial.js";

const readEntry = async (id) => {
  const { value, etag } = await request("GET", streamPath(id));
  return { entry: value.config, name: value.name, etag };
};

/** A new camera, the first one of all with `first`; or, with `id`, one that is there. */
export function StreamForm({ first = false, id = null }) {
  if (id === null) return html`<${Form} first=${first} />`;
  return html`<${Existing} id=${id} />`;
}

/** The page of the form. */
export default function StreamPage({ id }) {
  const name = live.streams.get(id)?.name ?? id;
  return html`<header class="sub"><h2>${id ? t.settings.stream.edit(name) : t.settings.stream.add}</h2>
      <a class="button quiet" href=${id ? link("settings", "streams") : link("settings", "streams", "import")}>
        ${id ? t.settings.stream.all : t.settings.stream.many}</a></header>
    <${StreamForm} id=${id} />`;
}

function Existing({ id }) {
  const asked = useAsked(() => readEntry(id), [id]);
  if (!asked.data) return html`<${Waiting} asked=${asked} />`;
  if (!asked.data.entry) {
    return html`<p class="problem">${t.settings.stream.noEntry} <a href=${link("settings", "file")}>${t.settings.toFile}</a></p>`;
  }
  return html`<${Form} id=${id} stored=${asked.data} />`;
}

// The problem of a field that only this page can see.
const missing = (path, message) => new ApiError(422, "missing", t.settings.stream.incomplete, [{ path, message }]);

function Form({ first = false, id = null, stored = { entry: {}, etag: null } }) {
  const [base, setBase] = useState(stored);
  const [draft, setDraft] = useState(() => draftOf(stored.entry));
  const [clashes, setClashes] = useState([]);
  const [asks, setAsks] = useState(null);
  const [opened, setOpened] = useState(false);
  const trial = useTrial();
  const form = useRef(null);
  const pressed = useRef(null);
  const s = t.settings.stream;
  const dirty = !same(draft, draftOf(base.entry));
  const release = useUnsaved(dirty);

  const set = (key, value) => setDraft((before) => ({ ...before, [key]: value }));
  // A password that was pasted within the address goes where it is hidden.
  const leaveUrl = () => setDraft((before) => withSplitUrl(before));
  const body = probeOf(draft, base.entry, id);
  const key = JSON.stringify(body);
  const asBefore = id !== null && key === JSON.stringify(probeOf(draftOf(base.entry), base.entry, id));
  const fresh = trial.state === "done" && trial.key === key;
  const proven = fresh && trial.answer?.outcome === "ok";

  const check = (known, forSaving) => {
    if (!known.url.trim()) throw missing("url", s.missing.url);
    if (forSaving && !known.name.trim()) throw missing("name", s.missing.name);
    if (needsPassword(known, base.entry)) throw missing("password", s.missing.password);
  };
  const [save, saving, error, clear] = useAction(async () => {
    const known = withSplitUrl(draft);
    pressed.current = document.activeElement;
    setDraft(known);
    check(known, true);
    setAsks(null);
    const done = id === null ? await add(known) : await change(known);
    if (!done) return;
    await live.load().catch(() => {});
    release();
    toast(done.text);
    go(done.to);
  });

  const add = async (known) => {
    const { value } = await request("POST", "/api/streams", { body: entryOf(known) });
    return { text: s.added(value.name), to: link("streams", value.id) };
  };
  const change = async (known, turn = 0, from = base) => {
    const patch = mergePatch(from.entry, entryOf(known, from.entry));
    const back = cameFrom().startsWith(link("streams", id)) ? link("streams", id) : link("settings", "streams");
    const done = { text: s.changed(known.name), to: back };
    if (Object.keys(patch).length === 0) return done;
    try {
      await request("PATCH", streamPath(id), { body: patch, headers: { "If-Match": from.etag } });
      return done;
    } catch (problem) {
      if (problem.status !== 412 || turn > 2) throw problem;
    }
    // Somebody changed the file meanwhile: mostly another place of it.
    const now = await readEntry(id);
    if (!now.entry) throw new ApiError(422, "unreadable", s.unreadable);
    const { draft: rebased, clashes: found } = rebase(known, from.entry, now.entry);
    setBase(now);
    setDraft(rebased);
    setClashes(found);
    return found.length ? null : change(rebased, turn + 1, now);
  };

  const test = () => {
    const known = withSplitUrl(draft);
    setDraft(known);
    clear();
    try {
      check(known, false);
    } catch (problem) {
      setAsks(problem);
      return;
    }
    setAsks(null);
    trial.run(probeOf(known, base.entry, id));
  };

  const refused = asks ?? error;
  const told = refused ?? (fresh ? trial.error : null);
  const place = `streams[${id === null ? live.streams.size : [...live.streams.keys()].indexOf(id)}].`;
  const problem = (path) => problemAt(told, path, place);
  useEffect(() => {
    if (told) form.current?.querySelector("[aria-invalid=true]")?.focus();
  }, [told]);
  // The fields hold still meanwhile, and what holds still has no focus.
  useEffect(() => {
    if (!saving && document.activeElement === document.body) pressed.current?.focus();
  }, [saving]);
  const pin = (fingerprint) => {
    if (saving) return;
    set("tls_fingerprint", fingerprint);
    setOpened(true);
  };
  const fields = { draft, set, problem, leaveUrl };
  const saveFirst = proven || asBefore;
  const theirs = draftOf(base.entry);
  const without = (one) => setClashes((before) => before.filter((other) => other !== one));

  return html`<form class="form stream-form" ref=${form} novalidate onSubmit=${(event) => {
    event.preventDefault();
    if (trial.state === "running" || saving) return;
    if (saveFirst) save();
    else test();
  }}>
    <fieldset class="hold" disabled=${saving}><div class="fields box">
      ${first && html`<p class="hint">${s.firstHint}</p>`}
      <${Main} form=${fields} id=${id} />
      <${More} form=${fields} id=${id} open=${opened || inMore(told, place)} />
    </div></fieldset>
    <aside class="box"><${Trial} trial=${trial} stale=${!fresh} pin=${pin} hint=${id ? s.testHintEdit : s.testHint} /></aside>
    <${Clash} rows=${clashes.map((one) => ({
      key: one, label: s[one] ?? one, theirs: hidden(one, theirs[one]), mine: hidden(one, draft[one]),
    }))} take=${(one) => { if (!saving) { set(one, theirs[one]); without(one); } }} keep=${without} />
    <div class="buttons bar" data-waits=${dirty ? "" : null}>
      <${Problem} error=${beside(refused, place)} />
      ${!saveFirst && html`<p class="hint">${fresh ? s.failedYet : s.untested}</p>`}
      <a class="button quiet"
        href=${id ? link("settings", "streams") : first ? link("settings", "streams", "import") : link("settings", "streams")}>
        ${first ? s.many : t.cancel}</a>
      <button type=${saveFirst ? "submit" : "button"} class=${saveFirst ? "primary last" : ""} ...${press(saving, saveFirst ? null : () => save())}>
        ${saving ? t.saving : clashes.length ? t.settings.clash.overwrite : saveFirst ? t.save : s.saveAnyway}</button>
      <button type=${saveFirst ? "button" : "submit"} class=${saveFirst ? "" : "primary last"}
        ...${press(saving || trial.state === "running", saveFirst ? test : null)}>
        ${trial.state === "done" ? s.testAgain : s.test}</button>
    </div>
  </form>`;
}

function withSplitUrl(draft) {
  const { plain, info, user, password } = splitAddress(draft.url);
  if (info === null) return draft;
  return { ...draft, url: plain, username: user || draft.username, password: password || draft.password };
}

const hidden = (key, value) => (key === "password" ? (value ? "•••" : shownValue("")) : shownValue(value));

// Fields of this form by what the service calls them; a whole entry begins with `streams[3].`, a test does not.
function problemAt(error, path, place) {
  if (error?.code === "stream_exists") return path === (/ id /.test(error.message) ? "id" : "name") ? error.message : undefined;
  return (error?.details ?? []).find((detail) => detail?.path === path || detail?.path === place + path)?.message;
}

const MAIN = ["url", "username", "password", "name", "group", "tags"];
const MORE = ["id", "enabled", "heartbeat_seconds", "timeout_seconds", "transport", "tls_verify", "tls_fingerprint", "ca_file",
  "parent", "checks.", "expect."];
const within = (detail, place) => detail?.path?.replace(place, "");
const inMore = (error, place) => (error?.details ?? [])
  .some((detail) => MORE.some((key) => within(detail, place)?.startsWith(key)))
  || (error?.code === "stream_exists" && / id /.test(error.message));

// What no field shows.
function beside(error, place) {
  if (error?.code === "stream_exists") return null;
  if (!(error instanceof ApiError)) return error;
  const isField = (detail) => [...MAIN, ...MORE].some((key) => within(detail, place)?.startsWith(key));
  const rest = (error.details ?? []).filter((detail) => !isField(detail));
  if (error.details?.length && rest.length === 0) return new ApiError(error.status, error.code, t.settings.seeFields);
  return new ApiError(error.status, error.code, error.message, rest);
}
