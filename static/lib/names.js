// The order of names: "Camera 2" before "Camera 10". A list of names is sorted once, not with each event.

import { locale } from "./language.js";

const collator = new Intl.Collator(locale, { numeric: true, sensitivity: "base" });

/** For `sort`. */
export const compareNames = (one, other) => collator.compare(one, other);

// What was sorted last: the map, and its ids and names as they were then.
let sorted = { of: null, names: new Map(), ids: [] };

// Events put another stream in the place of one; its name is the same nearly always.
function isSorted(streams) {
  if (sorted.of !== streams || sorted.names.size !== streams.size) return false;
  for (const [id, { name }] of streams) if (sorted.names.get(id) !== name) return false;
  return true;
}

/** The streams of a map by id, as they are now, sorted by name. */
export function byName(streams) {
  if (!isSorted(streams)) {
    const names = new Map([...streams].map(([id, { name }]) => [id, name]));
    const ids = [...names.keys()].sort((one, other) => compareNames(names.get(one), names.get(other)));
    sorted = { of: streams, names, ids };
  }
  return sorted.ids.map((id) => streams.get(id));
}
