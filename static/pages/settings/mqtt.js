// The broker: how it is reached, what is sent to it, and whether that works.

import { html, useState } from "../../lib/html.js";
import { t } from "../../lib/language.js";
import { SecretSetting, Setting } from "./config-fields.js";
import { ConfigForm, useConfigForm } from "./config-form.js";
import { HIDDEN } from "./draft.js";
import { Connection, TestMessage } from "./mqtt-connection.js";

// Kind and default, as in docs/configuration.md.
const KEYS = {
  "mqtt.enabled": ["switch", false],
  "mqtt.host": ["text", "localhost"],
  "mqtt.port": ["number", 1883],
  "mqtt.ws_port": ["number", 8000],
  "mqtt.tls_port": ["number", 8883],
  "mqtt.tls_ws_port": ["number", 8884],
  "mqtt.use_tls": ["switch", false],
  "mqtt.use_websocket": ["switch", false],
  "mqtt.tls_insecure": ["switch", false],
  "mqtt.ca_file": ["text", null],
  "mqtt.cert_file": ["text", null],
  "mqtt.key_file": ["text", null],
  "mqtt.username": ["text", null],
  "mqtt.password": ["secret", null],
  "mqtt.client_id": ["text", null],
  "mqtt.protocol": ["choice", "3.1.1"],
  "mqtt.topic": ["text", "stream_monitor/status"],
  "mqtt.qos": ["choice", "0"],
  "mqtt.retain": ["switch", false],
  "mqtt.interval_seconds": ["number", 10],
  "mqtt.commands": ["switch", false],
  "mqtt.home_assistant": ["switch", true],
  "mqtt.images": ["switch", false],
  "mqtt.node": ["text", null],
};
const PORTS = ["mqtt.port", "mqtt.tls_port", "mqtt.ws_port", "mqtt.tls_ws_port"];

/** The keys of `mqtt:` as they would be after saving; the stored password stays hidden. */
function settingsOf(form) {
  const kept = (path) => path === "mqtt.password" && form.isStored(path) && !form.isTyped(path);
  return Object.fromEntries(Object.keys(KEYS)
    .map((path) => [path.slice("mqtt.".length), kept(path) ? HIDDEN : form.value(path)])
    .filter(([, value]) => (value ?? null) !== null));
}

export default function Mqtt() {
  const [turn, setTurn] = useState(0);
  const form = useConfigForm(KEYS, async () => setTurn((n) => n + 1));
  const [refused, setRefused] = useState(null);
  const s = t.settings.mqtt;
  const told = (path) => form.problem(path)
    ?? (refused?.details ?? []).find((detail) => detail?.path === path || `mqtt.${detail?.path}` === path)?.message;
  const own = { ...form, problem: told };
  const setting = (path, rest) => html`<${Setting} form=${own} path=${path} kind=${KEYS[path][0]} ...${rest} />`;
  const [tls, websocket] = [form.base && form.shown("mqtt.use_tls"), form.base && form.shown("mqtt.use_websocket")];
  const port = PORTS[(websocket ? 2 : 0) + (tls ? 1 : 0)];
  const others = PORTS.filter((one) => one !== port);
  return html`
    <${Connection} turn=${turn} />
    <${ConfigForm} form=${form}>
      <section class="box"><h2>${s.broker}</h2>
        ${setting("mqtt.enabled")}
        <div class="pair">${setting("mqtt.host")}${setting(port)}</div>
        <div class="pair">${setting("mqtt.use_tls")}${setting("mqtt.use_websocket")}</div>
        <details class="more"><summary>${s.otherPorts}</summary>
          <div class="pair">${others.map((one) => html`<div key=${one}>${setting(one)}</div>`)}</div></details>
        <div class="pair">
          ${setting("mqtt.username")}
          <${SecretSetting} form=${own} path="mqtt.password" />
          ${setting("mqtt.client_id", { placeholder: s.fromHost })}
          ${setting("mqtt.protocol", { options: Object.entries(s.protocols) })}
        </div>
        <details class="more" open=${tls || undefined}><summary>${s.certificates}</summary>
          <div class="form">
            ${!tls && html`<p class="hint">${s.noTls}</p>`}
            <div class="pair">
              ${setting("mqtt.ca_file", { placeholder: s.systemCa })}
              ${setting("mqtt.cert_file")}
              ${setting("mqtt.key_file")}
            </div>
            ${setting("mqtt.tls_insecure")}
            ${form.base && form.shown("mqtt.tls_insecure") && html`<p class="loud" role="alert">${s.insecure}</p>`}
          </div>
        </details>
        ${form.base && html`<${TestMessage} settings=${settingsOf(form)} key=${turn} onRefused=${setRefused} />`}
      </section>
      <section class="box"><h2>${s.messages}</h2>
        <div class="pair">
          ${setting("mqtt.topic")}
          ${setting("mqtt.interval_seconds")}
          ${setting("mqtt.qos", { options: Object.entries(s.qos) })}
          ${setting("mqtt.node", { placeholder: s.fromHost })}
        </div>
        ${setting("mqtt.retain")}
        ${setting("mqtt.home_assistant")}
        ${setting("mqtt.images")}
        ${setting("mqtt.commands")}
        ${form.base && form.shown("mqtt.commands") && html`<p class="hint">${s.commandsHint}</p>`}
      </section>
    <//>`;
}
