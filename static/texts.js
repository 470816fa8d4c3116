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

const units = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];

/** Seconds as the one unit that says enough: "42 s", "5 min", "3 d". */
export function span(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  const [unit, size] = units.find(([, size]) => whole >= size) ?? units[3];
  return `${Math.floor(whole / size)} ${unit}`;
}

export function latency(ms) {
  if (ms == null) return "–";
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const full = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

export function time(text) {
  return text ? clock.format(new Date(text)) : "–";
}

export function dateTime(text) {
  return text ? full.format(new Date(text)) : "–";
}
