// What is said of announced work.

import { useEffect } from "../../lib/html.js";
import { t } from "../../lib/language.js";
import { live } from "../../lib/live.js";
import { nameOf } from "./words.js";

const MOST_NAMES = 3;

/** "Gate", "Gate, Hall, Yard and 4 more", "Every stream". */
export function worksOn({ streams }) {
  if (streams.length === 0) return t.maintenance.every;
  const names = streams.map(nameOf);
  // A list of two names and "1 more" is longer than three names.
  const shown = names.length === MOST_NAMES + 1 ? names : names.slice(0, MOST_NAMES);
  return t.incidents.names(shown, names.length - shown.length);
}

/** True once it has begun. */
export const hasBegun = (work) => Date.parse(work.from) <= live.now();

/** True while it goes on. */
export const goesOn = (work) => hasBegun(work) && Date.parse(work.until) > live.now();

/** The announced work, of those that go on, that a stream is in maintenance for; undefined when it is a window of the file. */
export const workOn = (announced, stream) => announced
  .filter((work) => goesOn(work) && (work.streams.length === 0 || work.streams.includes(stream)))
  .sort((one, other) => Date.parse(other.until) - Date.parse(one.until))[0];

const listeners = new Set();

/** Work was announced, ended or taken back here. */
export const tellWork = () => listeners.forEach((listener) => listener());

/** Calls `again` when work was announced, ended or taken back in this page. */
export function useWork(again) {
  useEffect(() => {
    listeners.add(again);
    return () => listeners.delete(again);
  }, [again]);
}
