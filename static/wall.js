// The wall: a card for each stream, worst first.

import { el, icon, setText } from "./dom.js";
import * as texts from "./texts.js";

const HEARTBEATS = 40;

export class Wall {
  constructor(live) {
    this.live = live;
    this.cards = new Map();
    this.grid = el("section", { class: "wall", "aria-label": "Streams" });
    this.empty = el("div", { class: "empty", hidden: true },
      icon("mark", "mark"),
      el("h2", {}, "No streams yet"),
      el("p", {}, "Add your cameras under streams: in config.yaml; StreamPulse notices the change by itself and shows each one here within seconds."),
      el("pre", {}, "streams:\n  - name: Gate\n    url: rtsp://user:password@192.0.2.10:554/stream1"));
    this.element = el("main", {}, this.grid, this.empty);
  }

  update(id) {
    const { streams } = this.live;
    const ids = id ? [id] : [...streams.keys()];
    for (const one of ids) {
      const stream = streams.get(one);
      if (!stream) continue;
      if (!this.cards.has(one)) this.cards.set(one, new Card(one));
      this.cards.get(one).show(stream);
    }
    for (const [one, card] of this.cards) {
      if (!streams.has(one)) {
        card.element.remove();
        this.cards.delete(one);
      }
    }
    this.arrange();
    this.empty.hidden = streams.size > 0;
    this.tick();
  }

  arrange() {
    const rank = (stream) => (stream.enabled ? texts.order.indexOf(stream.state) : texts.order.length);
    const sorted = [...this.live.streams.values()]
      .sort((a, b) => rank(a) - rank(b) || a.name.localeCompare(b.name, undefined, { numeric: true }));
    // Moving a card reloads nothing, but only cards out of place are moved.
    let at = this.grid.firstElementChild;
    for (const { id } of sorted) {
      const { element } = this.cards.get(id);
      if (element === at) at = at.nextElementSibling;
      else this.grid.insertBefore(element, at);
    }
  }

  /** Once a second: ages. */
  tick() {
    const now = this.live.now();
    for (const [id, card] of this.cards) card.age(this.live.streams.get(id), now);
  }
}

class Card {
  constructor(id) {
    this.id = id;
    this.image = el("img", { alt: "", loading: "lazy", decoding: "async", hidden: true });
    this.image.addEventListener("error", () => { this.image.hidden = true; });
    this.blank = el("span", { class: "blank" }, "No picture yet");
    this.taken = el("span", { class: "taken" });
    this.state = el("span", { class: "state" });
    this.since = el("span", { class: "since" });
    this.name = el("h2", {});
    this.reason = el("p", { class: "reason" });
    this.message = el("p", { class: "message" });
    this.next = el("p", { class: "next" });
    this.latency = el("dd", {});
    this.checked = el("dd", {});
    this.strip = el("div", { class: "strip", role: "img" });
    this.element = el("article", { class: "card" },
      el("div", { class: "picture" }, this.blank, this.image, this.taken),
      el("div", { class: "body" },
        el("header", {}, this.name, el("p", { class: "line" }, this.state, this.since)),
        el("div", { class: "why" }, this.reason, this.message, this.next),
        el("dl", {},
          el("div", {}, el("dt", {}, "Latency"), this.latency),
          el("div", {}, el("dt", {}, "Last probe"), this.checked)),
        this.strip));
  }

  show(stream) {
    const state = stream.enabled ? stream.state : "off";
    if (this.element.dataset.state !== state) {
      this.element.dataset.state = state;
      this.state.replaceChildren(icon(stream.enabled ? stream.state : "maintenance"),
        stream.enabled ? texts.states[stream.state] : "Switched off");
    }
    setText(this.name, stream.name);
    this.picture(stream);
    this.why(stream);
    setText(this.latency, texts.latency(stream.latency_ms));
    setText(this.checked, texts.time(stream.checked_at));
    this.checked.title = texts.dateTime(stream.checked_at);
    this.beats(stream.recent);
  }

  picture(stream) {
    if (this.pictureAt === stream.picture_at) return;
    this.pictureAt = stream.picture_at;
    this.image.hidden = !stream.picture_at;
    this.blank.hidden = Boolean(stream.picture_at);
    if (stream.picture_at) {
      this.image.src = `/api/streams/${this.id}/snapshot.jpg?at=${Date.parse(stream.picture_at)}`;
      this.image.alt = `${stream.name}, last verified picture`;
    }
  }

  why(stream) {
    const failing = stream.recent.at(-1)?.reason;
    let [reason, message, next] = ["", "", ""];
    if (!stream.enabled) {
      message = "enabled: false in config.yaml";
    } else if (stream.state === "up") {
      if (failing && failing !== "ok") [reason, message] = ["Last probe failed, checking again", stream.message];
    } else if (stream.checked_at) {
      const seen = stream.issues.map((issue) => texts.issues[issue] ?? issue).join(", ");
      reason = stream.state === "degraded" && seen ? seen : texts.reasons[stream.reason] ?? stream.reason;
      message = stream.message;
      next = stream.next_step ?? "";
    } else {
      message = "Waiting for the first probe.";
    }
    setText(this.reason, reason);
    setText(this.message, message);
    setText(this.next, next);
    for (const part of [this.reason, this.message, this.next]) part.hidden = !part.textContent;
  }

  beats(recent) {
    const key = `${recent.length} ${recent.at(-1)?.at}`;
    if (this.beatsKey === key) return;
    this.beatsKey = key;
    const shown = recent.slice(-HEARTBEATS);
    const bars = Array.from({ length: HEARTBEATS - shown.length }, () => el("i", {}));
    for (const beat of shown) {
      const kind = beat.reason !== "ok" ? (beat.health === "unknown" ? "unknown" : "down")
        : beat.health === "degraded" ? "degraded" : "up";
      const title = `${texts.dateTime(beat.at)}: ${texts.reasons[beat.reason] ?? beat.reason}, ${texts.latency(beat.latency_ms)}`;
      bars.push(el("i", { "data-beat": kind, title }));
    }
    this.strip.replaceChildren(...bars);
    const good = shown.filter((beat) => beat.reason === "ok").length;
    this.strip.setAttribute("aria-label", `${good} of the last ${shown.length} heartbeats gave a picture`);
  }

  age(stream, now) {
    if (!stream) return;
    const seconds = (text) => (now - Date.parse(text)) / 1000;
    setText(this.since, stream.enabled && stream.checked_at ? `for ${texts.span(seconds(stream.since))}` : "");
    if (stream.picture_at) {
      const age = seconds(stream.picture_at);
      setText(this.taken, age < 2 ? "just now" : `${texts.span(age)} ago`);
      // Two heartbeats without a new picture: what is shown is the past, and must look like it.
      this.element.toggleAttribute("data-old", age > 2.5 * stream.heartbeat_seconds + 10);
    } else {
      setText(this.taken, "");
    }
  }
}
