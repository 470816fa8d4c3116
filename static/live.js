// The streams, kept up to date: one list, then events; and how sure we are of them.

import { alive, get } from "./api.js";

const HEARTBEATS = 40;
const RELOAD_EVERY_MS = 60_000;
// Quieter than this, the service is asked whether it is still there.
const QUIET_MS = 8_000;

/** Calls `changed(id | null)` for one stream or for all, `connection(ok)` and `gone(error)` when the session ended. */
export class Live {
  constructor({ changed, connection, gone }) {
    Object.assign(this, { changed, connection, gone });
    this.streams = new Map();
    this.clockOffsetMs = 0;
    this.heardAt = 0;
    this.retryMs = 1000;
    this.stopped = false;
  }

  start() {
    this.connect();
    this.reloader = setInterval(() => this.connected && this.check(), RELOAD_EVERY_MS);
    this.listener = setInterval(() => this.connected && this.listen(), 4000);
  }

  stop() {
    this.stopped = true;
    this.source?.close();
    clearInterval(this.reloader);
    clearInterval(this.listener);
    clearTimeout(this.retry);
  }

  /** The service's time, which is what ages are counted in. */
  now() {
    return Date.now() + this.clockOffsetMs;
  }

  async connect() {
    try {
      await this.load();
    } catch (error) {
      this.lost(error);
      return;
    }
    if (this.stopped) return;
    this.source?.close();
    const source = new EventSource("/api/events");
    this.source = source;
    source.addEventListener("stream", (event) => this.take(JSON.parse(event.data)));
    source.addEventListener("reload", () => this.check());
    for (const name of ["hello", "stream", "transition"]) {
      source.addEventListener(name, () => { this.heardAt = Date.now(); });
    }
    source.onerror = () => {
      source.close();
      if (this.source === source) this.lost();
    };
  }

  // Events alone do not tell a quiet fleet from a dead connection.
  async listen() {
    if (Date.now() - this.heardAt < QUIET_MS) return;
    const before = this.heardAt;
    if (await alive()) this.heardAt = Date.now();
    else if (this.connected && this.heardAt === before) {
      this.source?.close();
      this.lost();
    }
  }

  // What an event did not bring.
  async check() {
    try {
      await this.load();
    } catch (error) {
      this.source?.close();
      this.lost(error);
    }
  }

  async load() {
    const answer = await get("/api/streams");
    if (this.stopped) return;
    this.clockOffsetMs = Date.parse(answer.now) - Date.now();
    this.heardAt = Date.now();
    this.retryMs = 1000;
    this.streams = new Map(answer.streams.map((stream) => [stream.id, stream]));
    this.connected = true;
    this.connection(true);
    this.changed(null);
  }

  take(stream) {
    const before = this.streams.get(stream.id)?.recent ?? [];
    const newest = stream.recent.at(-1);
    const known = !newest || before.at(-1)?.at === newest.at;
    stream.recent = (known ? before : [...before, newest]).slice(-HEARTBEATS);
    this.streams.set(stream.id, stream);
    this.changed(stream.id);
  }

  lost(error) {
    if (this.stopped) return;
    if (error?.status === 401 || error?.status === 403) {
      this.stop();
      this.gone(error);
      return;
    }
    this.connected = false;
    this.connection(false);
    clearTimeout(this.retry);
    this.retry = setTimeout(() => this.connect(), this.retryMs);
    this.retryMs = Math.min(this.retryMs * 2, 10_000);
  }
}
