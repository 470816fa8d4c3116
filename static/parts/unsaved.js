// Nothing typed is lost by a click beside it: asks before a page with unsaved changes is left.

import { useEffect, useRef } from "../lib/html.js";
import { t } from "../lib/language.js";
import { guardLeaving } from "../lib/router.js";
import { ask } from "./feedback.js";

/** Asks while `dirty`. Gives a function that lets go of it, for right before the page goes on by itself. */
export function useUnsaved(dirty) {
  const state = useRef({});
  state.current.dirty = dirty;
  useEffect(() => {
    const held = () => state.current.dirty && !state.current.released;
    const unload = (event) => {
      if (held()) event.preventDefault();
    };
    const release = guardLeaving({ dirty: held, ask: () => ask(t.unsaved) });
    window.addEventListener("beforeunload", unload);
    return () => {
      release();
      window.removeEventListener("beforeunload", unload);
    };
  }, []);
  return () => { state.current.released = true; };
}
