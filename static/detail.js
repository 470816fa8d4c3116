// One stream: the picture large, what is wrong, the last probe stage by stage, the last heartbeats.
// Its address is #/streams/<id>, so that "back" closes it and a link opens it.

import { el, icon, setText } from "./dom.js";
import * as api from "./api.js";
import * as texts from "./texts.js";

const SHOWN_HEARTBEATS = 12;
const PREFIX = "#/streams/";

// Issues that a new reference clears.
const AGAINST_USUAL = ["scene_changed", "blurred", "colour_cast", "facts_changed"];

export const address = (id) => PREFIX + encodeURIComponent(id);

export class Detail {
  constructor(live) {
    this.live = live;
    this.id = null;
    this.name = el("h2", { id: "detail-name" });
    this.state = el("span", { class: "state" });
    this.since = el("span", { class: "since" });
    this.image = el("img", { alt: "", decoding: "async", hidden: true });
    this.image.addEventListener("error", () => {
      this.image.hidden = true;
      setText(this.blank, texts.wall.notLoaded);
    });
    this.image.addEventListener("load", () => { this.image.hidden = false; });
    this.blank = el("span", { class: "blank" });
    this.taken = el("span", { class: "taken" });
    this.why = el("div", { class: "why" });
    this.probe = el("button", { type: "button", hidden: true, onclick: () => this.probeNow() }, "Probe now");
    this.reference = el("button", { type: "button", class: "quiet", hidden: true, onclick: () => this.takeReference() },
      texts.reference.take);
    this.problem = el("p", { class: "problem", role: "alert" });
    this.facts = el("dl", { class: "facts" });
    this.phases = el("dl", { class: "phases" });
    this.beats = el("tbody");
    this.element = el("dialog", { class: "detail", "aria-labelledby": "detail-name" },
      el("header", {}, this.name, el("p", { class: "line" }, this.state, this.since),
        el("button", { type: "button", class: "quiet close", "aria-label": "Close", onclick: () => this.close() }, "✕")),
      el("div", { class: "picture" }, this.blank, this.image, this.taken),
      el("div", { class: "columns" },
        el("section", { class: "verdict" }, this.why, this.probe, this.reference, this.problem),
        el("section", {}, el("h3", {}, "Last probe, stage by stage"), this.phases),
        el("section", {}, el("h3", {}, "Stream"), this.facts),
        el("section", { class: "beats" }, el("h3", {}, "Last heartbeats"),
          el("table", {},
            el("thead", {}, el("tr", {}, ...["Time", "Result", "Latency"].map((head) => el("th", { scope: "col" }, head)))),
            this.beats))));
    this.element.addEventListener("cancel", (event) => {
      event.preventDefault();
      this.close();
    });
    // A click beside the dialog lands on the dialog itself; everything in it is a child.
    this.element.addEventListener("click", (event) => event.target === this.element && this.close());
    this.follow = () => this.route();
    window.addEventListener("hashchange", this.follow);
  }

  /** The wall is gone. */
  leave() {
    window.removeEventListener("hashchange", this.follow);
    if (this.element.open) this.element.close();
    if (location.hash) history.replaceState(null, "", location.pathname);
  }

  close() {
    history.pushState(null, "", location.pathname);
    this.route();
  }

  route() {
    const id = location.hash.startsWith(PREFIX) ? decodeURIComponent(location.hash.slice(PREFIX.length)) : null;
    const known = id !== null && this.live.streams.has(id) ? id : null;
    if (known === this.id) return;
    this.id = known;
    this.last = null;
    setText(this.problem, "");
    if (!known) {
      this.element.close();
      return;
    }
    this.image.removeAttribute("src");
    this.image.hidden = true;
    for (const part of [this.facts, this.phases, this.beats]) part.replaceChildren();
    this.show();
    if (!this.element.open) this.element.showModal();
    this.load();
  }

  update(changed) {
    this.route();
    if (this.id && (!changed || changed === this.id)) {
      this.show();
      this.load();
    }
  }

  async load() {
    const { id } = this;
    try {
      const answer = await api.get(`/api/streams/${id}`);
      if (id !== this.id) return;
      this.last = answer.last;
      this.fill(answer);
    } catch {
      // The wall tells that the connection is lost; what is shown stays.
    }
  }

