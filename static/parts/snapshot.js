// The last verified picture of a stream, or why there is none.

import { html, useEffect, useState } from "../lib/html.js";
import { streamPath } from "../lib/api.js";
import { t } from "../lib/language.js";
import { live } from "../lib/live.js";

// The shape that cards have. A picture of nearly that shape fills it; another one is shown whole.
const SHAPE = 16 / 9;

/** Two heartbeats without a new picture: what is shown is the past, and must look like it. */
export const isOld = (stream) => Boolean(stream.picture_at)
  && live.secondsSince(stream.picture_at) > 2.5 * stream.heartbeat_seconds + 10;

/** The address of the picture that was taken then. */
export const pictureOf = (stream) => `${streamPath(stream.id, "/snapshot.jpg")}?at=${Date.parse(stream.picture_at)}`;

/** The picture; `blank` is said where there is none. */
export function Snapshot({ stream, blank = t.picture.none, lazy = true }) {
  const [failed, setFailed] = useState(null);
  const [whole, setWhole] = useState(false);
  useEffect(() => setFailed(null), [stream.picture_at]);
  if (!stream.picture_at || failed === stream.picture_at) {
    return html`<span class="blank">${stream.picture_at ? t.picture.failed : blank}</span>`;
  }
  return html`<img src=${pictureOf(stream)} alt=${t.picture.of(stream.name)} loading=${lazy ? "lazy" : "eager"} decoding="async"
    data-whole=${whole ? "" : null}
    onError=${() => setFailed(stream.picture_at)}
    onLoad=${(event) => {
      const { naturalWidth, naturalHeight } = event.currentTarget;
      setWhole(Math.abs(naturalWidth / naturalHeight / SHAPE - 1) > 0.15);
    }} />`;
}
