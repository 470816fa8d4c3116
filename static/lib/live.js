// The streams, kept up to date: one list, then events; and how sure we are of them.

import { alive, get } from "./api.js";
import { useEffect, useLayoutEffect, useReducer, useState } from "./html.js";

const RELOAD_EVERY_MS = 60_000;
// Without events, the list is read this often.
const POLL_EVERY_MS = 15_000;
// Quieter than this, the service is asked whether it is still there.
const QUIET_MS = 8_000;
// Events that say nothing for this long while the list goes on are held up on the way.
const SILENT_MS = 30_000;
const MAX_RETRY_MS = 30_000;
// The list as a whole is looked at this often at most: cards follow their own streams at once.
const LIST_EVERY_MS = 1000;

/** Heartbeats in a strip. */
export const HEARTBEATS = 40;

const probedAt = (stream) => (stream.checked_at ? Date.parse(stream.checked_at) : 0);

class Live {
  constructor() {
    /** Streams by id, in the order of the configuration. */
    this.streams = new Map();
    /** Since when the service does not answer, milliseconds; null while it does. */
    this.lostAt = null;
    /** The service answers, and sends no events: the list is read now and then instead. */
    this.refused = false;
    this.heardAt = 0;
    this.loaded = false;
    this.clockOffsetMs = 0;
    this.retryMs = 1000;
    this.running = false;
    this.run = 0;
    this.loads = 0;
    this.eventAt = 0;
    this.byStream = new Map();
    this.ofList = new Set();
    this.ofIncidents = new Set();
  }

  start() {
    if (this.running) return;
    this.running = true;
    this.run += 1;
    this.reloader = setInterval(() => this.lostAt === null && this.check(), RELOAD_EVERY_MS);
    this.poller = setInterval(() => this.lostAt === null && this.refused && this.check(), POLL_EVERY_MS);
    this.listener = setInterval(() => this.lostAt === null && this.listen(), 4000);
    // Events first: what happens while the list is on its way is in them.
    this.open();
    this.check();
  }

  /** The session is over: nothing is asked for any more, and what was seen stays. */
  pause() {
    this.running = false;
    this.source?.close();
    this.source = null;
    for (const timer of [this.reloader, this.poller, this.listener]) clearInterval(timer);
    clearTimeout(this.retry);
  }

  /** The same, and what was seen goes. */
  stop() {
    this.pause();
    Object.assign(this, { streams: new Map(), loaded: false, lostAt: null, refused: false, heardAt: 0 });
  }

  /** The service's time, which is what ages are counted in, milliseconds. */
  now() {
    return Date.now() + this.clockOffsetMs;
  }

  /** Seconds since a time of the service. */
  secondsSince(text) {
    return (this.now() - Date.parse(text)) / 1000;
  }

  open() {
    this.source?.close();
    const source = new EventSource("/api/events");
    this.source = source;
    let greeted = false;
    source.addEventListener("hello", () => {
      greeted = true;
      this.retryMs = 1000;
      this.refused = false;
      // A list from before may miss what happened in between.
      if (this.loaded) this.check();
    });
    source.addEventListener("stream", (event) => this.take(JSON.parse(event.data)));
    source.addEventListener("incident", (event) => this.tell(this.ofIncidents, JSON.parse(event.data)));
    source.addEventListener("reload", () => this.check());
    for (const name of ["hello", "stream", "transition", "flapping", "incident"]) {
      source.addEventListener(name, () => { this.heardAt = this.eventAt = Date.now(); });
    }
    source.onerror = () => {
      source.close();
      if (this.source !== source) return;
      this.source = null;
      // A stream of events ends with its access token: that is no loss as long as the next one begins.
      if (greeted) this.reconnect();
      else this.turnedAway();
    };
  }

  async reconnect() {
    try {
      await this.load();
    } catch (error) {
      this.lost(error);
      return;
    }
    if (this.running) this.open();
  }

  // Too many listen, or something on the way does not let events through.
  async turnedAway() {
    try {
      await this.load();
    } catch (error) {
      this.lost(error);
      return;
    }
    if (!this.running) return;
    this.refused = true;
    this.tellList(true);
    this.again();
  }

  again() {
    clearTimeout(this.retry);
    this.retry = setTimeout(() => this.reconnect(), this.retryMs);
    this.retryMs = Math.min(this.retryMs * 2, MAX_RETRY_MS);
  }

  // Events alone do not tell a quiet fleet from a dead connection.
  async listen() {
    if (Date.now() - this.heardAt < QUIET_MS) return;
    const before = this.heardAt;
    if (await alive()) this.heardAt = Math.max(this.heardAt, Date.now());
    else if (this.running && this.lostAt === null && this.heardAt === before) this.lost();
  }

