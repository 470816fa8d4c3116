// A dialog over the page. Escape, the cross and a click beside it close it.

import { html, useEffect, useRef } from "../lib/html.js";
import { t } from "../lib/language.js";
import { Icon } from "./icon.js";

let count = 0;

// So soon after it was asked whether it may close, the same press of Escape is not to ask again.
const SAME_PRESS_MS = 100;

/**
 * `<${Dialog} title="…" onClose=${close}>…<//>`. `guard` is asked before it closes by Escape or a click beside it: false keeps
 * it open, so that nothing typed is lost.
 */
export function Dialog({ title, onClose, wide = false, guard = () => true, children }) {
  const dialog = useRef(null);
  const id = useRef(`dialog-${count += 1}`);
  const focused = useRef(null);
  const asking = useRef(false);
  useEffect(() => {
    const before = document.activeElement;
    dialog.current.showModal();
    return () => {
      before?.focus?.();
      // What it was opened with may go together with it.
      setTimeout(() => {
        if (document.activeElement === document.body) document.querySelector("main")?.focus({ preventScroll: true });
      });
    };
  }, []);
  const close = async () => {
    if (asking.current) return;
    asking.current = true;
    try {
      if (await guard()) onClose();
    } finally {
      setTimeout(() => { asking.current = false; }, SAME_PRESS_MS);
    }
  };
  // A press on its own scrollbar or edge has the dialog as its target too.
  const isBeside = ({ clientX: x, clientY: y }) => {
    const { left, right, top, bottom } = dialog.current.getBoundingClientRect();
    return x < left || x > right || y < top || y > bottom;
  };
  return html`<dialog class=${`dialog ${wide ? "wide" : ""}`} ref=${dialog} aria-labelledby=${id.current}
    onCancel=${(event) => {
      if (event.target !== dialog.current) return;
      event.preventDefault();
      if (event.cancelable) close();
    }}
    onClose=${(event) => {
      if (event.target !== dialog.current || !dialog.current.isConnected) return;
      // A browser lets Escape be refused only so often: what it closed is shown again, before anybody is asked over it.
      const before = focused.current;
      dialog.current.showModal();
      before?.focus();
      close();
    }}
    onFocusIn=${(event) => { focused.current = event.target; }}
    onMouseDown=${(event) => {
      if (event.target !== dialog.current || !isBeside(event)) return;
      // The press would take the focus from what asks.
      event.preventDefault();
      close();
    }}>
    <div class="sheet">
      <header><h2 id=${id.current}>${title}</h2>
        <button type="button" class="quiet icon-only" aria-label=${t.close} onClick=${close}><${Icon} name="close" /></button>
      </header>
      ${children}
    </div>
  </dialog>`;
}
