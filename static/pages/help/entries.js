// Reasons and picture issues as the legend has them: in which order, in which state a stream is then, and what is said.

import { html } from "../../lib/html.js";
import { t } from "../../lib/language.js";
import { State } from "../../parts/state.js";

const GROUPS = {
  reach: ["dns_failed", "connection_refused", "unreachable", "connect_timeout", "tls_failed"],
  refuse: [
    "auth_failed", "forbidden", "not_found", "session_not_found", "unsupported_transport", "request_refused", "server_error",
    "protocol_error", "redirect_loop", "response_timeout",
  ],
  media: ["no_video", "unsupported_codec", "no_data", "no_keyframe", "stalled", "corrupt", "picture_too_large"],
  ours: ["busy", "worker_crashed", "worker_timeout", "overloaded", "monitor_offline", "prober_unreachable"],
};

const grouped = new Set(Object.values(GROUPS).flat());
// A reason that is new and in no group yet is told all the same. Of "ok" there is nothing to say.
const others = Object.keys(t.reasons).filter((name) => name !== "ok" && !grouped.has(name));

/** `[{name, entries}]`, in the order in which a probe may end. */
export const REASONS = [...Object.entries(GROUPS), ["other", others]]
  .map(([group, names]) => ({
    name: group,
    entries: names.map((name) => ({ name, words: t.reasons[name], state: group === "ours" ? "unknown" : "down" })),
  }))
  .filter(({ entries }) => entries.length > 0);

export const ISSUES = Object.entries(t.issues).map(([name, words]) => ({ name, words, state: "degraded" }));

/** `heading` is the level: h3 where there is no group above it. */
export function Entry({ name, words, state, heading = "h4" }) {
  return html`<article class="help-entry">
    <header><${heading}>${words.title}<//><${State} state=${state} /><code>${name}</code></header>
    <p>${words.sentence}</p>
    ${words.next && html`<p><b>${t.help.next}:</b> ${words.next}</p>`}
  </article>`;
}
