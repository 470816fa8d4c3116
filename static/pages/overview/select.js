// Which streams are shown, and in which order.

import { t } from "../../lib/language.js";
import { byName, compareNames } from "../../lib/names.js";
import { ORDER, shownState } from "../../parts/state.js";

const rank = Object.fromEntries(ORDER.map((state, index) => [state, index]));

const orders = {
  state: (a, b) => rank[shownState(a)] - rank[shownState(b)],
  name: () => 0,
  latency: (a, b) => (b.latency_ms ?? -1) - (a.latency_ms ?? -1),
  checked: (a, b) => (a.checked_at ?? "").localeCompare(b.checked_at ?? ""),
};

const has = (text, words) => words.every((word) => text.includes(word));

/** The streams that `filter` (`{q, state, group, tag, sort}`) lets through, in its order: worst first without one. */
export function select(streams, { q = "", state = "", group = "", tag = "", sort = "state" }) {
  const words = q.toLowerCase().split(/\s+/).filter(Boolean);
  const order = orders[sort] ?? orders.state;
  // A sort keeps the order of names where nothing else decides.
  return byName(streams)
    .filter((stream) => (!state || shownState(stream) === state)
      && (!group || stream.group === group)
      && (!tag || stream.tags.includes(tag))
      && (words.length === 0 || has([stream.name, stream.id, stream.group, stream.url, stream.reason, t.reasons[stream.reason]?.title,
        t.states[shownState(stream)], stream.message, ...stream.tags, ...stream.issues.map((issue) => t.issues[issue]?.title)]
        .join(" ").toLowerCase(), words)))
    .sort(order);
}

/** Groups and tags there are, and how many streams are in each state. */
export function kinds(streams) {
  const groups = new Set();
  const tags = new Set();
  const states = {};
  for (const stream of streams.values()) {
    if (stream.group) groups.add(stream.group);
    stream.tags.forEach((tag) => tags.add(tag));
    states[shownState(stream)] = (states[shownState(stream)] ?? 0) + 1;
  }
  return { groups: [...groups].sort(compareNames), tags: [...tags].sort(compareNames), states };
}
