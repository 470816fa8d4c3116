// What holds for all cameras and for the service: rhythm, time zone, probing, storage, access.

import { html, useMemo } from "../../lib/html.js";
import { browserZone } from "../../lib/format.js";
import { t } from "../../lib/language.js";
import { live } from "../../lib/live.js";
import { readZone } from "../../lib/session.js";
import { SecretSetting, Setting } from "./config-fields.js";
import { ConfigForm, useConfigForm } from "./config-form.js";
import { Sessions } from "./sessions.js";

// Kind and default, as in docs/configuration.md.
const KEYS = {
  heartbeat_seconds: ["number", 15],
  timezone: ["text", "UTC"],
  "probe.timeout_seconds": ["number", 10],
  "probe.retry_after_seconds": ["number", 3],
  "probe.failures_to_down": ["number", 2],
  "probe.successes_to_up": ["number", 1],
  "probe.max_megapixels": ["number", 40],
  "probe.snapshot_width_px": ["number", 960],
  "probe.workers": ["number", "auto"],
  "probe.hardware": ["choice", "auto"],
  "probe.sentinel": ["text", null],
  "storage.heartbeats_days": ["number", 7],
  "storage.rollup_days": ["number", 400],
  "storage.evidence_megabytes": ["number", 500],
  "web.public_status": ["switch", false],
  "web.trusted_proxies": ["list", null],
  "metrics.token": ["secret", null],
  devices: ["items", null],
};

async function afterwards(changes) {
  if (!changes.some(({ path }) => path === "timezone")) return;
  await readZone();
  live.tellList(true);
}

const zones = () => ["UTC", ...(Intl.supportedValuesOf?.("timeZone") ?? [browserZone()])];

export default function General() {
  const form = useConfigForm(KEYS, afterwards);
  const names = useMemo(zones, []);
  const s = t.settings.general;
  const setting = (path, rest) => html`<${Setting} form=${form} path=${path} kind=${KEYS[path][0]} ...${rest} />`;
  return html`<${ConfigForm} form=${form}>
    <section class="box"><h2>${s.rhythm}</h2><div class="pair">
      ${setting("heartbeat_seconds")}
      ${setting("timezone", { list: "zones" })}
      <datalist id="zones">${names.map((name) => html`<option value=${name} />`)}</datalist>
    </div></section>
    <section class="box"><h2>${s.probing}</h2><div class="pair">
      ${setting("probe.timeout_seconds")}
      ${setting("probe.retry_after_seconds")}
      ${setting("probe.failures_to_down")}
      ${setting("probe.successes_to_up")}
      ${setting("probe.sentinel", { placeholder: "192.0.2.1" })}
    </div></section>
    <section class="box"><h2>${s.decoding}</h2><div class="pair">
      ${setting("probe.snapshot_width_px")}
      ${setting("probe.max_megapixels")}
      ${setting("probe.workers")}
      ${setting("probe.hardware", { options: Object.entries(s.hardware) })}
    </div></section>
    <section class="box"><h2>${s.storage}</h2><div class="pair">
      ${setting("storage.heartbeats_days")}
      ${setting("storage.rollup_days")}
      ${setting("storage.evidence_megabytes")}
    </div></section>
    <section class="box"><h2>${s.access}</h2>
      ${setting("web.public_status")}
      <div class="pair">
        ${setting("web.trusted_proxies", { placeholder: "10.0.0.0/8" })}
        <${SecretSetting} form=${form} path="metrics.token" />
      </div>
    </section>
    <${Sessions} form=${form} />
    <p class="hint">${s.elsewhere}</p>
  <//>`;
}
