// The API, with the session's cookies; nothing of a token is ever seen here.

import { t } from "./language.js";

export class ApiError extends Error {
  constructor(status, code, message, details = []) {
    super(message);
    this.status = status;
    this.code = code;
    /** What is wrong, one by one: `{path, message, line}` where the body was refused. */
    this.details = details;
  }
}

const GET_TIMEOUT_MS = 15_000;
const CHANGE_TIMEOUT_MS = 100_000;

async function send(method, path, { body, headers = {}, signal } = {}) {
  const timeout = AbortSignal.timeout(method === "GET" ? GET_TIMEOUT_MS : CHANGE_TIMEOUT_MS);
  const text = typeof body === "string";
  const response = await fetch(path, {
    method,
    headers: {
      "X-StreamPulse": "1",
      ...(body === undefined ? {} : { "Content-Type": text ? "text/yaml" : "application/json" }),
      ...headers,
    },
    body: body === undefined || text ? body : JSON.stringify(body),
    credentials: "same-origin",
    signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
  });
  const answer = await response.text();
  const isJson = response.headers.get("content-type")?.startsWith("application/json");
  let value = answer;
  if (isJson || !response.ok) {
    try {
      value = answer ? JSON.parse(answer) : null;
    } catch {
      throw new ApiError(response.status, "not_json", t.api.notOurs(response.status));
    }
  }
  if (!response.ok) {
    const error = value?.error ?? {};
    throw new ApiError(response.status, error.code ?? "unknown", error.message ?? t.api.status(response.status), error.details);
  }
  return { value, etag: response.headers.get("etag"), status: response.status };
}

let refreshing = null;

/** True when the service answers at all. */
export async function alive() {
  try {
    return (await fetch("/healthz", { signal: AbortSignal.timeout(5000), cache: "no-store" })).ok;
  } catch {
    return false;
  }
}

// One refresh at a time in this tab; a 409 says that another tab was first, and its cookies are ours too.
function refresh() {
  refreshing ??= send("POST", "/api/refresh")
    .catch((error) => {
      if (error.status !== 409) throw error;
    })
    .finally(() => {
      refreshing = null;
    });
  return refreshing;
}

// The service says by two cookies without a secret whether there is a session, so that nobody asks in vain.
const hint = (name) => document.cookie.split("; ").find((pair) => pair.startsWith(`${name}=`))?.split("=")[1];

/** "none", "change" while the first password must be changed, else "open". */
export function session() {
  return { undefined: "none", change: "change" }[hint("sp_session")] ?? "open";
}

let ended = () => {};

/** Calls this when a request finds that the session is over, or that the password must be changed first. */
export function onSessionEnd(handler) {
  ended = handler;
}

const endsSession = (error) => error instanceof ApiError
  && ((error.status === 401 && error.code !== "wrong_password") || error.code === "password_change_required");

/** A request in the session: `{value, etag, status}`. Throws an [`ApiError`], or what `fetch` throws without an answer. */
export async function request(method, path, options) {
  try {
    if (session() === "none") throw new ApiError(401, "unauthorized", t.signIn.title);
    if (!hint("sp_session_fresh")) await refresh();
    try {
      return await send(method, path, options);
    } catch (error) {
      if (error.status !== 401 || error.code === "wrong_password") throw error;
      await refresh();
      return await send(method, path, options);
    }
  } catch (error) {
    if (endsSession(error)) ended(error);
    throw error;
  }
}

const valueOf = async (answer) => (await answer).value;

/** The value of an answer: JSON, or text where it is none. */
export const get = (path, signal) => valueOf(request("GET", path, { signal }));
export const post = (path, body) => valueOf(request("POST", path, { body }));
export const put = (path, body, headers) => valueOf(request("PUT", path, { body, headers }));
export const patch = (path, body, headers) => valueOf(request("PATCH", path, { body, headers }));
export const remove = (path) => valueOf(request("DELETE", path));
export const login = (username, password) => valueOf(send("POST", "/api/login", { body: { username, password } }));
export const logout = () => valueOf(send("POST", "/api/logout"));

/** A picture as `{url, takenAt}`: an object URL that the caller revokes, and when it was taken; null when there is none. */
export async function picture(path, signal) {
  const response = await fetch(path, { credentials: "same-origin", signal });
  if (!response.ok) return null;
  return { url: URL.createObjectURL(await response.blob()), takenAt: response.headers.get("last-modified") };
}

/** The address of something of a stream. */
export const streamPath = (id, rest = "") => `/api/streams/${encodeURIComponent(id)}${rest}`;
