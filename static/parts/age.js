// How long ago something was, counted on by itself: so that what is around it need not be shown again every second.

import { html } from "../lib/html.js";
import { useTicking } from "../lib/hooks.js";
import { live } from "../lib/live.js";

/** `<${Age} at=${time} say=${(seconds) => "…"} />`; the rest are attributes. */
export function Age({ at, say, ...rest }) {
  const text = useTicking(() => say(live.secondsSince(at)));
  return html`<span ...${rest}>${text}</span>`;
}
