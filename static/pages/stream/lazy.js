// What the pages of incidents lend: loaded when it is shown.

import { html, useCallback, useEffect, useRef, useState } from "../../lib/html.js";
import { t } from "../../lib/language.js";
import { Problem, toast } from "../../parts/feedback.js";

/** `[part, failed, again]`. A browser that remembers the failure is told to reload the page by what `failed` says. */
function useLoaded(load, onFailed) {
  const [Loaded, setLoaded] = useState(null);
  const [failed, setFailed] = useState(null);
  const there = useRef(true);
  const again = useCallback(() => {
    setFailed(null);
    load().then((part) => there.current && setLoaded(() => part), () => {
      if (!there.current) return;
      setFailed(new Error(t.stream.notLoaded));
      onFailed?.();
    });
  }, []);
  useEffect(() => {
    there.current = true;
    again();
    return () => { there.current = false; };
  }, []);
  return [Loaded, failed, again];
}

/** The incidents of one stream. */
export function Incidents({ id }) {
  const [List, failed, again] = useLoaded(() => import("../incidents/list.js").then((module) => module.IncidentList));
  return html`<section class="box" aria-labelledby="incidents"><h2 id="incidents">${t.stream.incidents}</h2>
    <${Problem} error=${failed} retry=${again} />
    ${List ? html`<${List} stream=${id} />` : !failed && html`<p class="waiting" role="status">${t.loading}</p>`}</section>`;
}

/** Announces work on some streams. */
export function Maintenance({ streams, onClose }) {
  const [Shown] = useLoaded(() => import("../incidents/maintenance-dialog.js").then((module) => module.MaintenanceDialog), () => {
    toast(t.stream.notLoaded, { kind: "failed" });
    onClose();
  });
  return Shown && html`<${Shown} streams=${streams} onClose=${onClose} />`;
}
