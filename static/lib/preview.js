// Live pictures: the parts of a multipart/x-mixed-replace answer (RFC 2046 section 5.1), one by one as they come.

import { ApiError, request, session, streamPath } from "./api.js";
import { t } from "./language.js";

const SECONDS = 120;
const HEAD_END = "\r\n\r\n";

/** Bytes that come in pieces, taken by what they hold. */
class Pieces {
  constructor(reader) {
    this.reader = reader;
    this.bytes = new Uint8Array(0);
  }

  async more() {
    const { value, done } = await this.reader.read();
    if (done) return false;
    const joined = new Uint8Array(this.bytes.length + value.length);
    joined.set(this.bytes);
    joined.set(value, this.bytes.length);
    this.bytes = joined;
    return true;
  }

  /** The text up to an empty line, or null at the end. */
  async head() {
    for (;;) {
      // A head is short; the picture behind it is not text.
      const text = new TextDecoder("latin1").decode(this.bytes.subarray(0, 1024));
      const end = text.indexOf(HEAD_END);
      if (end >= 0) {
        this.bytes = this.bytes.subarray(end + HEAD_END.length);
        return text.slice(0, end);
      }
      if (!(await this.more())) return null;
    }
  }

  async take(length) {
    while (this.bytes.length < length) if (!(await this.more())) return null;
    const taken = this.bytes.slice(0, length);
    this.bytes = this.bytes.subarray(length);
    return taken;
  }
}

const header = (head, name) => new RegExp(`^${name}: *(.*)$`, "im").exec(head)?.[1];

/**
 * Calls `show(blob, takenAt)` for each picture until `signal` is aborted or the service ends it, which is no error. Throws what
 * `request` throws.
 */
export async function watch(id, show, signal) {
  const path = streamPath(id, `/preview?seconds=${SECONDS}`);
  if (session() === "open") await request("GET", "/api/me", { signal });
  const response = await fetch(path, { credentials: "same-origin", signal });
  if (!response.ok) {
    const { error = {} } = await response.json().catch(() => ({}));
    throw new ApiError(response.status, error.code ?? "unknown", error.message ?? t.api.status(response.status), error.details);
  }
  const pieces = new Pieces(response.body.getReader());
  for (;;) {
    const head = await pieces.head();
    const length = Number(head && header(head, "Content-Length"));
    if (!length) return;
    const jpeg = await pieces.take(length);
    if (!jpeg) return;
    show(new Blob([jpeg], { type: "image/jpeg" }), Number(header(head, "X-Timestamp")) * 1000);
  }
}
