// One stream: the picture large, what is wrong and what to do, the last probe stage by stage, and its past.

import { html, useCallback, useEffect, useRef, useState } from "../lib/html.js";
import { get, post, streamPath } from "../lib/api.js";
import { dateTime, span } from "../lib/format.js";
import { useAction, useAsked, useTicks } from "../lib/hooks.js";
import { t } from "../lib/language.js";
import { live, useIsThere, useStream } from "../lib/live.js";
import { byName } from "../lib/names.js";
import { editLink } from "../lib/places.js";
import { go, link } from "../lib/router.js";
import { can } from "../lib/session.js";
import { videoText } from "../lib/video.js";
import { why } from "../lib/why.js";
import { BusyButton, Empty, Problem } from "../parts/feedback.js";
import { Icon } from "../parts/icon.js";
import { State, shownState } from "../parts/state.js";
import { Strip } from "../parts/strip.js";
import { Waterfall } from "../parts/waterfall.js";
import { Availability } from "./stream/availability.js";
import { History } from "./stream/history.js";
import { Latency } from "./stream/latency.js";
import { Incidents, Maintenance } from "./stream/lazy.js";
import { Issues, Picture } from "./stream/picture.js";

// Issues that a new reference clears.
const AGAINST_USUAL = ["scene_changed", "blurred", "colour_cast", "facts_changed"];

export default function Stream({ parts, query }) {
  const [id] = parts;
  const there = useIsThere(id);
  if (!live.loaded) return html`<main><p class="waiting" role="status">${t.loading}</p></main>`;
  if (!there) {
    return html`<main tabindex="-1"><${Empty} icon="search" title=${t.stream.gone} whole><p>${t.stream.goneHint}</p>
      <p><a class="button" href=${link()}>${t.frame.toOverview}</a></p><//></main>`;
  }
  return html`<${Shown} key=${id} id=${id} startLive=${query.get("live") === "1"} />`;
}

