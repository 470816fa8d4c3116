// The addresses of cameras by their makers.

/** Maker, scheme, port (none: that of the scheme), path. */
export const MAKERS = [
  ["Hikvision", "rtsp", "", "/Streaming/Channels/101"],
  ["Dahua, Amcrest, Lorex", "rtsp", "", "/cam/realmonitor?channel=1&subtype=0"],
  ["Reolink", "rtsp", "", "/h264Preview_01_main"],
  ["Axis", "rtsp", "", "/axis-media/media.amp"],
  ["TP-Link Tapo, VIGI", "rtsp", "", "/stream1"],
  ["UniFi Protect", "rtsps", "7441", "/"],
  ["Hanwha, Wisenet", "rtsp", "", "/profile2/media.smp"],
  ["Bosch", "rtsp", "", "/rtsp_tunnel"],
  ["Vivotek", "rtsp", "", "/live.sdp"],
  ["Foscam", "rtsp", "", "/videoMain"],
  ["ONVIF", "rtsp", "", "/onvif1"],
  ["Axis MJPEG", "http", "", "/axis-cgi/mjpg/video.cgi"],
  ["ESP32-CAM", "http", "81", "/stream"],
  ["mjpg-streamer", "http", "8080", "/?action=stream"],
  ["Hikvision JPEG", "http", "", "/ISAPI/Streaming/channels/101/picture"],
];

/** The maker's address at the host that is in `url`; `host` stands for it when there is none. */
export function addressOf([, scheme, port, path], url, host) {
  const found = /^\s*(?:([a-z][a-z0-9+.-]*):\/\/)?(\[[^\]]*\]|[^/?#:\s]*)(:\d+)?/i.exec(url) ?? [];
  const before = found[1]?.toLowerCase();
  const family = (name) => name?.slice(0, 4);
  // TLS stays when it was asked for, and so does a port of one's own.
  const kept = family(before) === family(scheme);
  const spoken = kept && before === `${scheme}s` ? before : scheme;
  return `${spoken}://${found[2] || host}${port ? `:${port}` : (kept && found[3]) || ""}${path}`;
}
