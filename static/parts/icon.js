// Icons, drawn in the colour of the text beside them.

import { html } from "../lib/html.js";

// Filled shapes of the states: each has an outline of its own, so that colour is never needed.
const filled = {
  up: "M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1Zm3.6 5.1-4.3 4.8a.8.8 0 0 1-1.2 0L4.4 9.1l1.1-1.1 1.2 1.3 3.8-4.2Z",
  degraded: "M8 1.2a1 1 0 0 1 .9.5l6.3 11.2a1 1 0 0 1-.9 1.5H1.7a1 1 0 0 1-.9-1.5L7.1 1.7a1 1 0 0 1 .9-.5ZM7.2 5.6v4h1.6v-4Zm0 5.2v1.6h1.6v-1.6Z",
  down: "M5 1h6l4 4v6l-4 4H5l-4-4V5Zm.9 3.8L4.8 5.9 6.9 8l-2.1 2.1 1.1 1.1L8 9.1l2.1 2.1 1.1-1.1L9.1 8l2.1-2.1-1.1-1.1L8 6.9Z",
  unknown: "M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1Zm0 3c1.5 0 2.6.9 2.6 2.2 0 1-.6 1.5-1.2 1.9-.5.4-.6.5-.6 1H7.2c0-1.3.5-1.8 1.1-2.2.5-.4.7-.5.7-.8 0-.4-.4-.7-1-.7s-1 .3-1.1.9H5.3C5.4 4.9 6.5 4 8 4Zm-.9 6.2h1.7V12H7.1Z",
  maintenance: "M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1ZM5 5h2v6H5Zm4 0h2v6H9Z",
  off: "M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1Zm-3.5 6.1h7v1.8h-7Z",
  more: "M3.5 6.5a1.5 1.5 0 1 0 0 3 1.5 1.5 0 0 0 0-3Zm4.5 0a1.5 1.5 0 1 0 0 3 1.5 1.5 0 0 0 0-3Zm4.5 0a1.5 1.5 0 1 0 0 3 1.5 1.5 0 0 0 0-3Z",
};

// Drawn with a line.
const lines = {
  mark: "M1 8.5h3l1.5-4 2.5 7.5 2-5 1 1.5h4",
  cards: "M2 2.5h5v4.5H2ZM9 2.5h5v4.5H9ZM2 9.5h5v4H2ZM9 9.5h5v4H9Z",
  dense: "M2 2h3v3H2ZM6.5 2h3v3h-3ZM11 2h3v3h-3ZM2 6.5h3v3H2ZM6.5 6.5h3v3h-3ZM11 6.5h3v3h-3ZM2 11h3v3H2ZM6.5 11h3v3h-3ZM11 11h3v3h-3Z",
  table: "M2 3.5h12M2 8h12M2 12.5h12",
  search: "M7 2.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9ZM10.3 10.3l3.7 3.7",
  close: "M3.5 3.5l9 9M12.5 3.5l-9 9",
  back: "M9.5 3l-5 5 5 5",
  next: "M6.5 3l5 5-5 5",
  sun: "M8 5a3 3 0 1 0 0 6 3 3 0 0 0 0-6ZM8 1v1.5M8 13.5V15M1 8h1.5M13.5 8H15M3 3l1.1 1.1M11.9 11.9 13 13M13 3l-1.1 1.1M4.1 11.9 3 13",
  moon: "M13.5 9.5A6 6 0 0 1 6.5 2.5a6 6 0 1 0 7 7Z",
  screen: "M2 3h12v8.5H2ZM5.5 14h5",
  incidents: "M8 2 1.5 13.5h13ZM8 6.5v3.5M8 11.5v.8",
  report: "M3.5 1.5h6l3 3v10h-9ZM6 8h4M6 11h4",
  settings: "M8 5.5a2.5 2.5 0 1 0 0 5 2.5 2.5 0 0 0 0-5ZM8 1.5v2M8 12.5v2M1.5 8h2M12.5 8h2M3.4 3.4l1.4 1.4M11.2 11.2l1.4 1.4M12.6 3.4l-1.4 1.4M4.8 11.2l-1.4 1.4",
  help: "M8 1.5a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13ZM6 6.2c0-1.2.9-2 2-2s2 .8 2 1.9c0 1.5-2 1.6-2 3.1M8 11.2v.6",
  user: "M8 2.2a2.8 2.8 0 1 0 0 5.6 2.8 2.8 0 0 0 0-5.6ZM2.5 14c.4-3 2.7-4.5 5.5-4.5s5.1 1.5 5.5 4.5",
  plus: "M8 2.5v11M2.5 8h11",
  play: "M5 3l8 5-8 5Z",
  stop: "M4 4h8v8H4Z",
  probe: "M13.5 8a5.5 5.5 0 1 1-1.7-4M13.5 1.5v3h-3",
  download: "M8 2v8M4.5 7 8 10.5 11.5 7M2.5 13.5h11",
  edit: "M2.5 13.5l.7-3L11 2.7l2.3 2.3-7.8 7.8ZM9.5 4.2l2.3 2.3",
  trash: "M2.5 4h11M6 4V2.5h4V4M4 4l.7 9.5h6.6L12 4M6.7 6.5v4.5M9.3 6.5v4.5",
  pause: "M5.5 3v10M10.5 3v10",
  clock: "M8 1.5a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13ZM8 4.5V8l2.5 1.5",
  full: "M2 6V2h4M10 2h4v4M14 10v4h-4M6 14H2v-4",
  check: "M2.5 8.5 6 12l7.5-8",
  copy: "M5.5 5.5h8v8h-8ZM3.5 10.5h-1v-8h8v1",
  upload: "M8 10V2M4.5 5 8 1.5 11.5 5M2.5 13.5h11",
  key: "M5.5 7.5a3 3 0 1 0 0 6 3 3 0 0 0 0-6ZM7.7 8.3 13.5 2.5M11.5 4.5l2 2",
  link: "M6.5 9.5l3-3M7 4.5l1.5-1.5a3 3 0 0 1 4.5 4.5L11.5 9M9 11.5 7.5 13A3 3 0 0 1 3 8.5L4.5 7",
};

/** `<${Icon} name="up" />`; without a word beside it, give it a `label`. */
export function Icon({ name, class: className = "", label }) {
  const line = lines[name];
  return html`<svg viewBox="0 0 16 16" class=${`icon ${line ? "drawn" : ""} ${className}`}
    role=${label ? "img" : null} aria-label=${label} aria-hidden=${label ? null : "true"}>
    <path d=${line ?? filled[name]} fill-rule="evenodd" /></svg>`;
}
