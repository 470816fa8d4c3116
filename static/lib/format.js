// Numbers and times as people read them. Times are in the configured zone, whatever the browser's is.

import { locale, t } from "./language.js";

let zone = "UTC";
let formats = {};

/** The zone of the configuration. One that this browser does not know is shown as UTC. */
export function setZone(name) {
  try {
    new Intl.DateTimeFormat(locale, { timeZone: name });
    zone = name;
  } catch {
    zone = "UTC";
  }
  formats = {};
}

/** The zone that times are shown in. */
export const shownZone = () => zone;

/** The zone of this browser. */
export const browserZone = () => Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";

function format(name, options) {
  formats[name] ??= new Intl.DateTimeFormat(locale, { timeZone: zone, ...options });
  return formats[name];
}

const at = (value) => (value instanceof Date ? value : new Date(value));

/** 14:03:22 */
export const time = (value) => (value
  ? format("time", { hour: "2-digit", minute: "2-digit", second: "2-digit" }).format(at(value)) : t.none);

/** 24 Nov 2026, 14:03:22 */
export const dateTime = (value) => (value
  ? format("full", { dateStyle: "medium", timeStyle: "medium" }).format(at(value)) : t.none);

/** 24 Nov, 14:03: where the year goes without saying. */
export const shortDateTime = (value) => (value
  ? format("short", { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit" }).format(at(value)) : t.none);

/** A time at an axis as long as `length_ms`: 14:03 within two days, else 24 Nov. */
export const timeOfAxis = (value, length_ms) => (length_ms <= 172_800_000
  ? format("minute", { hour: "2-digit", minute: "2-digit" }) : format("day", { month: "short", day: "numeric" })).format(at(value));

/** 24 Nov 2026 */
export const date = (value) => (value ? format("date", { dateStyle: "medium" }).format(at(value)) : t.none);

/** November 2026, of "2026-11". */
export const month = (text) => new Intl.DateTimeFormat(locale, { timeZone: "UTC", year: "numeric", month: "long" })
  .format(new Date(`${text}-01T00:00:00Z`));

/** "2026-11-24T14:03" of a time in the shown zone: the value of a datetime-local field. */
export function toField(value) {
  const parts = Object.fromEntries(format("field", {
    year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", hourCycle: "h23",
    numberingSystem: "latn", calendar: "gregory",
  }).formatToParts(at(value)).map(({ type, value: text }) => [type, text]));
  return `${parts.year.padStart(4, "0")}-${parts.month}-${parts.day}T${parts.hour}:${parts.minute}`;
}

const DAY_MS = 86_400_000;
const FIELD = /^(?!0000)\d{4}-\d\d-\d\dT\d\d:\d\d$/;

/**
 * The time (ISO 8601, UTC) that a datetime-local field means in the shown zone; null when it is none. Of an hour that is there
 * twice it is the first one; a time that the clock skips is as much later as it skips.
 */
export function fromField(text) {
  const wanted = FIELD.test(text) ? Date.parse(`${text}:00Z`) : NaN;
  if (Number.isNaN(wanted)) return null;
  const offsetAt = (at) => Date.parse(`${toField(at)}:00Z`) - at;
  // A change of the clock is between the day before and the day after.
  const guesses = [-DAY_MS, DAY_MS].map((apart) => wanted - offsetAt(wanted + apart));
  if (guesses.some(Number.isNaN)) return null;
  return new Date(guesses.find((guess) => toField(guess) === text) ?? guesses[0]).toISOString();
}

const units = [["day", 86_400], ["hour", 3600], ["minute", 60], ["second", 1]];

/** Seconds as the one unit that says enough: "42 s", "5 min", "3 d". */
export function span(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  const [unit, size] = units.find(([, length]) => whole >= length) ?? units[3];
  return `${Math.floor(whole / size)}\u00a0${t.units[unit]}`;
}

/** Seconds in two units where the second one says something: "3 d 4 h". */
export function duration(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  const first = units.findIndex(([, length]) => whole >= length);
  if (first < 0 || first === units.length - 1) return span(whole);
  const [, size] = units[first];
  const rest = whole % size;
  return rest >= units[first + 1][1] ? `${span(whole - rest)} ${span(rest)}` : span(whole);
}

/** How long ago. */
export const age = (seconds) => (seconds < 2 ? t.justNow : t.ago(span(seconds)));

/** Milliseconds to a picture. */
export function latency(ms) {
  if (ms === null || ms === undefined) return t.none;
  return ms < 1000 ? `${Math.round(ms)}\u00a0ms` : `${number(ms / 1000, 1)}\u00a0s`;
}

/** Milliseconds of one stage, with a tenth where it matters. */
export const fine = (ms) => (ms < 10 ? `${number(ms, 1)}\u00a0ms` : latency(ms));

/** A number with so many digits after the point. */
export const number = (value, digits = 0) => new Intl.NumberFormat(locale, {
  minimumFractionDigits: digits, maximumFractionDigits: digits,
}).format(value);

/** 0.99934 as "99.93 %"; never 100 where it is less. */
export function percent(ratio) {
  if (ratio === null || ratio === undefined) return t.none;
  // 0.5729 * 10000 is a little less than 5729.
  const shown = ratio < 1 ? Math.min(Math.floor(Number((ratio * 10_000).toFixed(6))), 9999) / 100 : 100;
  return `${number(shown, shown === 100 ? 0 : 2)}\u00a0%`;
}
