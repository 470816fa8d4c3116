// The picture of a stream: the last verified one, live ones, and the usual one beside it when something is wrong.

import { html, useCallback, useEffect, useRef, useState } from "../../lib/html.js";
import { picture, streamPath } from "../../lib/api.js";
import { age, dateTime } from "../../lib/format.js";
import { useTicks } from "../../lib/hooks.js";
import { t } from "../../lib/language.js";
import { live } from "../../lib/live.js";
import { watch } from "../../lib/preview.js";
import { why } from "../../lib/why.js";
import { BusyButton, Problem } from "../../parts/feedback.js";
import { Icon } from "../../parts/icon.js";
import { Snapshot, isOld } from "../../parts/snapshot.js";

/** The large picture. `watching` says that it is live; `stop(error)` is called when that is over. */
export function Picture({ stream, watching, stop }) {
  useTicks();
  if (watching) return html`<${Live} key=${stream.id} stream=${stream} stop=${stop} />`;
  const { reason, message } = why(stream);
  return html`<figure class="large" data-old=${isOld(stream) ? "" : null}>
    <div class="picture"><${Snapshot} stream=${stream} lazy=${false} blank=${reason ?? message ?? t.picture.none} /></div>
    ${stream.picture_at && html`<figcaption>${t.stream.taken(age(live.secondsSince(stream.picture_at)))} ·
      <time title=${dateTime(stream.picture_at)}>${dateTime(stream.picture_at)}</time></figcaption>`}
  </figure>`;
}

function Live({ stream, stop }) {
  const image = useRef(null);
  const [taken, setTaken] = useState(null);
  useTicks();
  useEffect(() => {
    const abort = new AbortController();
    let shown = null;
    const show = (blob, takenAt) => {
      const before = shown;
      shown = URL.createObjectURL(blob);
      if (image.current) image.current.src = shown;
      if (before) URL.revokeObjectURL(before);
      setTaken(takenAt);
    };
    // A camera has few sessions: a tab that nobody looks at holds none.
    let turn = null;
    const run = async () => {
      turn = new AbortController();
      const signal = AbortSignal.any([abort.signal, turn.signal]);
      try {
        // It is limited in time: as long as somebody watches, it is asked for again.
        while (!signal.aborted) await watch(stream.id, show, signal);
      } catch (error) {
        if (!signal.aborted) stop(error);
      }
    };
    const look = () => {
      if (document.hidden) turn?.abort();
      else if (turn === null || turn.signal.aborted) run();
    };
    look();
    document.addEventListener("visibilitychange", look);
    return () => {
      document.removeEventListener("visibilitychange", look);
      abort.abort();
      if (shown) URL.revokeObjectURL(shown);
    };
  }, [stream.id]);
  const seconds = taken === null ? null : (live.now() - taken) / 1000;
  return html`<figure class="large live">
    <div class="picture">${taken === null && html`<span class="blank" role="status">${t.stream.opening}</span>`}
      <img ref=${image} hidden=${taken === null} alt=${t.stream.livePicture(stream.name)} data-whole /></div>
    <figcaption><span class="on-air"><${Icon} name="play" /> ${t.stream.live}</span>
      ${seconds !== null && (seconds > 3 ? t.stream.paused(age(seconds)) : dateTime(taken))}</figcaption>
  </figure>`;
}

/** What is wrong with the picture, the usual one beside it. `take` makes the picture of now the usual one. */
export function Issues({ stream, take, busy, error }) {
  const [usual, setUsual] = useState(undefined);
  const issues = stream.issues.join(" ");
  useEffect(() => {
    const abort = new AbortController();
    let url = null;
    picture(streamPath(stream.id, "/reference.jpg"), abort.signal).then((found) => {
      url = found?.url;
      setUsual(found);
    }, () => setUsual(null));
    return () => {
      abort.abort();
      if (url) URL.revokeObjectURL(url);
    };
  }, [stream.id, issues]);
  const ask = useCallback(() => take(), [take]);
  return html`<section class="box" aria-labelledby="issues">
    <h2 id="issues">${t.stream.issues}</h2>
    <ul class="issues">${stream.issues.map((issue) => html`<li key=${issue}>
      <b>${t.issues[issue]?.title ?? issue}</b> ${t.issues[issue]?.sentence} <span class="hint">${t.issues[issue]?.next}</span></li>`)}</ul>
    <div class="beside">
      <figure><div class="picture">${usual ? html`<img src=${usual.url} alt=${t.stream.usualOf(stream.name)} data-whole />`
        : usual === null && html`<span class="blank">${t.stream.noUsual}</span>`}</div>
        <figcaption>${t.stream.usual}${usual?.takenAt && html`, ${dateTime(usual.takenAt)}`}</figcaption></figure>
      <figure><div class="picture"><${Snapshot} stream=${stream} lazy=${false} /></div>
        <figcaption>${t.stream.now}${stream.picture_at && html`, ${dateTime(stream.picture_at)}`}</figcaption></figure>
    </div>
    ${take && html`<div class="buttons"><${BusyButton} busy=${busy} onClick=${ask}>${busy ? t.stream.taking : t.stream.take}<//>
      <span class="hint">${t.stream.takeHint}</span></div>`}
    <${Problem} error=${error} />
  </section>`;
}
