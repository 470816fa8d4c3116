// What there is to say of a stream that is not simply fine.

import { dateTime, time } from "./format.js";
import { t } from "./language.js";

const reasonOf = (reason) => t.reasons[reason]?.title ?? reason;

const nextOf = (stream) => (stream.state === "degraded" ? t.issues[stream.issues[0]]?.next : t.reasons[stream.reason]?.next);

/** `{reason, message, next}`: what is wrong in three words, what was seen, what to do. Each may be missing. */
export function why(stream) {
  const newest = stream.newest?.reason ?? "ok";
  if (!stream.enabled) return { reason: t.why.off, message: t.why.offHint };
  if (!stream.checked_at) return { message: t.why.waiting };
  if (stream.state === "up" || (stream.state === "unknown" && stream.reason === "ok")) {
    // One failure is not yet a state, and neither is the first one of all.
    return newest === "ok" ? {} : { reason: t.why.again(reasonOf(newest)), message: stream.message };
  }
  if (stream.state === "maintenance") {
    // What its probes find meanwhile needs no advice.
    const until = stream.maintenance_until ? `${t.why.until(dateTime(stream.maintenance_until))} ` : "";
    return { reason: t.why.worked, message: stream.message, next: `${until}${t.why.nothingCounts}` };
  }
  const issues = stream.issues.map((issue) => t.issues[issue]?.title ?? issue).join(", ");
  const paused = stream.paused_until ? t.why.pausedUntil(time(stream.paused_until)) : "";
  return {
    reason: stream.state === "degraded" && issues ? issues : reasonOf(stream.reason),
    message: stream.message,
    next: [nextOf(stream) ?? stream.next_step, paused].filter(Boolean).join(" "),
  };
}

/** What came of one heartbeat: a picture with something wrong is not fine. */
export function result({ reason, health }) {
  return reason === "ok" && health === "degraded" ? t.states.degraded : reasonOf(reason);
}
