// Whether a figure is good: by icon, word and colour.

import { html } from "../lib/html.js";
import { t } from "../lib/language.js";
import { Icon } from "./icon.js";

/** Worst first. */
export const KINDS = ["bad", "attention", "good", "info"];

const states = { bad: "down", attention: "degraded", good: "up", info: "off" };
const icons = { bad: "down", attention: "degraded", good: "up", info: "more" };

/** `<${Mark} kind="good" />`: good, attention, bad, or info for what is neither. */
export function Mark({ kind }) {
  return html`<span class="state" data-state=${states[kind]}><${Icon} name=${icons[kind]} />${t.about.marks[kind]}</span>`;
}