  /** Reads the list again: what an event did not bring. */
  async check() {
    try {
      await this.load();
    } catch (error) {
      this.lost(error);
    }
  }

  /** Reads the list again, after a change of it. */
  async load() {
    const { run } = this;
    this.loads += 1;
    const load = this.loads;
    const answer = await get("/api/streams?strip=1");
    // Of several on their way, the one that was asked for last counts; and none of another session.
    if (!this.running || run !== this.run || load !== this.loads) return;
    this.clockOffsetMs = Date.parse(answer.now) - Date.now();
    this.heardAt = Date.now();
    this.lostAt = null;
    this.loaded = true;
    let missed = false;
    const before = this.streams;
    this.streams = new Map(answer.streams.map((stream) => {
      const known = before.get(stream.id);
      // An event may have overtaken the list.
      if (known && probedAt(known) > probedAt(stream)) return [stream.id, { ...known, name: stream.name, url: stream.url }];
      missed ||= known !== undefined && probedAt(stream) > probedAt(known);
      return [stream.id, { ...stream, newest: stream.recent.at(-1) ?? null }];
    }));
    for (const id of this.byStream.keys()) this.tell(this.byStream.get(id));
    this.tellList(true);
    if (missed && this.source && Date.now() - this.eventAt > SILENT_MS) this.open();
  }

  take(stream) {
    const before = this.streams.get(stream.id);
    const newest = stream.recent.at(-1);
    stream.strip = before?.strip ?? "";
    if (newest && newest.at !== before?.checked_at) stream.strip = (stream.strip + letter(newest)).slice(-HEARTBEATS);
    // A stream that comes again has its whole strip with it.
    if (stream.recent.length > 1) stream.strip = stream.recent.map(letter).join("").slice(-HEARTBEATS);
    stream.newest = newest ?? before?.newest ?? null;
    this.streams.set(stream.id, stream);
    this.tell(this.byStream.get(stream.id) ?? []);
    this.tellList(false);
  }

  tell(listeners, what) {
    for (const listener of listeners) listener(what);
  }

  // Many events come together; nobody sees more than one list a second.
  tellList(now) {
    if (now) {
      clearTimeout(this.listTimer);
      this.listTimer = null;
      this.tell(this.ofList);
    } else {
      this.listTimer ??= setTimeout(() => {
        this.listTimer = null;
        this.tell(this.ofList);
      }, LIST_EVERY_MS);
    }
  }

  lost(error) {
    if (!this.running || error?.status === 401 || error?.code === "password_change_required") return;
    this.source?.close();
    this.source = null;
    this.lostAt ??= this.heardAt || Date.now();
    this.tell(this.ofList);
    this.again();
  }
}

/** The letter of a heartbeat, as the service has them in `strip`. */
export function letter({ reason, health }) {
  if (reason === "ok") return health === "degraded" ? "d" : "u";
  return undecided.has(reason) ? "q" : "f";
}

// Not the camera's fault, or not known to be: such a probe says nothing against it.
const undecided = new Set(["busy", "worker_crashed", "worker_timeout", "overloaded", "monitor_offline", "prober_unreachable"]);

export const live = new Live();

// Listens before anything else can happen: an effect comes a frame later, and a list that comes in between would be missed.
function useListener(set, take) {
  useLayoutEffect(() => {
    set.add(take);
    return () => set.delete(take);
  }, [set]);
}

/** The component is shown again when the list, the order or the connection changes: once a second at most. */
export function useList() {
  const [, again] = useReducer((n) => n + 1, 0);
  useListener(live.ofList, again);
  return live.streams;
}

/** One stream of the list, shown again with each of its events; undefined when there is none. */
export function useStream(id) {
  const [, again] = useReducer((n) => n + 1, 0);
  useLayoutEffect(() => {
    if (!live.byStream.has(id)) live.byStream.set(id, new Set());
    const listeners = live.byStream.get(id);
    listeners.add(again);
    return () => {
      listeners.delete(again);
      if (listeners.size === 0) live.byStream.delete(id);
    };
  }, [id]);
  return live.streams.get(id);
}

/** True while there is such a stream: the component is shown again only when that changes. */
export function useIsThere(id) {
  const [, setThere] = useState(null);
  useLayoutEffect(() => {
    const look = () => setThere(`${id} ${live.loaded} ${live.streams.has(id)}`);
    look();
    live.ofList.add(look);
    return () => live.ofList.delete(look);
  }, [id]);
  return live.streams.has(id);
}

/** Calls `take(incident)` for each incident that was opened, has changed or is over. */
export function useIncidentEvents(take) {
  useEffect(() => {
    live.ofIncidents.add(take);
    return () => live.ofIncidents.delete(take);
  }, [take]);
}
