// Many cameras at once: pasted or from a file, looked at line by line, tried if one likes, and added all together or not at all.

import { html, useEffect, useMemo, useRef, useState } from "../../lib/html.js";
import { ApiError, patch } from "../../lib/api.js";
import { useAction } from "../../lib/hooks.js";
import { t } from "../../lib/language.js";
import { live, useList } from "../../lib/live.js";
import { go, link } from "../../lib/router.js";
import { Problem, toast } from "../../parts/feedback.js";
import { TextArea } from "../../parts/fields.js";
import { Icon } from "../../parts/icon.js";
import { useUnsaved } from "../../parts/unsaved.js";
import { readConfig } from "./config.js";
import { textOf } from "./csv.js";
import { focusLater, press } from "./focus.js";
import { camerasOf, entryOfCamera, judge } from "./import-lines.js";
import { Preview } from "./import-table.js";
import { useTrials } from "./trials.js";

// Changes in one request, which is all or none.
const MOST = 1000;

export default function Import() {
  const streams = useList();
  const [text, setText] = useState("");
  // By content: true is taken, false left out; what is not in it is as it comes.
  const [choice, setChoice] = useState(() => new Map());
  const [refused, setRefused] = useState(new Map());
  const picker = useRef(null);
  const trials = useTrials();
  const release = useUnsaved(text.trim() !== "");
  const s = t.settings.import;

  // The list changes with every heartbeat; only who is in it matters here.
  const known = [...streams.values()].map((stream) => `${stream.name}\n${stream.url}`).join("\n\n");
  const rows = useMemo(() => judge(camerasOf(text), streams.values()), [text, known]);
  useEffect(() => {
    trials.clear();
    setRefused(new Map());
  }, [text]);
  const left = new Set(rows.filter((row) => !(choice.get(row.key) ?? !row.again)).map((row) => row.line));
  const good = rows.filter((row) => !row.problem);
  const taken = good.filter((row) => !left.has(row.line));
  const wrong = rows.length - good.length;

  const [open, opening, unreadable] = useAction(async (file) => setText(await textOf(file)));
  const [add, adding, error] = useAction(async () => {
    setRefused(new Map());
    const { etag, values } = await readConfig();
    const before = values?.streams?.length ?? 0;
    try {
      await patch("/api/config", taken.map((row) => ({ path: "streams[]", value: entryOfCamera(row) })), { "If-Match": etag });
    } catch (problem) {
      setRefused(byLine(problem, before, taken));
      throw problem;
    }
    await live.load().catch(() => {});
    release();
    toast(s.added(taken.length));
    go(link("settings", "streams"));
  });
  const pick = (list, on) => setChoice((was) => new Map([...was, ...list.map((row) => [row.key, on])]));

  const leaveFailed = () => pick(rows.filter((row) => trials.results.get(row.line)?.ok === false), false);

  // The one that was pressed is gone then.
  const toTest = () => focusLater(() => document.querySelector(".bar .test"));

  return html`
    <header class="sub"><h2>${s.title}</h2><a class="button quiet"
      href=${link("settings", "streams")}>${t.settings.stream.all}</a></header>
    <div class="box form">
      <p>${s.text}</p>
      <pre class="sample">${s.sample}</pre>
      <p class="hint">${s.hint}</p>
      <${TextArea} label=${s.lines} name="lines" rows="8" wrap="off" value=${text} onValue=${setText}
        disabled=${adding || trials.running} />
      <div class="buttons">
        <input type="file" class="unseen" ref=${picker} accept=".csv,.tsv,.txt,text/csv,text/plain" tabindex="-1"
          aria-hidden="true"
          onChange=${(event) => {
            const [file] = event.currentTarget.files;
            if (file) open(file);
            event.currentTarget.value = "";
          }} />
        <button type="button" ...${press(opening || adding, () => picker.current.click())}>
          <${Icon} name="upload" /> ${s.file}</button>
        <span class="hint" role="status">${rows.length > 0 && s.found(rows.length, wrong)}</span>
      </div>
      <${Problem} error=${unreadable} />
    </div>
    ${rows.length > 0 && html`<div class="box list">
      <${Preview} rows=${rows} left=${left} pick=${pick} results=${trials.results} refused=${refused} disabled=${adding} />
      <${Problem} error=${error && beside(error, refused)} />
      ${taken.length > MOST && html`<p class="wrong">${s.tooMany(taken.length, MOST)}</p>`}
      ${trials.running && html`<div class="progress"><progress max=${trials.wanted} value=${trials.results.size}
        aria-label=${s.testing} />
        <span role="status">${s.tested(trials.results.size, trials.wanted)}</span>
        <button type="button" onClick=${() => { trials.stop(); toTest(); }}>${s.stop}</button></div>`}
      <div class="buttons bar">
        ${trials.results.size > 0 && !trials.running && html`<p class="hint"
          role="status">${s.outcome(count(trials.results, true), count(trials.results, false))}
          ${count(trials.results, false) > 0 && html` <button type="button" class="quiet"
            onClick=${() => { leaveFailed(); toTest(); }}>${s.leaveFailed}</button>`}</p>`}
        <button type="button" class="test"
          ...${press(trials.running || adding || !taken.length, () => trials.run(taken))}>
          ${trials.results.size ? s.testAgain : s.test}</button>
        <button type="button" class="primary last"
          ...${press(adding || trials.running || !taken.length || taken.length > MOST, () => add())}>
          ${adding ? t.saving : s.add(taken.length)}</button>
      </div>
    </div>`}`;
}

const count = (results, ok) => [...results.values()].filter((result) => result.ok === ok).length;

// `streams[17].url` is the third line that was sent, when there were fifteen before.
function byLine(error, before, taken) {
  const found = new Map();
  for (const detail of error.details ?? []) {
    const row = taken[Number(/^streams\[(\d+)\]/.exec(detail?.path ?? "")?.[1] ?? -1) - before];
    if (row) found.set(row.line, [found.get(row.line), detail.message].filter(Boolean).join("; "));
  }
  return found;
}

function beside(error, refused) {
  if (!(error instanceof ApiError) || refused.size === 0) return error;
  return new ApiError(error.status, error.code, t.settings.import.refused(refused.size));
}