  show() {
    const stream = this.live.streams.get(this.id);
    if (!stream) return;
    this.element.dataset.state = stream.enabled ? stream.state : "off";
    setText(this.name, stream.name);
    this.state.replaceChildren(icon(stream.enabled ? stream.state : "maintenance"),
      stream.enabled ? texts.states[stream.state] : texts.wall.off);
    const source = stream.picture_at ? `/api/streams/${this.id}/snapshot.jpg?at=${Date.parse(stream.picture_at)}` : null;
    if (source && this.image.getAttribute("src") !== source) {
      this.image.src = source;
      this.image.alt = `${stream.name}, last verified picture`;
    }
    if (!source) setText(this.blank, texts.wall.noPicture);
    // Only operators are told the address, and only they may ask for a probe.
    this.probe.hidden = !stream.url || !stream.enabled;
    this.reference.hidden = this.probe.hidden
      || !stream.issues.some((issue) => AGAINST_USUAL.includes(issue));
    const why = texts.why(stream);
    this.why.replaceChildren(...(why.length ? why : [["message", texts.wall.fine]])
      .map(([kind, text]) => el("p", { class: kind }, text)));
    this.tick();
  }

  fill(answer) {
    const video = answer.last?.video;
    const format = video && [
      texts.codecs[video.codec] ?? video.codec,
      video.profile,
      video.width && `${video.width}\u00a0×\u00a0${video.height}`,
      video.fps && `${Math.round(video.fps * 10) / 10}\u00a0fps`,
    ].filter(Boolean).join(" · ");
    const facts = [
      ["Address", answer.url],
      ["Group", answer.group],
      ["Tags", answer.tags.join(", ")],
      ["Video", format],
      ["Decoder", video?.decoder && `${video.decoder}${video.hardware ? " (hardware)" : ""}`],
      ["Hardware decoder", video?.hardware_refused && `not used: ${video.hardware_refused}`],
      ["Transport", texts.transports[answer.last?.transport]],
      ["Probed", `every ${answer.heartbeat_seconds} s, for at most ${answer.timeout_seconds} s`],
      ["Last picture", answer.last_ok_at && texts.dateTime(answer.last_ok_at)],
    ];
    this.facts.replaceChildren(...facts.filter(([, value]) => value)
      .map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))));

    const phases = Object.entries(answer.last?.phases_ms ?? {});
    const total = phases.reduce((sum, [, ms]) => sum + ms, 0) || 1;
    let before = 0;
    this.phases.replaceChildren(...phases.map(([stage, ms]) => {
      const failed = answer.last.outcome === "failed" && answer.last.stage === stage;
      const bar = el("i", { "data-failed": failed });
      bar.style.marginInlineStart = `${(before / total) * 98}%`;
      bar.style.width = `${Math.max((ms / total) * 98, 0.8)}%`;
      before += ms;
      return el("div", {}, el("dt", {}, texts.stages[stage] ?? stage), el("dd", {}, bar), el("dd", {}, texts.fine(ms)));
    }));

    this.beats.replaceChildren(...answer.recent.slice(-SHOWN_HEARTBEATS).reverse().map((beat) =>
      el("tr", { "data-beat": texts.beat(beat) },
        el("td", { title: texts.dateTime(beat.at) }, texts.time(beat.at)),
        el("td", {}, texts.result(beat)),
        el("td", {}, texts.latency(beat.latency_ms)))));
  }

  tick() {
    const stream = this.id && this.live.streams.get(this.id);
    if (!stream) return;
    const seconds = (text) => (this.live.now() - Date.parse(text)) / 1000;
    setText(this.since, stream.enabled && stream.checked_at ? `for ${texts.span(seconds(stream.since))}` : "");
    setText(this.taken, stream.picture_at ? texts.age(seconds(stream.picture_at)) : "");
    this.element.toggleAttribute("data-old", texts.isOld(stream, this.live.now()));
  }

  probeNow() {
    return this.ask(this.probe, "probe", "Probing…");
  }

  /** What the camera shows now is how it should be. */
  takeReference() {
    return this.ask(this.reference, "reference", texts.reference.taking);
  }

  /** Posts to the stream's own address and shows what comes of it; the button says that it is being done. */
  async ask(button, what, busy) {
    const { id } = this;
    const label = button.textContent;
    button.disabled = true;
    setText(button, busy);
    setText(this.problem, "");
    try {
      await api.post(`/api/streams/${id}/${what}`);
    } catch (error) {
      if (id === this.id) setText(this.problem, error.status ? error.message : texts.noAnswer);
    } finally {
      button.disabled = false;
      setText(button, label);
    }
    if (id === this.id) this.load();
  }
}
