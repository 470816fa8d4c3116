// A text with line numbers, its problems marked at their lines. Tab indents; Escape and then Tab leaves the field.

import { html, useEffect, useLayoutEffect, useRef } from "../../lib/html.js";
import { t } from "../../lib/language.js";

// As in settings.css: marks are laid over the text by it.
const LINE_PX = 20;
const INDENT = "  ";

const linesIn = (text) => text.split("\n").length;

/** `problems` is `[{line, message}]`; `goTo` is a ref that gets `goTo(line)`; `onText(text, caretLine)`; `describedby` an id. */
export function Editor({ label, text, onText, problems, goTo, describedby, onSave, disabled }) {
  const field = useRef(null);
  const moving = useRef([]);
  const leaving = useRef(false);
  const count = linesIn(text);
  const marks = new Map(problems.filter((one) => one.line).map((one) => [one.line, one]));

  const follow = () => {
    for (const layer of moving.current) layer.style.transform = `translateY(${-field.current.scrollTop}px)`;
  };
  useLayoutEffect(follow, [text]);
  useEffect(() => {
    goTo.current = (line) => {
      const lines = field.current.value.split("\n");
      const start = lines.slice(0, line - 1).join("\n").length + (line > 1 ? 1 : 0);
      field.current.focus();
      field.current.setSelectionRange(start, start + (lines[line - 1]?.length ?? 0));
      field.current.scrollTop = Math.max(0, (line - 6) * LINE_PX);
      field.current.scrollIntoView({ block: "nearest" });
    };
  }, []);

  const press = (event) => {
    if (event.key === "Tab" && !event.shiftKey && !leaving.current && !event.ctrlKey && !event.altKey && !event.metaKey) {
      event.preventDefault();
      indent(field.current);
    } else if (event.key === "Enter" && !event.isComposing) {
      event.preventDefault();
      type(field.current, `\n${margin(field.current)}`);
    } else if (event.key.toLowerCase() === "s" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      onSave();
    }
    leaving.current = event.key === "Escape" || (leaving.current && event.key === "Shift");
    // Nothing else is to be closed by it.
    if (event.key === "Escape") event.preventDefault();
  };
  const layer = (at) => (node) => { if (node) moving.current[at] = node; };
  return html`<div class="editor">
    <div class="gutter" aria-hidden="true"><div ref=${layer(0)}>
      <pre>${numbers(count)}</pre>
      ${[...marks.keys()].map((line) => html`<span key=${line} class="mark"
        style=${{ top: `${(line - 1) * LINE_PX}px` }}>${line}</span>`)}
    </div></div>
    <div class="paper">
      <div class="under" aria-hidden="true"><div ref=${layer(1)}>
        ${[...marks.values()].map((one) => html`<span key=${one.line} class="mark"
          style=${{ top: `${(one.line - 1) * LINE_PX}px` }} />`)}
      </div></div>
      <textarea ref=${field} aria-label=${label} aria-describedby=${describedby} aria-invalid=${marks.size ? "true" : null}
        wrap="off" spellcheck="false" autocapitalize="none"
        autocomplete="off" readonly=${disabled} value=${text} onScroll=${follow} onKeyDown=${press}
          onBlur=${() => { leaving.current = false; }}
        onInput=${({ currentTarget: { value, selectionStart } }) => onText(value, linesIn(value.slice(0, selectionStart)))} />
    </div>
    <p class="keys hint">${t.settings.file.keys}</p>
  </div>`;
}

let known = "";
let knownCount = 0;

// Built on what was there: a file of ten thousand lines is typed in, too.
function numbers(count) {
  if (count < knownCount) [known, knownCount] = ["", 0];
  const more = [];
  for (let n = knownCount + 1; n <= count; n += 1) more.push(n);
  known += more.length ? `${more.join("\n")}\n` : "";
  knownCount = count;
  return known;
}

// As if it were typed, so that it can be undone: the one thing for which there is no other way.
function type(field, text) {
  if (!document.execCommand("insertText", false, text)) {
    field.setRangeText(text, field.selectionStart, field.selectionEnd, "end");
    field.dispatchEvent(new Event("input", { bubbles: true }));
  }
}

function margin({ value, selectionStart }) {
  const line = value.slice(value.lastIndexOf("\n", selectionStart - 1) + 1, selectionStart);
  return /^ */.exec(line)[0];
}

function indent(field) {
  const { value, selectionStart, selectionEnd } = field;
  if (!value.slice(selectionStart, selectionEnd).includes("\n")) {
    type(field, INDENT);
    return;
  }
  const start = value.lastIndexOf("\n", selectionStart - 1) + 1;
  const end = value[selectionEnd - 1] === "\n" ? selectionEnd - 1 : selectionEnd;
  field.setSelectionRange(start, end);
  const moved = value.slice(start, end).replace(/^(?=.)/gm, INDENT);
  type(field, moved);
  field.setSelectionRange(start, start + moved.length);
}
