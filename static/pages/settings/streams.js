// All cameras, also those that are switched off, and what can be done with one or many of them.

import { html, useEffect, useMemo, useRef, useState } from "../../lib/html.js";
import { ApiError, patch, remove, streamPath } from "../../lib/api.js";
import { useAction } from "../../lib/hooks.js";
import { t } from "../../lib/language.js";
import { live, useList } from "../../lib/live.js";
import { editLink } from "../../lib/places.js";
import { go, link } from "../../lib/router.js";
import { Empty, Problem, ask, sentenceOf, toast } from "../../parts/feedback.js";
import { Icon } from "../../parts/icon.js";
import { Search, hasWords } from "../../parts/search.js";
import { State, shownState } from "../../parts/state.js";
import { readConfig } from "./config.js";
import { download, listAsCsv } from "./csv.js";
import { press, removing } from "./focus.js";

const ROWS = 100;
// Changes in one request.
const AT_ONCE = 1000;

const textsOf = (stream) => [stream.id, stream.name, stream.group, ...stream.tags, stream.url, t.states[shownState(stream)]];

/** All or none of them. */
async function change(changes, from) {
  let etag = from;
  for (let at = 0; at < changes.length; at += AT_ONCE) {
    const answer = await patch("/api/config", changes.slice(at, at + AT_ONCE), { "If-Match": etag });
    if (from !== "*") ({ etag } = answer);
  }
}

async function enable(ids, enabled) {
  // By id, so it does not matter what else changed in the file.
  if (ids.length === 1) await patch(streamPath(ids[0]), { enabled });
  else await change(ids.map((id) => ({ path: `streams["${id}"].enabled`, value: enabled })), "*");
  await live.load();
}

async function removeAll(list) {
  if (list.length === 1) await remove(streamPath(list[0].id));
  else {
    // By their places in a file that nobody changes meanwhile, the last one first: each removal moves those behind it.
    const { etag, values } = await readConfig();
    const names = (values?.streams ?? []).map((entry) => String(entry.name ?? "").trim());
    const places = list.map((stream) => names.indexOf(stream.name)).sort((a, b) => b - a);
    if (places.includes(-1)) {
      await live.load();
      throw new ApiError(412, "config_changed", t.settings.streams.changed);
    }
    await change(places.map((at) => ({ path: `streams[${at}]`, remove: true })), etag);
  }
  await live.load();
}

export default function Streams() {
  const streams = useList();
  const [wanted, setWanted] = useState("");
  const [chosen, setChosen] = useState(() => new Set());
  const [first, setFirst] = useState(0);
  const [work, setWork] = useState(null);
  const s = t.settings.streams;

  const found = [...streams.values()].filter((stream) => hasWords(wanted, textsOf(stream)));
  const from = first < found.length ? first : 0;
  const picked = found.filter((stream) => chosen.has(stream.id));

  const [run, busy, error] = useAction((action) => action());
  const names = (list) => (list.length === 1 ? list[0].name : s.cameras(list.length));
  const table = useRef(null);
  const toggle = (list, enabled) => busy || run(async () => {
    const ids = list.filter((stream) => stream.enabled !== enabled).map((stream) => stream.id);
    if (ids.length === 0) return;
    await enable(ids, enabled);
    toast((enabled ? s.resumed : s.paused)(names(list), list.length), {
      // It may be pressed on another page.
      undo: () => enable(ids, !enabled).catch((problem) => toast(sentenceOf(problem), { kind: "failed" })),
    });
  });
  // The stored password is shown to nobody, so nobody could put it back: this is asked before, and not undone after.
  const drop = async (list) => {
    if (busy) return;
    const sure = await ask({ title: s.removeTitle(names(list)), text: s.removeText(list.length), action: t.settings.remove });
    if (!sure) return;
    run(() => removing(table, list.map((stream) => stream.id), async () => {
      await removeAll(list);
      setChosen(new Set());
      toast(s.removed(names(list)));
    }));
  };
  const acts = { toggle, drop, work: setWork, pick: (id, on) => setChosen((before) => withOrWithout(before, id, on)) };
  const latest = useRef(acts);
  latest.current = acts;
  const rows = useRows(found.slice(from, from + ROWS), chosen, latest);

  if (live.loaded && streams.size === 0) {
    return html`<div class="box"><${Empty} title=${s.noneTitle}><p>${s.noneText}</p>
      <p class="buttons"><a class="button primary" href=${link("settings", "streams", "new")}>${s.add}</a>
        <a class="button" href=${link("settings", "streams", "import")}>${s.import}</a></p><//></div>`;
  }
  return html`
    <div class="toolbar">
      <div class="find"><${Icon} name="search" /><${Search} label=${s.search} placeholder=${s.search} value=${wanted}
        onValue=${(text) => { setWanted(text); setFirst(0); }} /></div>
      <span class="hint" role="status">${wanted.trim() ? s.foundOf(found.length, streams.size) : s.cameras(streams.size)}</span>
      <div class="buttons">
        <button type="button" onClick=${() => download("streams.csv", listAsCsv([...streams.values()]))}>
          <${Icon} name="download" /> ${s.export}</button>
        <a class="button" href=${link("settings", "streams", "import")}><${Icon} name="upload" /> ${s.import}</a>
        <a class="button primary" href=${link("settings", "streams", "new")}><${Icon} name="plus" /> ${s.add}</a>
      </div>
    </div>
    <${Problem} error=${error} />
    <div class="box list">
      <div class="bulk" role="group" aria-label=${s.bulk}>
        <${All} found=${found} picked=${picked} set=${setChosen} />
        ${picked.length > 0 && html`<div class="buttons">
          <button type="button" ...${press(busy, () => toggle(picked, false))}>
            <${Icon} name="pause" /> ${s.pause}</button>
          <button type="button" ...${press(busy, () => toggle(picked, true))}>
            <${Icon} name="play" /> ${s.resume}</button>
          <button type="button" onClick=${() => setWork(picked)}><${Icon} name="clock" /> ${s.maintenance}</button>
          <button type="button" ...${press(busy, () => drop(picked))}>
            <${Icon} name="trash" /> ${t.settings.remove}</button>
        </div>`}
      </div>
      <table class="streams" ref=${table}>
        <caption class="unseen">${s.cameras(streams.size)}</caption>
        <thead><tr><th scope="col"><span class="unseen">${s.select}</span></th><th scope="col">${s.name}</th>
          <th scope="col">${s.state}</th>
          <th scope="col">${s.group}</th><th scope="col">${s.address}</th><th scope="col">${s.heartbeat}</th>
          <th scope="col"><span class="unseen">${t.settings.actions}</span></th></tr></thead>
        <tbody>${rows}</tbody>
      </table>
      ${found.length === 0 && html`<p class="hint">${s.nothing(wanted)}</p>`}
      ${found.length > ROWS && html`<${Pager} from=${from} all=${found.length} go=${setFirst} />`}
    </div>
    <p class="hint">${s.heartbeats} <a href="/api/export.csv" download>${s.heartbeatsCsv}</a></p>
    ${work && html`<${Work} list=${work} close=${() => setWork(null)} />`}`;
}