function Shown({ id, startLive }) {
  // One that is taken away meanwhile is shown as it was for the moment until this page is gone.
  const now = useStream(id);
  const known = useRef(now);
  known.current = now ?? known.current;
  const stream = known.current;
  const [watching, setWatching] = useState(startLive);
  const [liveError, setLiveError] = useState(null);
  const [working, setWorking] = useState(false);
  const asked = useAsked(() => get(streamPath(id)), [id]);
  const newest = `${stream.checked_at} ${stream.state} ${stream.paused_until}`;
  const seen = useRef(newest);
  useEffect(() => {
    if (seen.current !== newest) asked.reload();
    seen.current = newest;
  }, [newest]);
  const [probe, probing, probeError] = useAction(() => post(streamPath(id, "/probe")));
  const [take, taking, takeError] = useAction(() => post(streamPath(id, "/reference")));
  const stop = useCallback((error) => {
    setWatching(false);
    setLiveError(error ?? null);
  }, []);
  const toggle = () => {
    setLiveError(null);
    setWatching(!watching);
    if (startLive) go(link("streams", id), { replace: true });
  };
  const operator = can("operator");
  const { last } = asked.data ?? {};
  const against = stream.issues.some((issue) => AGAINST_USUAL.includes(issue));
  return html`<main tabindex="-1" class="page stream" data-state=${shownState(stream)}>
    <header>
      <${Neighbours} id=${id} />
      <div class="name"><h1>${stream.name}</h1><${Line} stream=${stream} /></div>
      <div class="buttons">
        ${operator && stream.enabled && html`<${BusyButton} busy=${probing} onClick=${probe}><${Icon} name="probe" /> ${probing ? t.stream.probing : t.stream.probe}<//>`}
        ${stream.enabled && html`<button type="button" aria-pressed=${String(watching)} onClick=${toggle}><${Icon} name=${watching ? "stop" : "play"} /> ${watching ? t.stream.stopLive : t.stream.watch}</button>`}
        ${operator && html`<button type="button" onClick=${() => setWorking(true)}><${Icon} name="clock" /> ${t.stream.maintenance}</button>`}
        ${can("admin") && html`<a class="button" href=${editLink(id)}><${Icon} name="edit" /> ${t.stream.edit}</a>`}
      </div>
    </header>
    <${Problem} error=${probeError} />
    <${Problem} error=${liveError} />
    <div class="first">
      <${Picture} stream=${stream} watching=${watching} stop=${stop} />
      <div class="side">
        <${Verdict} stream=${stream} />
        <section class="box" aria-labelledby="stages"><h2 id="stages">${t.stream.stages}</h2>
          ${last ? html`<${Waterfall} report=${last} />` : html`<p class="hint">${t.stream.notProbed}</p>`}</section>
      </div>
    </div>
    ${stream.issues.length > 0 && html`<${Issues} stream=${stream} take=${operator && against ? take : null} busy=${taking} error=${takeError} />`}
    <${Availability} id=${id} since=${stream.since} />
    <div class="halves">
      <${Latency} id=${id} />
      <${Facts} detail=${asked.data} stream=${stream} />
    </div>
    <${Incidents} id=${id} />
    <${History} id=${id} newest=${stream.checked_at} />
    ${working && html`<${Maintenance} streams=${[id]} onClose=${() => setWorking(false)} />`}
  </main>`;
}

function Line({ stream }) {
  useTicks();
  return html`<p class="line"><${State} state=${shownState(stream)} />
    ${stream.enabled && stream.checked_at && html`<span class="since" title=${dateTime(stream.since)}>${t.overview.since(span(live.secondsSince(stream.since)))}</span>`}
    ${stream.flapping && html`<span class="tag">${t.overview.flapping}</span>`}
    ${stream.group && html`<a class="tag" href=${link({ group: stream.group })}>${stream.group}</a>`}
    ${stream.tags.map((tag) => html`<a class="tag" key=${tag} href=${link({ tag })}>${tag}</a>`)}</p>`;
}

// The streams before and after it, by name.
function Neighbours({ id }) {
  const all = byName(live.streams);
  const at = all.findIndex((stream) => stream.id === id);
  const to = (step, icon, text) => {
    const other = all[at + step];
    return other && html`<a class="button quiet icon-only" href=${link("streams", other.id)} aria-label=${text(other.name)} title=${text(other.name)}><${Icon} name=${icon} /></a>`;
  };
  return html`<nav class="neighbours" aria-label=${t.stream.neighbours}>${to(-1, "back", t.stream.before)}${to(1, "next", t.stream.after)}</nav>`;
}

function Verdict({ stream }) {
  const { reason, message, next } = why(stream);
  return html`<section class="box verdict" aria-labelledby="verdict">
    <h2 id="verdict">${reason ?? t.stream.fine}</h2>
    ${message && html`<p class="message">${message}</p>`}
    ${!reason && !message && html`<p class="message">${stream.message}</p>`}
    ${next && html`<p class="next"><b>${t.stream.nextStep}</b> ${next}</p>`}
    <${Strip} letters=${stream.strip} />
  </section>`;
}

function Facts({ detail, stream }) {
  const video = detail?.last?.video;
  const facts = [
    [t.stream.address, stream.url],
    [t.stream.video, video && videoText(video)],
    [t.stream.decoder, video?.decoder && (video.hardware ? t.stream.hardware(video.decoder) : video.decoder)],
    [t.stream.refused, video?.hardware_refused],
    [t.stream.transport, t.transports[detail?.last?.transport] ?? t.overview.kinds[stream.kind]],
    [t.stream.every, detail && t.stream.everyWhat(stream.heartbeat_seconds, detail.timeout_seconds)],
    [t.stream.lastPicture, stream.last_ok_at && dateTime(stream.last_ok_at)],
    [t.stream.id, stream.id],
  ];
  return html`<section class="box" aria-labelledby="facts"><h2 id="facts">${t.stream.facts}</h2>
    <dl class="facts">${facts.filter(([, value]) => value).map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>
  </section>`;
}
