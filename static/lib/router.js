// Addresses are after the `#`: "#/streams/gate?tab=history". A page has its own, so that "back" and links work.

import { useEffect, useState } from "./html.js";

function parse() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const parts = path.split("/").filter(Boolean).map((part) => {
    try {
      return decodeURIComponent(part);
    } catch {
      return part;
    }
  });
  return { parts, query: new URLSearchParams(query) };
}

/** link("streams", id) is "#/streams/gate"; a last argument that is an object is the query. */
export function link(...parts) {
  const query = typeof parts.at(-1) === "object" ? parts.pop() : {};
  const given = Object.entries(query).filter(([, value]) => value !== null && value !== undefined && value !== "");
  const path = parts.map(encodeURIComponent).join("/");
  return `#/${path}${given.length ? `?${new URLSearchParams(given)}` : ""}`;
}

/** Goes to `link(…)`; `replace` leaves no step for "back". */
export function go(to, { replace = false } = {}) {
  if (replace) {
    history.replaceState(null, "", to);
    window.dispatchEvent(new HashChangeEvent("hashchange"));
  } else {
    location.hash = to;
  }
}

// What would be lost: `{dirty(), ask()}`; the address before this one.
const guards = new Set();
let here = location.hash;
let previous = "";
let asking = false;
let leaving = false;

// Registered before any page listens. An address cannot be refused, so the old one is put on top of it again, and the new one is
// a step back from there.
window.addEventListener("hashchange", async (event) => {
  const guard = leaving ? null : [...guards].find((one) => one.dirty());
  leaving = false;
  if (!guard) {
    if (location.hash !== here) [previous, here] = [here, location.hash];
    return;
  }
  event.stopImmediatePropagation();
  history.pushState(null, "", here || location.pathname);
  if (asking) return;
  asking = true;
  leaving = await guard.ask();
  asking = false;
  if (leaving) history.back();
});

/** Asks before the address changes while `dirty()`: `ask()` gives true when it may. Gives the end of it. */
export function guardLeaving(guard) {
  guards.add(guard);
  return () => guards.delete(guard);
}

/** True while something is typed and not saved. */
export const holdsUnsaved = () => [...guards].some((one) => one.dirty());

/** Asks whoever holds unsaved changes: true when nothing holds, or it may go. */
export async function mayLeave() {
  const guard = [...guards].find((one) => one.dirty());
  return !guard || guard.ask();
}

/** The address that led here, "" at first. */
export const cameFrom = () => previous;

/** `{parts, query}` of the address, now and whenever it changes. */
export function useRoute() {
  const [route, setRoute] = useState(parse);
  useEffect(() => {
    const follow = () => setRoute(parse());
    window.addEventListener("hashchange", follow);
    return () => window.removeEventListener("hashchange", follow);
  }, []);
  return route;
}
