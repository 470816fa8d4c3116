// Two texts of one file: what is on disk and what was typed, line by line, and which of them is to be.

import { html, useEffect, useMemo, useRef } from "../../lib/html.js";
import { t } from "../../lib/language.js";
import { diffLines, pieces } from "./diff.js";
import { press } from "./focus.js";

const SIGNS = { same: " ", theirs: "−", mine: "+" };

export function Conflict({ theirs, mine, take, over, saving }) {
  const box = useRef(null);
  const parts = useMemo(() => pieces(diffLines(theirs, mine)), [theirs, mine]);
  useEffect(() => { box.current.focus(); }, []);
  const s = t.settings.file;
  return html`<section class="clash" ref=${box} tabindex="-1" aria-labelledby="conflict">
    <h2 id="conflict">${s.conflictTitle}</h2>
    <p>${s.conflictText}</p>
    <p class="legend"><del>− ${s.onDisk}</del> <ins>+ ${s.yours}</ins></p>
    <div class="diff" role="region" aria-label=${s.differences}
      tabindex="0">${parts.map((lines) => html`<pre>${lines.map(({ kind, text, line }) => {
      const shown = `${String(line).padStart(4)} ${SIGNS[kind]} ${text}\n`;
      if (kind === "same") return html`<span>${shown}</span>`;
      return kind === "theirs" ? html`<del>${shown}</del>` : html`<ins>${shown}</ins>`;
    })}</pre>`)}</div>
    <div class="buttons">
      <button type="button" ...${press(saving, take)}>${s.takeTheirs}</button>
      <button type="button" class="danger" ...${press(saving, over)}>${s.saveMine}</button>
    </div>
  </section>`;
}
