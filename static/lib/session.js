// Who is signed in and in which zone: asked once after signing in, before anything else is shown.

import { get } from "./api.js";
import { setZone } from "./format.js";

const rank = { viewer: 0, operator: 1, admin: 2 };

/** `{username, role, groups, …}` of `/api/me`; null before. */
export let me = null;

/** What `/api/cfg` says of the time zone. */
export let zone = { timezone: "UTC", timezone_set: true };

export async function begin() {
  [me, zone] = await Promise.all([get("/api/me"), get("/api/cfg")]);
  setZone(zone.timezone);
}

/** After a change of the configuration. */
export async function readZone() {
  zone = await get("/api/cfg");
  setZone(zone.timezone);
}

/** True for whoever has at least this role. */
export const can = (role) => (rank[me?.role] ?? -1) >= rank[role];
