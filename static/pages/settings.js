// Settings: which tab is shown, and who may see it.

import { html, useEffect, useState } from "../lib/html.js";
import { alive } from "../lib/api.js";
import { t } from "../lib/language.js";
import { isWord } from "../lib/places.js";
import { link } from "../lib/router.js";
import { can } from "../lib/session.js";
import { Problem } from "../parts/feedback.js";
import { Tabs } from "../parts/tabs.js";
import { NotFound } from "./not-found.js";

const TABS = ["streams", "general", "mqtt", "users", "tokens", "audit", "file"];

// By tab; below "streams" there are more.
const pages = {
  streams: () => import("./settings/streams.js"),
  stream: () => import("./settings/stream-form.js"),
  import: () => import("./settings/import.js"),
  general: () => import("./settings/general.js"),
  mqtt: () => import("./settings/mqtt.js"),
  users: () => import("./settings/users.js"),
  tokens: () => import("./settings/tokens.js"),
  audit: () => import("./settings/audit.js"),
  file: () => import("./settings/file.js"),
};

/** The page and its inputs. */
function pageAt(parts, query) {
  const [tab = "streams", id] = parts;
  if (parts.length > 2 || (id && tab !== "streams") || !TABS.includes(tab)) return [null, {}];
  if (id === undefined) return [tab, {}];
  const word = isWord(id) && !query.has("edit") ? id : null;
  if (word === "import") return ["import", {}];
  return ["stream", { id: word ? null : id }];
}

export default function Settings({ parts, query }) {
  const [name, inputs] = pageAt(parts, query);
  const [loaded, setLoaded] = useState({});
  const [failed, setFailed] = useState({});
  const admin = can("admin");
  const load = async (again = false) => {
    setFailed((before) => ({ ...before, [name]: null }));
    try {
      const page = await pages[name]();
      setLoaded((before) => ({ ...before, [name]: page.default }));
    } catch (error) {
      // Some browsers never ask again for a module that failed once; a fresh page does.
      if (again && await alive()) location.reload();
      setFailed((before) => ({ ...before, [name]: error }));
    }
  };
  useEffect(() => {
    if (admin && name && !loaded[name]) load();
  }, [name]);
  useEffect(() => window.scrollTo(0, 0), [name, inputs.id]);
  if (!admin) return html`<${NotForYou} />`;
  if (!name) return html`<${NotFound} />`;
  const Shown = loaded[name];
  return html`<main tabindex="-1" class="page settings">
    <header><h1>${t.settings.title}</h1></header>
    <${Tabs} label=${t.settings.tabsLabel} current=${parts[0] ?? "streams"}
      tabs=${TABS.map((tab) => [tab, t.settings.tabs[tab], link("settings", tab)])} />
    ${Shown ? html`<${Shown} key=${`${name} ${inputs.id ?? ""}`} ...${inputs} query=${query} />`
      : failed[name] ? html`<${Problem} error=${failed[name]} retry=${() => load(true)} />`
        : html`<p class="waiting" role="status">${t.loading}</p>`}
  </main>`;
}

function NotForYou() {
  return html`<main tabindex="-1" class="page settings">
    <header><h1>${t.settings.title}</h1></header>
    <p>${t.settings.forAdmins}</p>
    ${can("operator") && html`<p>${t.settings.forOperators}</p>
      <p><a class="button" href=${link("incidents", "maintenance")}>${t.settings.toMaintenance}</a></p>`}
  </main>`;
}
