// The last heartbeats as a strip of bars. Height says it as well as colour: a failed one is a full bar, a good one two thirds.

import { html } from "../lib/html.js";
import { t } from "../lib/language.js";
import { HEARTBEATS } from "../lib/live.js";

const WIDTH = 4;
const GAP = 1;
const HEIGHT = 20;
/** By letter; `none` is where there was no heartbeat yet. */
export const heights = { u: 13, d: 16, f: 20, q: 7, none: 7 };

/** So many bars, as a viewBox; one of them, as a path. */
export const frame = (count) => `0 0 ${count * (WIDTH + GAP) - GAP} ${HEIGHT}`;
export const bar = (at, height) => `M${at * (WIDTH + GAP)} ${HEIGHT - height}h${WIDTH}v${height}h-${WIDTH}Z`;

/** `letters` is the strip of the list: oldest first, u d f q. */
export function Strip({ letters }) {
  const first = HEARTBEATS - letters.length;
  const paths = { u: "", d: "", f: "", q: "" };
  [...letters].forEach((letter, index) => { paths[letter] += bar(first + index, heights[letter]); });
  const missing = Array.from({ length: first }, (_, index) => bar(index, heights.none)).join("");
  const good = letters.length - letters.replace(/[ud]/g, "").length;
  return html`<svg class="strip" viewBox=${frame(HEARTBEATS)} preserveAspectRatio="none"
    role="img" aria-label=${t.strip(good, letters.length)}>
    ${missing && html`<path class="none" d=${missing} />`}
    ${Object.entries(paths).map(([letter, d]) => d && html`<path class=${letter} d=${d} />`)}
  </svg>`;
}
