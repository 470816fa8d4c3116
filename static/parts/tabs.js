// Tabs that are addresses: "back" works, and a link opens one.

import { html, useEffect, useRef } from "../lib/html.js";

/** `tabs` is `[[name, text, href], …]`; `current` is a name. */
export function Tabs({ label, tabs, current }) {
  const bar = useRef(null);
  // On a phone they are more than fit.
  useEffect(() => {
    const at = bar.current.querySelector("[aria-current]");
    if (at) bar.current.scrollLeft = at.offsetLeft + at.offsetWidth / 2 - bar.current.offsetLeft - bar.current.offsetWidth / 2;
  }, [current]);
  return html`<nav class="tabs" aria-label=${label} ref=${bar}>${tabs.map(([name, text, href]) => html`
    <a href=${href} aria-current=${name === current ? "page" : null}>${text}</a>`)}</nav>`;
}