function withOrWithout(set, id, on) {
  const next = new Set(set);
  if (on) next.add(id);
  else next.delete(id);
  return next;
}

// A thousand rows at once would make every step of the page slow.
function Pager({ from, all, go: turn }) {
  const s = t.settings.streams;
  const to = Math.min(all, from + ROWS);
  const step = (next) => {
    turn(next);
    window.scrollTo(0, 0);
  };
  return html`<nav class="pager" aria-label=${s.pages}>
    <button type="button" class="icon-only" aria-label=${s.before} ...${press(from === 0, () => step(from - ROWS))}>
      <${Icon} name="back" /></button>
    <span>${s.rows(from + 1, to, all)}</span>
    <button type="button" class="icon-only" aria-label=${s.after} ...${press(to === all, () => step(from + ROWS))}>
      <${Icon} name="next" /></button>
  </nav>`;
}

function All({ found, picked, set }) {
  const box = useRef(null);
  const all = found.length > 0 && picked.length === found.length;
  useEffect(() => { box.current.indeterminate = picked.length > 0 && !all; }, [picked.length, all]);
  const change = (event) => set(new Set(event.currentTarget.checked ? found.map((stream) => stream.id) : []));
  return html`<label class="all"><input type="checkbox" ref=${box} checked=${all} onChange=${change} />
    ${picked.length ? t.settings.streams.picked(picked.length) : t.settings.streams.pickAll}</label>`;
}

const shownOf = (stream) => [stream.name, shownState(stream), stream.group, stream.tags, stream.url, stream.heartbeat_seconds].join("\n");

// With a thousand streams and two lists a second: a row that says the same is the same row, and nothing looks into it.
function useRows(shown, chosen, acts) {
  const kept = useMemo(() => new Map(), []);
  return shown.map((stream) => {
    const picked = chosen.has(stream.id);
    const said = shownOf(stream);
    const before = kept.get(stream.id);
    if (before?.said === said && before.picked === picked) return before.row;
    const row = html`<${Row} key=${stream.id} stream=${stream} picked=${picked} acts=${acts} />`;
    kept.set(stream.id, { said, picked, row });
    return row;
  });
}

function Row({ stream, picked, acts }) {
  const s = t.settings.streams;
  const { name } = stream;
  const button = (icon, text, act) => html`<button type="button" class="quiet icon-only" aria-label=${`${name}: ${text}`}
    title=${text}
    onClick=${act}><${Icon} name=${icon} /></button>`;
  return html`<tr data-key=${stream.id}>
    <td class="pick"><input type="checkbox" aria-label=${s.pickOne(name)} checked=${picked}
      onChange=${(event) => acts.current.pick(stream.id, event.currentTarget.checked)} /></td>
    <th scope="row"><a href=${link("streams", stream.id)}>${name}</a></th>
    <td class="is"><${State} state=${shownState(stream)} /></td>
    <td class="of-group">${stream.group} ${stream.tags.map((tag) => html`<span class="tag" key=${tag}>${tag}</span> `)}</td>
    <td class="address"><code title=${stream.url}>${stream.url}</code></td>
    <td class="beat">${s.every(stream.heartbeat_seconds)}</td>
    <td class="acts"><div class="buttons">
      <a class="button quiet icon-only" aria-label=${`${name}: ${s.edit}`} title=${s.edit} href=${editLink(stream.id)}>
        <${Icon} name="edit" /></a>
      ${button("clock", s.maintenance, () => acts.current.work([stream]))}
      ${stream.enabled ? button("pause", s.pause, () => acts.current.toggle([stream], false))
        : button("play", s.resume, () => acts.current.toggle([stream], true))}
      ${button("trash", t.settings.remove, () => acts.current.drop([stream]))}
    </div></td>
  </tr>`;
}

// Announcing work belongs to the incidents; without it, its page is the next best place.
function Work({ list, close }) {
  const [Shown, setShown] = useState(null);
  useEffect(() => {
    import("../incidents/maintenance-dialog.js").then(
      (part) => setShown(() => part.MaintenanceDialog),
      () => {
        close();
        go(link("incidents", "maintenance"));
      });
  }, []);
  return Shown && html`<${Shown} streams=${list.map((stream) => stream.id)} onClose=${close} />`;
}
