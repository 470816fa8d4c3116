// How the service is, figure by figure, each with whether that is good: a pure function of `/api/health`.

import { dateTime, duration, latency, number, percent } from "../../lib/format.js";
import { t } from "../../lib/language.js";

// The thresholds of the figures that were aimed at: half a second late is what nobody notices.
const LAG_GOOD_MS = 500;
const LAG_BAD_MS = 5000;
const MISSED_BAD = 0.01;
const CERTIFICATE_SOON_DAYS = 14;
const DAY_SECONDS = 86_400;
const CODECS = ["h264", "h265", "mjpeg"];

const a = t.about;

/** A figure: its name, value, whether it is good, what that means, and single things to it. */
const figure = (name, value, kind, hint, list = []) => ({ name, value, kind, hint, list });
const counted = (name, count, hints, kind = count > 0 ? "attention" : "good") => figure(name, number(count), kind, hints[kind]);

function service(health, since) {
  const counts = Object.entries(health.streams).filter(([, count]) => count > 0)
    .map(([state, count]) => `${number(count)}\u00a0${(t.states[state] ?? state).toLowerCase()}`).join(" · ");
  return {
    title: a.service,
    figures: [
      figure(a.version, health.version, "info"),
      figure(a.running, dateTime(health.started_at), "info", a.runningFor(duration(since(health.started_at)))),
      health.ready ? figure(a.ready, a.yes, "good", a.readyHint) : figure(a.ready, a.no, "bad", health.not_ready_because),
      health.store.alarm ? figure(a.store, a.storeBad, "bad", health.store.alarm) : figure(a.store, a.storeGood, "good", a.storeHint),
      figure(a.fleet, counts || a.none, "info", a.fleetHint),
    ],
  };
}

function lateness(ms) {
  if (ms <= LAG_GOOD_MS) return "good";
  return ms <= LAG_BAD_MS ? "attention" : "bad";
}

function scheduler({ scheduler: s }, isOperator) {
  const late = lateness(s.lag_p99_ms);
  const share = s.heartbeats_missed / Math.max(1, s.probes + s.heartbeats_missed);
  const fewMissed = share < MISSED_BAD ? "attention" : "bad";
  const missed = s.heartbeats_missed === 0 ? "good" : fewMissed;
  const missedHint = a.missedHint[missed];
  // They take turns at a device; it is a sign of trouble only when probes are late for it.
  const waiting = s.waiting > 0 && late !== "good" ? "attention" : "good";
  return {
    title: a.scheduler,
    figures: [
      figure(a.lag, latency(s.lag_p99_ms), late, a.lagHint[late]),
      figure(a.lagLast, latency(s.lag_last_ms), lateness(s.lag_last_ms)),
      figure(a.missed, number(s.heartbeats_missed), missed, typeof missedHint === "function" ? missedHint(percent(share)) : missedHint),
      figure(a.probes, number(s.probes), "info"),
      figure(a.inFlight, number(s.in_flight), "info"),
      figure(a.waiting, number(s.waiting), waiting, a.waitingHint[waiting]),
      // Who is no operator gets none, which does not say that there are none.
      isOperator && listed(a.warnings, s.warnings, a.warningsHint),
    ],
  };
}

const listed = (name, list, hints, kind = "attention") => (list.length > 0
  ? figure(name, number(list.length), kind, hints[kind], list.map((text) => ({ text })))
  : figure(name, a.none, "good", hints.good));

function workers({ workers: w, previews }) {
  const missing = CODECS.filter((codec) => !w.decoders.some((text) => text.startsWith(`${codec}:`)));
  const running = w.running > 0 ? "good" : "bad";
  const names = w.decoders.map((text) => ({ text }));
  let decoders = figure(a.decoders, number(w.decoders.length), "good", a.decodersHint.good, names);
  if (w.decoders.length === 0) decoders = figure(a.decoders, a.none, "bad", a.decodersHint.bad);
  else if (missing.length > 0) {
    const lacking = missing.map((codec) => t.codecs[codec]).join(", ");
    decoders = figure(a.decoders, number(w.decoders.length), "attention", a.decodersHint.attention(lacking), names);
  }
  const { setting, decoders: hardware } = w.hardware;
  const inUse = hardware.filter(({ used }) => used).length;
  // One that is there and cannot be used costs processor; without any there is nothing to be done about it.
  const kind = hardware.length === 0 || setting === "off" ? "info" : inUse < hardware.length ? "attention" : "good";
  return {
    title: a.workers,
    figures: [
      figure(a.workersRunning, number(w.running), running, a.runningHint[running]),
      counted(a.restarts, w.restarts_total, a.restartsHint),
      counted(a.quarantine, w.streams_in_quarantine, a.quarantineHint),
      decoders,
      figure(a.hardware, hardware.length === 0 ? a.none : a.hardwareValue(number(inUse), number(hardware.length)), kind,
        [hardware.length === 0 && a.hardwareNone, a.hardwareSetting(setting)].filter(Boolean).join(" "),
        hardware.map((one) => ({
          title: one.element,
          text: `${a.hardwareOn(t.codecs[one.codec] ?? one.codec, one.device)}. ${
            one.used ? a.hardwareUsed(one.slots) : a.hardwareUnused(one.not_used_because)}`,
        }))),
      figure(a.previews, previews.viewers > 0 ? a.previewsValue(number(previews.viewers), previews.streams) : a.previewsNone, "info"),
    ],
  };
}

