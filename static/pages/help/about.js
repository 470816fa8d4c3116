// How the service itself is: every figure with a word that says whether it is good.

import { html, useEffect, useRef } from "../../lib/html.js";
import { get } from "../../lib/api.js";
import { age } from "../../lib/format.js";
import { useAsked, useTicks } from "../../lib/hooks.js";
import { t } from "../../lib/language.js";
import { live } from "../../lib/live.js";
import { can } from "../../lib/session.js";
import { Problem, Waiting } from "../../parts/feedback.js";
import { Mark } from "../../parts/mark.js";
import { judge } from "./judge.js";

const EVERY_MS = 5000;

const place = {
  secure: location.protocol === "https:",
  local: /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(location.hostname),
};

export function About({ tabs }) {
  const asked = useAsked(() => get("/api/health"), []);
  const loading = useRef(false);
  loading.current = asked.loading;
  useEffect(() => {
    const timer = setInterval(() => document.hidden || loading.current || asked.reload(), EVERY_MS);
    return () => clearInterval(timer);
  }, []);
  return html`<main tabindex="-1" class="page help">
    <header><h1>${t.help.tabs.about}</h1></header>
    ${tabs}
    <${Waiting} asked=${asked} />
    ${asked.data && html`<${Shown} health=${asked.data} error=${asked.error} retry=${asked.reload} />`}
  </main>`;
}

function Shown({ health, error, retry }) {
  const sections = judge(health, { isOperator: can("operator"), place, since: (at) => (Date.parse(health.now) - Date.parse(at)) / 1000 });
  const count = (kind) => sections.reduce((sum, { figures }) => sum + figures.filter((one) => one.kind === kind).length, 0);
  const [bad, attention] = [count("bad"), count("attention")];
  const worst = [...(bad ? ["bad"] : []), ...(attention ? ["attention"] : [])];
  return html`
    ${error && html`<p>${t.about.notRead}</p><${Problem} error=${error} retry=${retry} />`}
    <div class="help-verdict">
      ${worst.length === 0 ? html`<p><${Mark} kind="good" /> ${t.about.allGood}</p>` : worst.map((kind) => html`
        <p><${Mark} kind=${kind} /> ${kind === "bad" ? t.about.someBad(bad) : t.about.someAttention(attention)}</p>`)}
      <p class="hint"><${AsOf} now=${health.now} /></p>
    </div>
    <div class="help-about">${sections.map((section) => html`<${Section} key=${section.title} ...${section} />`)}</div>
    <p><a href="/vendor/LICENSES.txt">${t.help.licences}</a></p>`;
}

function AsOf({ now }) {
  useTicks();
  return t.about.asOf(age(live.secondsSince(now)));
}

function Section({ title, figures }) {
  return html`<section class="box"><h2>${title}</h2>
    <dl class="help-figures">${figures.map(({ name, value, kind, hint, list }) => html`<div key=${name} data-kind=${kind}>
      <dt>${name}</dt>
      <dd class="help-value"><b>${value}</b> ${kind !== "info" && html`<${Mark} kind=${kind} />`}</dd>
      ${hint && html`<dd class="hint">${hint}</dd>`}
      ${list.length > 0 && html`<dd><ul>${list.map((one) => html`
        <li>${one.title && html`<code>${one.title}</code> `}${one.text}</li>`)}</ul></dd>`}
    </div>`)}</dl></section>`;
}
