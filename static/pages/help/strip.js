// What the bars of a strip mean, each drawn as it is in a strip.

import { html } from "../../lib/html.js";
import { t } from "../../lib/language.js";
import { bar, frame, heights } from "../../parts/strip.js";

// A camera that was busy once, failed, came back with something wrong, and is fine again.
const EXAMPLE = ["none", "none", "none", ..."uuuuuuuqqufffddduuuuuu"];

function Bars({ letters, label }) {
  return html`<svg class="strip" viewBox=${frame(letters.length)} preserveAspectRatio="none"
    role=${label ? "img" : null} aria-label=${label} aria-hidden=${label ? null : "true"}>
    ${letters.map((letter, index) => html`<path class=${letter} d=${bar(index, heights[letter])} />`)}</svg>`;
}

export function Strip() {
  return html`<p class="hint">${t.help.stripHint}</p>
    <div class="help-strip"><${Bars} letters=${EXAMPLE} label=${t.help.stripExample} /></div>
    <dl class="help-list">${Object.entries(t.help.bars).map(([letter, { title, text }]) => html`
      <div><dt class="help-bar"><${Bars} letters=${[letter]} />${title}</dt><dd>${text}</dd></div>`)}</dl>`;
}
