// config.yaml itself: its problems marked at the line, and nothing typed lost when the file changes on disk.

import { html, useEffect, useRef, useState } from "../../lib/html.js";
import { get, put, request } from "../../lib/api.js";
import { useAction } from "../../lib/hooks.js";
import { t } from "../../lib/language.js";
import { live } from "../../lib/live.js";
import { readZone } from "../../lib/session.js";
import { Problem, toast } from "../../parts/feedback.js";
import { TextArea } from "../../parts/fields.js";
import { useUnsaved } from "../../parts/unsaved.js";
import { Conflict } from "./conflict.js";
import { Editor } from "./editor.js";
import { focusLater, press } from "./focus.js";

const WATCH_MS = 5000;

async function readFile() {
  const { value, etag } = await request("GET", "/api/config");
  return { text: value ?? "", etag };
}

export default function File() {
  const [base, setBase] = useState(null);
  const [text, setText] = useState("");
  const [problems, setProblems] = useState([]);
  const [warnings, setWarnings] = useState([]);
  const [theirs, setTheirs] = useState(null);
  // Texts that gave way to what is on disk.
  const [kept, setKept] = useState([]);
  const [use, setUse] = useState(null);
  const goTo = useRef(() => {});
  const s = t.settings.file;
  const dirty = base !== null && text !== base.text;
  useUnsaved(dirty || kept.length > 0);
  const now = useRef({});
  now.current = { base, text, dirty, theirs };

  const take = (read) => {
    setBase(read);
    setText(read.text);
    setTheirs(null);
    setProblems([]);
  };
  const [load, loading, unread] = useAction(async () => take(await readFile()));
  const [save, saving, error, clear] = useAction(async (over = null) => {
    setProblems([]);
    setWarnings([]);
    const mine = now.current.text;
    try {
      const answer = await put("/api/config", mine, { "If-Match": (over ?? now.current.base).etag });
      // Read again: what was a password when it was typed is `***` from now on.
      take(await readFile());
      setWarnings(answer.warnings);
      toast(t.settings.saved);
      await Promise.all([readZone(), live.load()]).catch(() => {});
      watch();
    } catch (problem) {
      if (problem.status === 412) {
        meet(await readFile());
        return;
      }
      if (problem.status === 422) setProblems(problem.details ?? []);
      throw problem;
    }
  });
  // Another file on disk: whoever has typed nothing just sees it.
  const meet = (read) => {
    const { base: had, text: mine, dirty: typed } = now.current;
    if (read.etag === had.etag) return;
    if (!typed || read.text === mine) take(read);
    else setTheirs(read);
  };

  const seen = useRef(null);
  const watch = async () => {
    try {
      const { configuration } = await get("/api/health");
      setUse(configuration ?? null);
      const changed = seen.current !== null && configuration?.read_at !== seen.current;
      seen.current = configuration?.read_at ?? null;
      if (changed && now.current.base) meet(await readFile());
    } catch {
      // The frame says that the service does not answer.
    }
  };
  useEffect(() => {
    load();
    watch();
    const timer = setInterval(() => document.hidden || watch(), WATCH_MS);
    return () => clearInterval(timer);
  }, []);

  const type = (next, caretLine) => {
    const delta = next.split("\n").length - now.current.text.split("\n").length;
    if (delta) setProblems((list) => list.map((one) => (one.line ? { ...one, line: moved(one.line, caretLine, delta) } : one)));
    setText(next);
  };
  if (!base) return unread ? html`<${Problem} error=${unread} retry=${load} />` : html`<p class="waiting"
    role="status">${t.loading}</p>`;
  const toEditor = () => focusLater(() => document.querySelector(".editor textarea"));
  const giveWay = (read) => {
    clear();
    setKept([text, ...kept.filter((one) => one !== text)]);
    take(read);
    toEditor();
  };
  const forget = (one) => {
    setKept(kept.filter((other) => other !== one));
    toEditor();
  };
  // What was typed since takes its place.
  const putBack = (one) => {
    clear();
    setProblems([]);
    setKept(kept.flatMap((other) => (other !== one ? [other] : dirty && text !== one ? [text] : [])));
    setText(one);
    toEditor();
  };
  const onDisk = dirty || !use || use.ok ? [] : use.problems.map(lineOf);
  return html`
    <header class="sub filebar" data-waits=${dirty ? "" : null}><h2>${s.title}</h2>
      <p class="hint" role="status">${dirty ? s.changed : s.same}</p>
      <div class="buttons">
        <button type="button" class="quiet" ...${press(!dirty || saving || loading, () => giveWay(base))}>${t.settings.revert}</button>
        <button type="button" class="primary" ...${press(!dirty || saving || Boolean(theirs), () => save())}>
          ${saving ? t.saving : t.save}</button>
      </div>
      <div id="file-problems">
        ${problems.length > 0 && html`<div class="problem" role="alert"><p>${s.refused(problems.length)}</p>
          <${List} list=${problems} goTo=${goTo} /></div>`}
        ${!problems.length && html`<${Problem} error=${error} />`}
        ${warnings.length > 0 && html`<div class="problem warning" role="status"><p>${t.settings.savedWithWarnings}</p>
          <${List} list=${warnings} goTo=${goTo} /></div>`}
      </div>
    </header>
    <p class="hint">${s.text}</p>
    ${use && !use.ok && html`<div class="problem" role="alert"><p><b>${s.notInUse}</b> ${s.notInUseText}</p>
      <${List} list=${use.problems.map(lineOf)} goTo=${goTo} /></div>`}
    ${use?.ok && use.warnings.length > 0 && !warnings.length && html`<div class="problem warning"><p>${s.warnings}</p>
      <${List} list=${use.warnings.map(lineOf)} goTo=${goTo} /></div>`}
    ${theirs && html`<${Conflict} theirs=${theirs.text} mine=${text} saving=${saving}
      take=${() => giveWay(theirs)} over=${() => { save(theirs).finally(toEditor); }} />`}
    <${Editor} label=${s.title} text=${text} onText=${type} problems=${problems.length ? problems : onDisk} goTo=${goTo}
      describedby="file-problems" disabled=${saving} onSave=${() => dirty && !theirs && !saving && save()} />
    ${kept.map((one) => html`<section class="box" key=${one}><h2>${s.keptTitle}</h2><p class="hint">${s.keptText}</p>
      <${TextArea} label=${s.keptTitle} name="kept" rows="10" wrap="off" readonly value=${one} onValue=${() => {}}
        onFocus=${(event) => event.currentTarget.select()} />
      <div class="buttons"><button type="button" ...${press(saving, () => putBack(one))}>${s.putBack}</button>
        <button type="button" class="quiet" onClick=${() => forget(one)}>${s.forget}</button></div></section>`)}`;
}

// Where a line is after lines came or went at the caret.
function moved(line, caretLine, delta) {
  if (delta > 0) return line > caretLine - delta ? line + delta : line;
  return line > caretLine ? Math.max(caretLine, line + delta) : line;
}

/** "line 15: streams[2].url: unknown scheme" as the API's other problems are. */
function lineOf(text) {
  const found = /^line (\d+): (.*)$/s.exec(text);
  return found ? { line: Number(found[1]), message: found[2] } : { line: null, message: text };
}

function List({ list, goTo }) {
  return html`<ul>${list.map(({ line, path, message }) => html`<li>
    ${line && html`<button type="button" class="link" onClick=${() => goTo.current(line)}>${t.settings.file.line(line)}</button>`}
    ${path && html` <code>${path}</code>`} ${message}</li>`)}</ul>`;
}
