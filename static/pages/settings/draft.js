// A camera as it is typed, and as it is written: text in fields here, an entry of config.yaml there.

/** What stands in the place of a stored secret. */
export const HIDDEN = "***";

/** The looks at a picture: the threshold they have by default, from, to, unit. The last one has none. */
export const CHECKS = {
  black: [24, 2, 255, "luma"],
  overexposed: [55, 2, 100, "percent"],
  frozen: [8, 2, 10_000, "heartbeats"],
  blurred: [40, 2, 100, "percent"],
  low_contrast: [30, 2, 255, "luma"],
  colour_cast: [18, 2, 127, "luma"],
  scene_changed: [40, 2, 100, "percent"],
  facts_changed: [null],
};

/** "7" is 7, "" is nothing, and any other text stays what it is: the service says what is wrong with it. */
export function numberOf(text) {
  const trimmed = String(text ?? "").trim();
  if (trimmed === "") return undefined;
  return /^-?\d+(\.\d+)?$/.test(trimmed) ? Number(trimmed) : trimmed;
}

/** The same value; "not there" and null are one. */
export const same = (a, b) => JSON.stringify(a ?? null) === JSON.stringify(b ?? null);

const QUOTED_OR_NOT = /\s*(?:"((?:[^"]|"")*)"\s*(?=,|$)|([^,]*))(?:,|$)/g;

/** `a, "b, c"` as a list; what has a comma in it stands in quotes. */
export const listOf = (text) => [...text.matchAll(QUOTED_OR_NOT)]
  .map(([, quoted, plain]) => (quoted?.replaceAll('""', '"') ?? plain).trim()).filter(Boolean);

