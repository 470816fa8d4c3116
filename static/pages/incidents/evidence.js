// What an incident looked like: the last good picture beside the first bad one, and what was said between us and the camera.

import { html, useEffect, useState } from "../../lib/html.js";
import { get } from "../../lib/api.js";
import { dateTime, duration } from "../../lib/format.js";
import { useAsked } from "../../lib/hooks.js";
import { t } from "../../lib/language.js";
import { can } from "../../lib/session.js";
import { Dialog } from "../../parts/dialog.js";
import { Waiting } from "../../parts/feedback.js";
import { nameOf, secondsBetween, streamsOf } from "./words.js";

const FEW = 2;
const SOON_MS = 3000;
const KINDS = ["last_good", "first_bad"];
const titles = { last_good: t.incidents.lastGood, first_bad: t.incidents.firstBad };

/** The pieces of each stream: `[{stream, last_good, first_bad, exchange}]`. */
function byStream(evidence) {
  const streams = new Map();
  for (const piece of evidence) {
    if (!streams.has(piece.stream)) streams.set(piece.stream, { stream: piece.stream });
    streams.get(piece.stream)[piece.kind] ??= piece;
  }
  return [...streams.values()];
}

/**
 * `<${Evidence} incident=${incident} />`: one of `/api/incidents` or of `/api/incidents/{id}`; what it lacks is asked for.
 * `stream` (an id) shows that stream's alone.
 */
export function Evidence({ incident, stream }) {
  const asked = useAsked(
    async () => incident.evidence ?? (await get(`/api/incidents/${incident.id}`)).evidence,
    [incident.id, incident.evidence?.length],
  );
  const [all, setAll] = useState(false);
  const evidence = incident.evidence ?? asked.data;
  // Of an incident that has just begun, pictures are written down after the event.
  const none = incident.open && evidence?.length === 0;
  useEffect(() => {
    const timer = none && setTimeout(asked.reload, SOON_MS);
    return () => clearTimeout(timer);
  }, [incident.id, none]);
  if (!evidence) return html`<${Waiting} asked=${asked} />`;
  const streams = byStream(evidence).filter((one) => !stream || one.stream === stream);
  if (streams.length === 0) {
    return html`<p class="hint">${t.incidents.noEvidence} ${t.incidents.noEvidenceHint}</p>`;
  }
  const shown = all ? streams : streams.slice(0, FEW);
  const several = !stream && streamsOf(incident).length > 1;
  return html`<div class="inc-evidence">
    ${shown.map((pieces) => html`<${OfStream} key=${pieces.stream} ...${{ incident, pieces, several }} />`)}
    ${shown.length < streams.length && html`<p class="buttons">
      <button type="button" onClick=${() => setAll(true)}>${t.incidents.showAll(streams.length)}</button></p>`}
  </div>`;
}

function OfStream({ incident, pieces, several }) {
  const [enlarged, setEnlarged] = useState(null);
  const name = nameOf(pieces.stream);
  const { stage } = incident.streams.find((member) => member.stream === pieces.stream) ?? incident;
  const some = KINDS.some((kind) => pieces[kind]);
  // A probe that ended before "decode" brought no picture; what was looked at and found bad may have gone since.
  const blank = {
    last_good: t.incidents.noLastGood,
    first_bad: stage === "picture" ? t.incidents.noFirstBadKept : t.incidents.noFirstBad(t.stages[stage] ?? stage),
  };
  return html`<div class="inc-of-stream">
    ${several && html`<h3>${name}</h3>`}
    ${some ? html`<div class="inc-pair">${KINDS.map((kind) => html`
        <${Picture} key=${kind} ...${{ kind, name, pieces }} blank=${blank[kind]} enlarge=${() => setEnlarged(kind)} />`)}</div>`
      : html`<p class="hint">${t.incidents.noPictures(t.stages[stage] ?? stage)}</p>`}
    ${pieces.exchange?.text && can("operator") && html`
      <${Exchange} text=${pieces.exchange.text} summary=${several ? t.incidents.exchangeOf(name) : t.incidents.exchange} />`}
    ${enlarged && html`<${Enlarged} ...${{ pieces, name }} kind=${enlarged} onClose=${() => setEnlarged(null)} />`}
  </div>`;
}

function Picture({ kind, name, pieces, blank, enlarge }) {
  const piece = pieces[kind];
  const [failed, setFailed] = useState(false);
  useEffect(() => setFailed(false), [piece?.picture]);
  const gap = kind === "first_bad" && piece && pieces.last_good
    ? secondsBetween(pieces.last_good.taken_at, piece.taken_at) : null;
  const text = piece && t.incidents.pictureOf(titles[kind], name, dateTime(piece.taken_at));
  return html`<figure class="inc-picture" data-kind=${kind}>
    ${piece && !failed
      ? html`<button type="button" aria-label=${t.incidents.enlarge(text)} onClick=${enlarge}>
          <img src=${piece.picture} alt="" loading="lazy" decoding="async" onError=${() => setFailed(true)} /></button>`
      : html`<p class="inc-blank">${piece ? t.incidents.pictureGone : blank}</p>`}
    <figcaption>${titles[kind]}
      ${piece && html`<span class="hint"><time datetime=${piece.taken_at}>${dateTime(piece.taken_at)}</time>
        ${gap !== null && ` · ${t.incidents.pictureGap(duration(gap))}`}</span>`}</figcaption>
  </figure>`;
}

// One in the place of the other: what has changed jumps to the eye.
function Enlarged({ pieces, name, kind: first, onClose }) {
  const [kind, setKind] = useState(first);
  const piece = pieces[kind];
  const there = KINDS.filter((one) => pieces[one]);
  return html`<${Dialog} wide title=${name} onClose=${onClose}>
    <img class="inc-large" src=${piece.picture} alt=${t.incidents.pictureOf(titles[kind], name, dateTime(piece.taken_at))} />
    <div class="inc-large-foot"><p class="hint">${dateTime(piece.taken_at)}</p>
      <div class="choices">${there.map((one) => html`
        <button type="button" aria-pressed=${String(one === kind)} onClick=${() => setKind(one)}>${titles[one]}</button>`)}</div>
    </div><//>`;
}

const sides = { ">": "asked", "<": "answered", "=": "happened" };

// Lines of what was sent and received belong to the mark before them.
function Exchange({ text, summary }) {
  let side = "happened";
  return html`<details class="inc-exchange"><summary>${summary}</summary>
    <p class="hint">${t.incidents.exchangeHint}</p>
    <pre tabindex="0">${text.split("\n").map((line) => {
      side = sides[/^\+\S+ \S+ ([<>=]) /.exec(line)?.[1]] ?? side;
      return html`<span data-side=${side}>${line}${"\n"}</span>`;
    })}</pre></details>`;
}
