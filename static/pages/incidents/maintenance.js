// Announced work, and which streams are worked on.

import { html, useEffect, useState } from "../../lib/html.js";
import { get, remove } from "../../lib/api.js";
import { dateTime, duration, shortDateTime } from "../../lib/format.js";
import { useAsked, useTicks } from "../../lib/hooks.js";
import { t } from "../../lib/language.js";
import { live } from "../../lib/live.js";
import { byName } from "../../lib/names.js";
import { link } from "../../lib/router.js";
import { can } from "../../lib/session.js";
import { Problem, Waiting, ask, sentenceOf, toast } from "../../parts/feedback.js";
import { Icon } from "../../parts/icon.js";
import { useMinutes, useNames, useReturn } from "./keeping.js";
import { MaintenanceDialog } from "./maintenance-dialog.js";
import { hasBegun, tellWork, useWork, workOn, worksOn } from "./work.js";
import { nameOf } from "./words.js";

// A stream that came into maintenance or left it, by whomever: then there is something to be read.
function useChanges(again) {
  useEffect(() => {
    const look = () => [...live.streams.values()].map(({ id, maintenance_until: until }) => until && `${id} ${until}`).join("\n");
    let before = look();
    const listen = () => {
      const now = look();
      if (now !== before) again();
      before = now;
    };
    live.ofList.add(listen);
    return () => live.ofList.delete(listen);
  }, [again]);
}

export function Maintenance({ tabs }) {
  useNames();
  const asked = useAsked(() => get("/api/maintenance"), []);
  const [announcing, setAnnouncing] = useState(false);
  useChanges(asked.reload);
  useReturn(asked.reload);
  useMinutes(asked.reload);
  useWork(asked.reload);
  const { announced, streams_in_maintenance_until: until } = asked.data ?? {};
  return html`<main tabindex="-1" class="page inc">
    <header><h1>${t.maintenance.title}</h1>
      ${can("operator") && html`<div class="buttons"><button type="button" class="primary" onClick=${() => setAnnouncing(true)}>
        <${Icon} name="plus" /> ${t.maintenance.announce}</button></div>`}</header>
    ${tabs}
    <p class="hint">${t.maintenance.hint}</p>
    <${Waiting} asked=${asked} />
    ${asked.data && html`
      ${asked.error && html`<${Problem} error=${asked.error} retry=${asked.reload} />`}
      <section class="box"><h2>${t.maintenance.announced}</h2>
        ${announced.length > 0 ? html`<${Announced} announced=${announced} />`
          : html`<p class="hint">${t.maintenance.noneAnnounced}. ${t.maintenance.noneAnnouncedHint}</p>`}</section>
      <section class="box"><h2>${t.maintenance.inWork}</h2>
        ${Object.keys(until).length > 0 ? html`<${InWork} announced=${announced} until=${until} />`
          : html`<p class="hint">${t.maintenance.nobody}</p>`}</section>`}
    ${announcing && html`<${MaintenanceDialog} streams=${[]} onClose=${() => setAnnouncing(false)} />`}
  </main>`;
}

const COLUMNS = ["streams", "status", "from", "until", "by", "note", "actions"];

function Announced({ announced }) {
  const columns = can("operator") ? COLUMNS : COLUMNS.filter((name) => name !== "actions");
  return html`<table class="inc-table mnt-table" role="table" aria-label=${t.maintenance.announced}>
    <thead role="rowgroup"><tr role="row">${columns.map((name) => html`
      <th scope="col" role="columnheader">${t.maintenance.columns[name]}</th>`)}</tr></thead>
    <tbody role="rowgroup">${announced.map((work) => html`<${Work} key=${work.id} work=${work} />`)}</tbody>
  </table>`;
}

function Work({ work }) {
  useTicks();
  const begun = hasBegun(work);
  const what = worksOn(work);
  const words = t.maintenance;
  const end = async () => {
    const sure = await ask(begun ? { title: words.endTitle, text: words.endText(what), action: words.end }
      : { title: words.cancelTitle, text: words.cancelText(what), action: words.cancel });
    if (!sure) return;
    try {
      await remove(`/api/maintenance/${work.id}`);
      toast(begun ? words.ended : words.cancelled);
      // The button goes with its row.
      document.querySelector("main")?.focus({ preventScroll: true });
    } catch (error) {
      toast(sentenceOf(error), { kind: "failed" });
    }
    tellWork();
  };
  const left = -live.secondsSince(work.until);
  const cell = (name, value) => html`<td role="cell" class=${`mnt-${name}`}>
    <span class="inc-label" aria-hidden="true">${words.columns[name]}</span>${value}</td>`;
  const when = (at) => html`<time datetime=${at} title=${dateTime(at)}>${shortDateTime(at)}</time>`;
  return html`<tr role="row">
    <th scope="row" role="rowheader" class="mnt-streams">${what}</th>
    <td role="cell" class="mnt-status">${begun
      ? html`<span class="state" data-state="maintenance"><${Icon} name="maintenance" />${words.now}</span>
        <span class="hint">${left > 0 ? words.left(duration(left)) : words.ending}</span>`
      : html`<span class="state" data-state="off"><${Icon} name="clock" />${words.begins(duration(-live.secondsSince(work.from)))}</span>`}</td>
    ${cell("from", when(work.from))}
    ${cell("until", when(work.until))}
    ${cell("by", work.by)}
    ${cell("note", work.note ?? html`<span class="hint">${t.none}</span>`)}
    ${can("operator") && html`<td role="cell" class="mnt-actions"><button type="button" class="inc-small"
      aria-label=${begun ? words.endOf(what) : words.cancelOf(what)} onClick=${end}>
      ${begun ? words.end : words.cancel}</button></td>`}
  </tr>`;
}

function InWork({ announced, until }) {
  useTicks();
  const words = t.maintenance;
  const listed = byName(live.streams).map(({ id }) => id);
  const rows = [...listed, ...Object.keys(until).filter((id) => !live.streams.has(id))]
    .filter((id) => id in until).map((id) => [id, until[id]]);
  const why = (id) => {
    const work = workOn(announced, id);
    if (!work) return words.byWindow;
    return work.note ? words.byWhomNote(work.by, work.note) : words.byWhom(work.by);
  };
  return html`<table class="inc-table mnt-now" role="table" aria-label=${words.inWork}>
    <thead role="rowgroup"><tr role="row">${["stream", "until", "left", "why"].map((name) => html`
      <th scope="col" role="columnheader">${words.nowColumns[name]}</th>`)}</tr></thead>
    <tbody role="rowgroup">${rows.map(([id, at]) => html`<tr role="row" key=${id}>
      <th scope="row" role="rowheader" class="mnt-streams"><a href=${link("streams", id)}>${nameOf(id)}</a></th>
      <td role="cell" class="mnt-until"><span class="inc-label" aria-hidden="true">${words.nowColumns.until}</span>
        <time datetime=${at}>${dateTime(at)}</time></td>
      <td role="cell" class="mnt-left"><span class="inc-label" aria-hidden="true">${words.nowColumns.left}</span>
        ${duration(Math.max(0, -live.secondsSince(at)))}</td>
      <td role="cell" class="mnt-why">${why(id)}</td></tr>`)}</tbody>
  </table>`;
}
