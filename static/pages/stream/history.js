// The heartbeats one by one, newest first.

import { html, useEffect, useMemo, useRef, useState } from "../../lib/html.js";
import { get, streamPath } from "../../lib/api.js";
import { dateTime, latency } from "../../lib/format.js";
import { t } from "../../lib/language.js";
import { letter } from "../../lib/live.js";
import { result } from "../../lib/why.js";
import { BusyButton, Problem } from "../../parts/feedback.js";
import { Icon } from "../../parts/icon.js";

const PAGE = 50;
const FIRST = 12;

/** `newest` is the time of the newest heartbeat: with each one the first page is read again. */
export function History({ id, newest }) {
  const [rows, setRows] = useState(null);
  const [cursor, setCursor] = useState(null);
  const [more, setMore] = useState(false);
  const [error, setError] = useState(null);
  const [busy, setBusy] = useState(false);
  // Only the answer to what was asked last counts.
  const turn = useRef(0);
  const read = async (query, take) => {
    turn.current += 1;
    const mine = turn.current;
    try {
      const page = await get(streamPath(id, `/history?${query}`));
      if (mine !== turn.current) return;
      take(page.heartbeats);
      setCursor(page.next_cursor);
      setError(null);
    } catch (problem) {
      if (mine === turn.current) setError(problem);
    }
    if (mine === turn.current) setBusy(false);
  };
  // Not while more is read: it would be dropped with each heartbeat.
  useEffect(() => {
    if (!more) read(`limit=${FIRST}`, setRows);
  }, [id, newest, more]);
  useEffect(() => () => { turn.current += 1; }, []);
  const next = () => {
    setBusy(true);
    setMore(true);
    read(`limit=${PAGE}&cursor=${encodeURIComponent(cursor)}`, (page) => setRows((before) => [...before, ...page]));
  };
  const shown = useMemo(() => rows?.map((beat) => html`<tr key=${beat.at} data-beat=${letter(beat)}>
    <td class="when">${dateTime(beat.at)}</td>
    <td class="result">${result(beat)}</td>
    <td>${beat.reason === "ok" ? "" : t.stages[beat.stage] ?? beat.stage}</td>
    <td class="number">${latency(beat.latency_ms)}</td>
    <td>${t.states[beat.health]}</td></tr>`), [rows]);
  return html`<section class="box" aria-labelledby="history">
    <header><h2 id="history">${t.stream.history}</h2>
      <div class="buttons">
        ${more && html`<button type="button" class="quiet" onClick=${() => setMore(false)}>${t.stream.newest}</button>`}
        <a class="button quiet" href=${`/api/export.csv?stream=${encodeURIComponent(id)}`} download><${Icon} name="download" /> ${t.stream.csv}</a>
      </div></header>
    <${Problem} error=${error} />
    ${rows && (rows.length === 0 ? html`<p class="hint">${t.stream.noHistory}</p>` : html`
      <div class="scroll" role="group" aria-labelledby="history" tabindex="0"><table class="history">
        <thead><tr>${["time", "result", "stage", "latency", "state"].map((name) => html`
          <th scope="col" class=${name === "latency" ? "number" : null}>${t.stream.columns[name]}</th>`)}</tr></thead>
        <tbody>${shown}</tbody>
      </table></div>
      ${cursor && html`<div class="buttons"><${BusyButton} busy=${busy} onClick=${next}>${t.stream.more}<//></div>`}`)}
  </section>`;
}
