// The wall: a card for each stream, worst first.

import { el, icon, setText } from "./dom.js";
import { address } from "./detail.js";
import * as texts from "./texts.js";

const HEARTBEATS = 40;
const FEW = 24;

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
    this.grid.toggleAttribute("data-few", streams.size <= FEW);
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
    this.image.addEventListener("error", () => {
      // Asked for again with the next event of this stream.
      this.pictureAt = undefined;
      this.image.hidden = true;
      setText(this.blank, texts.wall.notLoaded);
      this.element.toggleAttribute("data-picture", false);
    });
    this.image.addEventListener("load", () => {
      // A picture of nearly the card's shape fills it; another one is shown whole.
      const shape = this.image.naturalWidth / this.image.naturalHeight;
      this.image.toggleAttribute("data-whole", Math.abs(shape / (16 / 9) - 1) > 0.15);
    });
    this.blank = el("span", { class: "blank" });
    this.taken = el("span", { class: "taken" });
    this.state = el("span", { class: "state" });
    this.since = el("span", { class: "since" });
    this.name = el("a", { href: address(id) });
    this.reason = el("p", { class: "reason" });
    this.next = el("p", { class: "next" });
    this.why = el("div", { class: "why" }, this.reason, this.next);
    this.latency = el("dd", {});
    this.checked = el("dd", {});
    this.checkedLabel = el("dt", {});
    this.strip = el("div", { class: "strip", role: "img" });
    this.element = el("article", { class: "card" },
      el("div", { class: "picture" }, this.blank, this.image, this.why, this.taken),
      el("div", { class: "body" },
        el("header", {}, el("h2", {}, this.name), el("p", { class: "line" }, this.state, this.since)),
        el("dl", {},
          el("div", {}, el("dt", {}, "Latency"), this.latency),
          el("div", {}, this.checkedLabel, this.checked)),
        this.strip));
  }

  show(stream) {
    const state = stream.enabled ? stream.state : "off";
    if (this.element.dataset.state !== state) {
      this.element.dataset.state = state;
      this.state.replaceChildren(icon(stream.enabled ? stream.state : "maintenance"),
        stream.enabled ? texts.states[stream.state] : texts.wall.off);
    }
    setText(this.name, stream.name);
    this.picture(stream);
    this.explain(stream);
    setText(this.latency, texts.latency(stream.latency_ms));
    // A camera that is left alone was not probed, whatever its newest heartbeat says.
    const when = stream.paused_until ?? stream.checked_at;
    setText(this.checkedLabel, stream.paused_until ? texts.wall.askedAgain : texts.wall.probed);
    setText(this.checked, texts.time(when));
    this.checked.title = texts.dateTime(when);
    this.beats(stream.recent);
  }

  picture(stream) {
    if (this.pictureAt === stream.picture_at) return;
    this.pictureAt = stream.picture_at;
    this.image.hidden = !stream.picture_at;
    this.element.toggleAttribute("data-picture", Boolean(stream.picture_at));
    setText(this.blank, stream.picture_at ? "" : texts.wall.noPicture);
    if (stream.picture_at) {
      this.image.src = `/api/streams/${this.id}/snapshot.jpg?at=${Date.parse(stream.picture_at)}`;
      this.image.alt = `${stream.name}, last verified picture`;
    }
  }

  // On a card: what is wrong in three words and what to do. What exactly was seen is on the stream's own page.
  explain(stream) {
    const parts = new Map(texts.why(stream));
    setText(this.reason, parts.get("reason") ?? parts.get("message") ?? "");
    setText(this.next, parts.get("next") ?? (parts.has("reason") && !stream.enabled ? parts.get("message") : ""));
    this.why.title = parts.get("message") ?? "";
    this.why.hidden = parts.size === 0;
    this.next.hidden = !this.next.textContent;
    this.blank.hidden = parts.size > 0;
  }

  beats(recent) {
    const key = `${recent.length} ${recent.at(-1)?.at}`;
    if (this.beatsKey === key) return;
    this.beatsKey = key;
    const shown = recent.slice(-HEARTBEATS);
    const bars = Array.from({ length: HEARTBEATS - shown.length }, () => el("i", {}));
    for (const beat of shown) {
      const title = `${texts.dateTime(beat.at)}: ${texts.result(beat)}, ${texts.latency(beat.latency_ms)}`;
      bars.push(el("i", { "data-beat": texts.beat(beat), title }));
    }
    this.strip.replaceChildren(...bars);
    const good = shown.filter((beat) => beat.reason === "ok").length;
    this.strip.setAttribute("aria-label", `${good} of the last ${shown.length} heartbeats gave a picture`);
  }

  age(stream, now) {
    if (!stream) return;
    const seconds = (text) => (now - Date.parse(text)) / 1000;
    setText(this.since, stream.enabled && stream.checked_at ? `for ${texts.span(seconds(stream.since))}` : "");
    setText(this.taken, stream.picture_at ? texts.age(seconds(stream.picture_at)) : "");
    this.element.toggleAttribute("data-old", texts.isOld(stream, now));
  }
}
