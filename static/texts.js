// Every text a person reads, in one place.

export const states = {
  up: "Up",
  degraded: "Degraded",
  down: "Down",
  unknown: "Unknown",
  maintenance: "Maintenance",
};

// Worst first: what needs a person comes before what does not.
export const order = ["down", "degraded", "unknown", "maintenance", "up"];

export const reasons = {
  ok: "Fine",
  dns_failed: "Host name not found",
  connection_refused: "Connection refused",
  unreachable: "No route to the device",
  connect_timeout: "Device does not answer",
  tls_failed: "Encryption failed",
  auth_failed: "Password refused",
  forbidden: "Access forbidden",
  not_found: "No such stream on the camera",
  busy: "Camera is busy",
  session_not_found: "Session lost",
  unsupported_transport: "Transport refused",
  server_error: "Camera reports an error",
  protocol_error: "Not a camera's answer",
  redirect_loop: "Redirects in a circle",
  response_timeout: "Connected, then silence",
  no_video: "No video in the stream",
  unsupported_codec: "Unknown video format",
  request_refused: "Request refused",
  no_data: "No media arrives",
  no_keyframe: "No complete picture arrives",
  stalled: "Stream stopped midway",
  corrupt: "Picture does not decode",
  picture_too_large: "Picture too large",
  worker_crashed: "Decoder crashed",
  worker_timeout: "Probe had to be stopped",
  overloaded: "This machine is too busy",
  monitor_offline: "This machine is offline",
  prober_unreachable: "Prober does not answer",
};

export const issues = {
  black: "Picture is black",
  overexposed: "Picture is white",
  frozen: "Picture is frozen",
  blurred: "Out of focus",
  low_contrast: "Low contrast",
  colour_cast: "Colour cast",
  scene_changed: "Scene changed",
  facts_changed: "Format changed",
};

// Not the camera's fault, or not known to be: such a probe says nothing against it.
const undecided = new Set(["busy", "worker_crashed", "worker_timeout", "overloaded", "monitor_offline", "prober_unreachable"]);

/** How a heartbeat looks in a strip: "up", "degraded", "down" or "unknown". */
export function beat({ reason, health }) {
  if (reason === "ok") return health === "degraded" ? "degraded" : "up";
  return undecided.has(reason) ? "unknown" : "down";
}

/** What came of a heartbeat: a picture with something wrong is not fine. */
export function result({ reason, health }) {
  return reason === "ok" && health === "degraded" ? states.degraded : reasons[reason] ?? reason;
}

export const stages = {
  resolve: "Find the address",
  connect: "Connect",
  tls: "Encrypt",
  options: "Options",
  describe: "Describe",
  setup: "Set up",
  play: "Play",
  request: "Request",
  first_packet: "First packet",
  keyframe: "Wait for keyframe",
  decode: "Decode",
  picture: "Check picture",
};

export const codecs = { h264: "H.264", h265: "H.265", mjpeg: "MJPEG" };
export const transports = { tcp: "RTP over TCP", udp: "RTP over UDP" };

const units = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];

/** Seconds as the one unit that says enough: "42 s", "5 min", "3 d". */
export function span(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  const [unit, size] = units.find(([, size]) => whole >= size) ?? units[3];
  return `${Math.floor(whole / size)} ${unit}`;
}

/** The age of a picture. */
export function age(seconds) {
  return seconds < 2 ? "just now" : `${span(seconds)} ago`;
}

/** Two heartbeats without a new picture: what is shown is the past, and must look like it. */
export function isOld(stream, now) {
  return Boolean(stream.picture_at) && (now - Date.parse(stream.picture_at)) / 1000 > 2.5 * stream.heartbeat_seconds + 10;
}

export const wall = {
  noPicture: "No picture yet",
  notLoaded: "The picture did not load",
  off: "Switched off",
  worked: "Being worked on",
  probed: "Probed",
  askedAgain: "Asked again",
  fine: "The last probe brought a usable picture.",
};

export const reference = {
  take: "This is how it should be",
  taking: "Learning the new picture…",
};

export const noAnswer = "StreamPulse does not answer. Is the service running?";

function askedAgain(when) {
  return `Asked again at ${time(when)}, or as soon as config.yaml has another password.`;
}

/** What there is to say of a stream that is not simply fine: [["reason", text], ["message", text], ["next", text]]. */
export function why(stream) {
  const newest = stream.recent.at(-1)?.reason ?? "ok";
  let parts = [];
  if (!stream.enabled) parts = [["reason", wall.off], ["message", "It has enabled: false in config.yaml."]];
  else if (!stream.checked_at) parts = [["message", "Waiting for the first probe."]];
  else if (stream.state === "up" || (stream.state === "unknown" && stream.reason === "ok")) {
    // One failure is not yet a state, and neither is the first one of all.
    if (newest !== "ok") parts = [["reason", `${reasons[newest] ?? newest}; checking again`], ["message", stream.message]];
  } else if (stream.state === "maintenance") {
    // What its probes find meanwhile needs no advice.
    const end = stream.maintenance_until ? `Until ${dateTime(stream.maintenance_until)}. ` : "";
    parts = [["reason", wall.worked], ["message", stream.message], ["next", `${end}Nothing counts meanwhile.`]];
  } else {
    const seen = stream.issues.map((issue) => issues[issue] ?? issue).join(", ");
    parts = [
      ["reason", stream.state === "degraded" && seen ? seen : reasons[stream.reason] ?? stream.reason],
      ["message", stream.message],
      ["next", [stream.next_step, stream.paused_until && askedAgain(stream.paused_until)].filter(Boolean).join(" ")],
    ];
  }
  return parts.filter(([, text]) => text);
}

export function latency(ms) {
  if (ms == null) return "–";
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

/** Milliseconds of one stage, with a tenth where it matters. */
export function fine(ms) {
  return ms < 10 ? `${ms.toFixed(1)} ms` : latency(ms);
}

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const full = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

export function time(text) {
  return text ? clock.format(new Date(text)) : "–";
}

export function dateTime(text) {
  return text ? full.format(new Date(text)) : "–";
}
