// The configuration as values: read, looked up, changed.

import { patch, request } from "../../lib/api.js";

/** `{etag, values}`; secrets are `***`. */
export const readConfig = async () => (await request("GET", "/api/config?format=json")).value;

/** All of `changes`, `[{path, value}]`, or none. */
export const saveConfig = (etag, changes) => patch("/api/config", changes, { "If-Match": etag });

/** The value at "probe.timeout_seconds"; undefined when nothing is there. */
export const valueAt = (values, path) => path.split(".").reduce((value, key) => value?.[key], values) ?? undefined;
