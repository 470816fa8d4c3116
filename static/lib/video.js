// What a camera sends, in a line.

import { number } from "./format.js";
import { t } from "./language.js";

/** "H.264 · main · 640 × 360 · 25 fps" of a probe's `video`, "" without one. */
export const videoText = (video) => (video ? [
  t.codecs[video.codec] ?? video.codec,
  video.profile,
  video.width && `${video.width}\u00a0×\u00a0${video.height}`,
  video.fps && t.stream.fps(number(video.fps, Number.isInteger(video.fps) ? 0 : 1)),
].filter(Boolean).join(" · ") : "");
