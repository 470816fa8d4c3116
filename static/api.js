// The API, with the session's cookies; nothing of a token is ever seen here.

export class ApiError extends Error {
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

async function request(method, path, body) {
  const headers = { "X-StreamPulse": "1" };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const response = await fetch(path, {
    method,
    headers,
    body: body === undefined ? undefined : JSON.stringify(body),
    credentials: "same-origin",
    signal: AbortSignal.timeout(method === "GET" ? 10_000 : 100_000),
  });
  const text = await response.text();
  let answer = null;
  try {
    answer = text ? JSON.parse(text) : null;
  } catch {
    throw new ApiError(response.status, "not_json", "The answer is not from StreamPulse.");
  }
  if (!response.ok) {
    const error = answer?.error ?? {};
    throw new ApiError(response.status, error.code ?? "unknown", error.message ?? `HTTP ${response.status}`);
  }
  return answer;
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
  refreshing ??= request("POST", "/api/refresh")
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

async function withSession(method, path, body) {
  if (session() === "none") throw new ApiError(401, "unauthorized", "Sign in.");
  if (!hint("sp_session_fresh")) await refresh();
  try {
    return await request(method, path, body);
  } catch (error) {
    if (error.status !== 401 || error.code === "wrong_password") throw error;
    await refresh();
    return request(method, path, body);
  }
}

export const get = (path) => withSession("GET", path);
export const post = (path, body) => withSession("POST", path, body);
export const login = (username, password) => request("POST", "/api/login", { username, password });
export const logout = () => request("POST", "/api/logout");
