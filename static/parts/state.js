// How a state is shown: icon, word and colour together.

import { html } from "../lib/html.js";
import { t } from "../lib/language.js";
import { Icon } from "./icon.js";

/** Worst first: what needs a person comes before what does not. */
export const ORDER = ["down", "degraded", "unknown", "maintenance", "up", "off"];

/** The state that a stream is shown in: "off" when it is switched off. */
export const shownState = (stream) => (stream.enabled ? stream.state : "off");

/** `<${State} state="down" />` */
export function State({ state }) {
  return html`<span class="state" data-state=${state}><${Icon} name=${state} />${t.states[state]}</span>`;
}
