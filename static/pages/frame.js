// What is around every page: where one can go, how the fleet is, who is signed in, and whether what is shown is true.

import { html, useEffect, useRef, useState } from "../lib/html.js";
import { patch, request } from "../lib/api.js";
import { browserZone, span } from "../lib/format.js";
import { useTicks } from "../lib/hooks.js";
import { t } from "../lib/language.js";
import { live, useList } from "../lib/live.js";
import { prefer, preference, setTheme, theme } from "../lib/preferences.js";
import { link, useRoute } from "../lib/router.js";
import { can, me, readZone, zone } from "../lib/session.js";
import { Dialog } from "../parts/dialog.js";
import { Problem, Toasts, toast } from "../parts/feedback.js";
import { Icon } from "../parts/icon.js";
import { shownState } from "../parts/state.js";
import { usePasswordChange } from "./signin.js";

const SUMMARY = ["up", "degraded", "down", "unknown", "maintenance"];

export function Frame({ leave, children }) {
  const { parts } = useRoute();
  const here = parts[0] ?? "";
  const nav = [
    ["", link(), "cards", t.frame.overview],
    ["incidents", link("incidents"), "incidents", t.frame.incidents],
    ["report", "/api/reports/current.html", "report", t.frame.reports],
    can("operator") && ["settings", link("settings"), "settings", t.frame.settings],
    ["help", link("help"), "help", t.frame.help],
  ].filter(Boolean);
  return html`
    <header class="top">
      <button type="button" class="skip" onClick=${() => document.querySelector("main")?.focus()}>${t.frame.skip}</button>
      <a class="brand" href=${link()}><${Icon} name="mark" class="mark" /><span>StreamPulse</span></a>
      <${Summary} />
      <nav aria-label=${t.frame.pages}>${nav.map(([name, href, icon, text]) => html`
        <a href=${href} aria-current=${name === here || (name === "" && here === "streams") ? "page" : null}>
          <${Icon} name=${icon} /><span>${text}</span></a>`)}</nav>
      <${Account} leave=${leave} />
    </header>
    <${Lost} />
    <${Zone} />
    ${children}
    <${Toasts} />`;
}

function Summary() {
  const counts = {};
  for (const stream of useList().values()) {
    const state = shownState(stream);
    counts[state] = (counts[state] ?? 0) + 1;
  }
  useEffect(() => { document.title = counts.down ? t.frame.down(counts.down) : "StreamPulse"; }, [counts.down]);
  const some = SUMMARY.filter((state) => counts[state]);
  return html`<p class="summary" role="status">${some.map((state) => html`
    <a href=${link({ state })} data-state=${state} key=${state}><${Icon} name=${state} />
      <b>${counts[state]}</b> ${t.states[state].toLowerCase()}</a>`)}</p>`;
}

function Lost() {
  useList();
  useTicks();
  const lost = live.lostAt !== null;
  useEffect(() => { document.body.classList.toggle("stale", lost); }, [lost]);
  if (!lost) return live.refused ? html`<p class="banner mild" role="status">${t.frame.notLive}</p>` : null;
  const seconds = live.heardAt ? (Date.now() - live.heardAt) / 1000 : 0;
  // Read out once, without the age that counts on.
  return html`<p class="banner"><span role="alert">${t.frame.lost}</span>${" "}
    <span>${seconds >= 2 && t.frame.old(span(seconds))}</span></p>`;
}

// UTC is the default of a new installation, and nobody's wall clock.
function Zone() {
  const [answered, setAnswered] = useState(preference("zone-kept", null));
  const mine = browserZone();
  if (!can("admin") || zone.timezone !== "UTC" || ["UTC", "Etc/UTC"].includes(mine) || answered === mine) return null;
  const keep = () => {
    prefer("zone-kept", mine);
    setAnswered(mine);
  };
  const use = async () => {
    try {
      const { etag } = await request("GET", "/api/config");
      await patch("/api/config", [{ path: "timezone", value: mine }], { "If-Match": etag });
      await readZone();
      live.tellList(true);
      keep();
      toast(t.frame.zoneSet(mine));
    } catch (error) {
      toast(error.message, { kind: "failed" });
    }
  };
  return html`<div class="offer" role="region" aria-label=${t.frame.zone("UTC", mine)}>
    <p>${t.frame.zone("UTC", mine)}</p>
    <button type="button" class="primary" onClick=${use}>${t.frame.useZone(mine)}</button>
    <button type="button" class="quiet" onClick=${keep}>${t.frame.keepZone("UTC")}</button>
  </div>`;
}

function Account({ leave }) {
  const [chosen, setChosen] = useState(theme());
  const [changing, setChanging] = useState(false);
  const menu = useRef(null);
  useEffect(() => {
    const away = (event) => {
      if (menu.current?.open && !menu.current.contains(event.target)) menu.current.open = false;
    };
    const escape = (event) => {
      if (event.key === "Escape" && menu.current?.open) {
        menu.current.open = false;
        menu.current.querySelector("summary").focus();
      }
    };
    window.addEventListener("pointerdown", away);
    window.addEventListener("keydown", escape);
    return () => {
      window.removeEventListener("pointerdown", away);
      window.removeEventListener("keydown", escape);
    };
  }, []);
  const choose = (value) => {
    setTheme(value);
    setChosen(value);
  };
  return html`<details class="menu" ref=${menu}>
      <summary class="quiet icon-only" aria-label=${t.frame.account}><${Icon} name="user" /></summary>
      <div class="sheet">
        <p class="who">${t.frame.signedInAs(me.username, t.roles[me.role])}</p>
        <fieldset class="choices"><legend>${t.frame.theme}</legend>
          ${[["system", "screen"], ["light", "sun"], ["dark", "moon"]].map(([value, icon]) => html`
            <button type="button" aria-pressed=${String(value === chosen)} onClick=${() => choose(value)}>
              <${Icon} name=${icon} /> ${t.frame.themes[value]}</button>`)}
        </fieldset>
        <button type="button" onClick=${() => {
          menu.current.open = false;
          // Where the focus comes back to.
          menu.current.querySelector("summary").focus();
          setChanging(true);
        }}>${t.frame.password}</button>
        <button type="button" onClick=${leave}>${t.frame.signOut}</button>
      </div>
    </details>
    ${changing && html`<${PasswordDialog} close=${() => setChanging(false)} />`}`;
}

function PasswordDialog({ close }) {
  const { fields, run, busy, error } = usePasswordChange(null, () => {
    toast(t.signIn.changed);
    close();
  });
  return html`<${Dialog} title=${t.frame.password} onClose=${close}>
    <form class="form" onSubmit=${(event) => { event.preventDefault(); run(); }}>
      ${fields}
      <${Problem} error=${error} />
      <div class="buttons"><button class="primary" disabled=${busy}>${t.signIn.change}</button></div>
    </form>
  <//>`;
}