function sandbox({ workers: { sandbox: layers, sandbox_missing: missing } }) {
  const kindOf = (layer) => (layer === "seccomp" ? "bad" : "attention");
  return {
    title: a.sandbox,
    figures: [
      figure(a.layers, layers.length > 0 ? number(layers.length) : a.none, missing.length > 0 ? "info" : "good",
        missing.length > 0 ? a.layersHint : `${a.layersHint} ${a.layersGood}`, layers.map((text) => ({ text }))),
      ...missing.map(({ layer, because, meaning }) => figure(a.missingLayer(layer), a.missingBecause(because), kindOf(layer),
        `${meaning.charAt(0).toUpperCase()}${meaning.slice(1)}.`)),
    ],
  };
}

function network({ network: n }) {
  if (!n) return null;
  return {
    title: a.network,
    figures: [
      n.offline_because ? figure(a.offline, n.offline_because, "bad", a.offlineHint.bad)
        : figure(a.offline, a.online, "good", a.offlineHint.good),
      n.sentinel ? figure(a.sentinel, n.sentinel, "good", a.sentinelHint.good) : figure(a.sentinel, a.none, "info", a.sentinelHint.info),
    ],
  };
}

function encryption(tls, { secure, local }, since) {
  if (!tls) {
    if (secure) return [figure(a.tls, a.tlsNone, "good", a.tlsProxy)];
    return [local ? figure(a.tls, a.tlsNone, "info", a.tlsLocal) : figure(a.tls, a.tlsNone, "attention", a.tlsOpen)];
  }
  const { certificate_until: until, problem } = tls;
  const left = until ? -since(until) : null;
  let shown = figure(a.tls, a.tlsOn, "good");
  if (left !== null) {
    const soon = left < CERTIFICATE_SOON_DAYS * DAY_SECONDS;
    if (left <= 0) shown = figure(a.tls, a.tlsUntil(dateTime(until)), "bad", a.tlsOver);
    else shown = figure(a.tls, a.tlsUntil(dateTime(until)), soon ? "attention" : "good", (soon ? a.tlsSoon : a.tlsLeft)(duration(left)));
  }
  return problem ? [shown, figure(a.tlsProblem, problem, "bad")] : [shown];
}

function web({ web: w }, place, since) {
  return {
    title: a.web,
    figures: [
      figure(a.connections, number(w.connections), "info"),
      figure(a.gaveWay, number(w.gave_way_total), "info", a.gaveWayHint),
      counted(a.refused, w.refused_total, a.refusedHint),
      ...encryption(w.tls, place, since),
    ],
  };
}

function configuration({ configuration: c }) {
  if (!c) return null;
  return {
    title: a.configuration,
    figures: [
      figure(a.inUse, c.ok ? a.same : a.notSame, c.ok ? "good" : "bad", a.sameHint(dateTime(c.in_use_since))),
      c.problems.length > 0 && figure(a.problems, number(c.problems.length), "bad", a.problemsHint, c.problems.map((text) => ({ text }))),
      listed(a.configWarnings, c.warnings, a.configWarningsHint),
    ],
  };
}

/**
 * Sections `{title, figures: [{name, value, kind, hint, list: [{title, text}]}]}` of what the role may see. `place` is how this
 * page came: `{secure, local}`; `since(time)` gives seconds.
 */
export function judge(health, { isOperator, place, since }) {
  return [
    service(health, since), scheduler(health, isOperator), workers(health), sandbox(health), network(health),
    web(health, place, since), configuration(health),
  ].filter(Boolean).map((section) => ({ ...section, figures: section.figures.filter(Boolean) }));
}
