// The stages of a probe, one under the other, each where it was in time.

import { html } from "../lib/html.js";
import { fine } from "../lib/format.js";
import { t } from "../lib/language.js";

/** `report` is a probe's, with `phases_ms`, `outcome` and `stage`. */
export function Waterfall({ report }) {
  const phases = Object.entries(report.phases_ms ?? {});
  if (phases.length === 0) return html`<p class="hint">${t.stream.noStages}</p>`;
  const total = phases.reduce((sum, [, ms]) => sum + ms, 0) || 1;
  let before = 0;
  return html`<dl class="waterfall">${phases.map(([stage, ms]) => {
    const failed = report.outcome === "failed" && report.stage === stage;
    const start = before;
    before += ms;
    return html`<div key=${stage} data-failed=${failed ? "" : null}>
      <dt>${t.stages[stage] ?? stage}${failed && ` ${t.stream.broke}`}</dt>
      <dd><i style=${{ marginInlineStart: `${(start / total) * 98}%`, width: `${Math.max((ms / total) * 98, 0.8)}%` }}></i></dd>
      <dd class="number">${fine(ms)}</dd>
    </div>`;
  })}</dl>`;
}
