// What is told once: a password or a token that nobody can be shown again. Leaving it is asked about.

import { html, useEffect } from "../../lib/html.js";
import { t } from "../../lib/language.js";
import { guardLeaving } from "../../lib/router.js";
import { Copyable } from "../../parts/copy.js";
import { Dialog } from "../../parts/dialog.js";
import { ask } from "../../parts/feedback.js";

export function Once({ title, text, label, value, close, children }) {
  const s = t.settings.users;
  const sure = () => ask(s.reallyClose);
  useEffect(() => {
    const unload = (event) => event.preventDefault();
    const release = guardLeaving({ dirty: () => true, ask: sure });
    window.addEventListener("beforeunload", unload);
    return () => {
      release();
      window.removeEventListener("beforeunload", unload);
    };
  }, []);
  return html`<${Dialog} title=${title} onClose=${close} guard=${sure}>
    <p>${text}</p>
    <${Copyable} label=${label} value=${value} hint=${s.once} />
    ${children}
    <div class="buttons"><button type="button" class="primary" onClick=${close}>${s.gotIt}</button></div>
  <//>`;
}