/** A list as `listOf` takes it. */
export const textOfList = (list) => (list ?? [])
  .map((one) => (/[,"]/.test(one) ? `"${String(one).replaceAll('"', '""')}"` : one)).join(", ");

// As the service does it: what is not percent-encoded stays, because people paste passwords as they are.
function decoded(text) {
  try {
    return text.replace(/(?:%[0-9a-f]{2})+/gi, (run) => decodeURIComponent(run));
  } catch {
    return text;
  }
}

/** `{plain, info, user, password}`: an address, and what stands before its host; without `info` there is nothing. */
export function splitAddress(url) {
  const found = /^\s*([a-z][a-z0-9+.-]*:\/\/)([^/?#]*)@(.*)$/i.exec(url);
  if (!found) return { plain: url.trim(), info: null, user: "", password: "" };
  const [, scheme, info, rest] = found;
  const colon = info.indexOf(":");
  const [user, password] = colon < 0 ? [info, ""] : [info.slice(0, colon), info.slice(colon + 1)];
  return { plain: `${scheme}${rest}`.trim(), info, user: decoded(user), password: decoded(password) };
}

/** Scheme, host and port: to whom a password is told. */
function target(url) {
  const found = /^([a-z]+):\/\/(\[[^\]]*\]|[^/?#:]*)(?::(\d+))?/i.exec(url.trim().toLowerCase());
  if (!found) return url;
  return [found[1], found[2], found[3] ?? { rtsp: "554", rtsps: "322", http: "80", https: "443" }[found[1]]].join(" ");
}

const own = (entry) => {
  const { plain, info, user, password } = splitAddress(entry.url ?? "");
  return {
    plain, info,
    user: String(entry.username ?? user),
    hasPassword: Boolean(entry.password ?? password),
  };
};

/** The fields of an entry; of none, those of a new camera. */
export function draftOf(entry = {}) {
  const { plain, user, hasPassword } = own(entry);
  const text = (value) => (value === undefined || value === null ? "" : String(value));
  const checks = Object.fromEntries(Object.keys(CHECKS).map((name) => {
    const value = entry.checks?.[name];
    return [name, { on: value !== false, limit: typeof value === "boolean" ? "" : text(value) }];
  }));
  return {
    url: plain, username: user, password: "", kept: hasPassword,
    name: text(entry.name), group: text(entry.group), tags: textOfList(entry.tags), id: text(entry.id),
    enabled: entry.enabled !== false,
    heartbeat_seconds: text(entry.heartbeat_seconds), timeout_seconds: text(entry.timeout_seconds),
    transport: text(entry.transport) || "auto",
    tls_verify: entry.tls_verify !== false, tls_fingerprint: text(entry.tls_fingerprint), ca_file: text(entry.ca_file),
    parent: text(entry.parent),
    checks,
    codec: text(entry.expect?.codec), width: text(entry.expect?.width), height: text(entry.expect?.height),
  };
}

/** True when the stored password cannot stay: it would go to another host or user, or under another trust. */
export function needsPassword(draft, before = {}) {
  const was = own(before);
  if (!was.hasPassword || draft.password !== "") return false;
  if (draft.username.trim() !== was.user) return draft.username.trim() !== "";
  const trust = ["tls_fingerprint", "ca_file"].some((key) => draft[key].trim() !== String(before[key] ?? ""));
  return target(draft.url) !== target(was.plain) || trust || draft.tls_verify !== (before.tls_verify !== false);
}

// Where they were, while they are what they were: a hidden password is only known in its place.
function credentials(draft, before) {
  const was = own(before);
  const user = draft.username.trim();
  if (user === was.user && draft.password === "") {
    const scheme = /^[a-z][a-z0-9+.-]*:\/\//i.exec(draft.url.trim())?.[0];
    const back = was.info !== null && scheme ? `${scheme}${was.info}@${draft.url.trim().slice(scheme.length)}` : draft.url.trim();
    return { url: back, username: before.username, password: before.password };
  }
  return { url: draft.url.trim(), username: user || undefined, password: draft.password || undefined };
}

/** The entry that `draft` means. What these fields do not know stays as it was in `before`. */
export function entryOf(draft, before = {}) {
  const text = (value) => value.trim() || undefined;
  const checks = { ...before.checks };
  for (const [name, { on, limit }] of Object.entries(draft.checks)) {
    checks[name] = on ? numberOf(limit) ?? (before.checks?.[name] === true ? true : undefined) : false;
  }
  // As the file has them while nobody touches them.
  const tags = draft.tags === textOfList(before.tags) ? before.tags : listOf(draft.tags);
  const flag = (key, standard) => (draft[key] === standard && (before[key] ?? null) === null ? undefined : draft[key]);
  return withoutNothing({
    ...before,
    name: text(draft.name),
    ...credentials(draft, before),
    id: text(draft.id),
    enabled: flag("enabled", true),
    heartbeat_seconds: numberOf(draft.heartbeat_seconds),
    timeout_seconds: numberOf(draft.timeout_seconds),
    transport: draft.transport === "auto" && !before.transport ? undefined : draft.transport,
    group: text(draft.group),
    tags: tags === before.tags || tags.length ? tags : undefined,
    tls_verify: flag("tls_verify", true),
    tls_fingerprint: text(draft.tls_fingerprint),
    ca_file: text(draft.ca_file),
    parent: text(draft.parent),
    checks: withoutNothing(checks),
    expect: withoutNothing({
      ...before.expect, codec: text(draft.codec), width: numberOf(draft.width), height: numberOf(draft.height),
    }),
  });
}

function withoutNothing(object) {
  const some = Object.entries(object).filter(([, value]) => value !== undefined && value !== null
    && !(typeof value === "object" && !Array.isArray(value) && Object.keys(value).length === 0));
  return Object.fromEntries(some);
}

const PROBED = ["url", "username", "password", "transport", "timeout_seconds", "tls_verify", "tls_fingerprint", "ca_file"];

/** What `POST /api/probe` takes of it; `id` is the stream whose password is kept. */
export function probeOf(draft, before, id) {
  const entry = entryOf(draft, before);
  const body = Object.fromEntries(PROBED.filter((key) => entry[key] !== undefined).map((key) => [key, entry[key]]));
  return id ? { ...body, stream: id } : body;
}

/** What makes `before` into `after` (RFC 7396): null takes a key out. */
export function mergePatch(before, after) {
  const patch = {};
  const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
  for (const key of new Set([...Object.keys(before), ...Object.keys(after)])) {
    if (same(before[key], after[key])) continue;
    patch[key] = isObject(before[key]) && isObject(after[key]) ? mergePatch(before[key], after[key]) : after[key] ?? null;
  }
  return patch;
}

/**
 * Fields after somebody else changed the entry: what was typed stays, the rest is theirs. `{draft, clashes}`, the latter the keys
 * that both have changed.
 */
export function rebase(draft, before, theirs) {
  const [was, is] = [draftOf(before), draftOf(theirs)];
  const clashes = [];
  const rebased = {};
  for (const key of Object.keys(draft)) {
    const typed = !same(draft[key], was[key]);
    rebased[key] = typed ? draft[key] : is[key];
    if (typed && !same(was[key], is[key]) && !same(draft[key], is[key])) clashes.push(key);
  }
  return { draft: rebased, clashes };
}
