// The legend: states, the strip, reasons, picture issues, words, keys, and what is there for programs.

import { html, useEffect, useRef, useState } from "../../lib/html.js";
import { t } from "../../lib/language.js";
import { go, link } from "../../lib/router.js";
import { ORDER, State } from "../../parts/state.js";
import { Search, hasWords } from "../../parts/search.js";
import { Entry, ISSUES, REASONS } from "./entries.js";
import { Strip } from "./strip.js";

const SECTIONS = ["states", "strip", "reasons", "issues", "words", "keyboard", "programs"];

/** "#/help?q=frozen" shows what is said of it. */
export function Legend({ tabs, query }) {
  const wanted = query.get("q") ?? "";
  const places = useRef({});
  // Whoever came by a link to one reason is led to it; who types is where they are.
  useEffect(() => { if (wanted) places.current.reasons?.scrollIntoView({ block: "start" }); }, []);
  const section = (name, children) => html`<section class="box help-section" aria-labelledby=${`help-${name}`}
    ref=${(node) => { places.current[name] = node; }}>
    <h2 id=${`help-${name}`} tabindex="-1">${t.help[name]}</h2>${children}</section>`;
  const to = (name) => {
    places.current[name].scrollIntoView({ block: "start" });
    places.current[name].querySelector("h2").focus({ preventScroll: true });
  };
  return html`<main tabindex="-1" class="page help">
    <header><h1>${t.help.title}</h1></header>
    ${tabs}
    <div class="help-columns">
      <nav class="help-contents" aria-label=${t.help.contents}><p class="hint">${t.help.contents}</p>
        ${SECTIONS.map((name) => html`<button type="button" class="quiet" onClick=${() => to(name)}>${t.help[name]}</button>`)}</nav>
      <div class="help-body">
        ${section("states", html`<p class="hint">${t.help.statesHint}</p>
          <dl class="help-list">${ORDER.map((state) => html`
            <div><dt><${State} state=${state} /></dt><dd>${t.meaning[state]}</dd></div>`)}</dl>`)}
        ${section("strip", html`<${Strip} />`)}
        <${Explained} section=${section} wanted=${wanted} />
        ${section("words", html`<dl class="help-list">${t.help.glossary.map(([word, text]) => html`
          <div><dt>${word}</dt><dd>${text}</dd></div>`)}</dl>`)}
        ${section("keyboard", html`<dl class="help-list">${t.help.keys.map(([keys, text]) => html`
          <div><dt>${keys.map((key) => html`<kbd>${key}</kbd>`)}</dt><dd>${text}</dd></div>`)}</dl>`)}
        ${section("programs", html`<${Programs} />`)}
      </div>
    </div>
  </main>`;
}

function Explained({ section, wanted }) {
  const [text, setText] = useState(wanted);
  useEffect(() => setText(wanted), [wanted]);
  const search = (value) => {
    setText(value);
    go(link("help", { q: value }), { replace: true });
  };
  const fits = ({ name, words }) => hasWords(text, [name, words.title, words.sentence, words.next]);
  const issues = ISSUES.filter(fits);
  const groups = REASONS.map((group) => ({ ...group, entries: group.entries.filter(fits) })).filter(({ entries }) => entries.length > 0);
  const count = groups.reduce((sum, { entries }) => sum + entries.length, issues.length);
  const all = REASONS.reduce((sum, { entries }) => sum + entries.length, ISSUES.length);
  return html`
    ${section("reasons", html`<p class="hint">${t.help.reasonsHint}</p>
      <${Search} label=${t.help.search} value=${text} onValue=${search} />
      <p class="hint" role="status">${count > 0 ? t.help.found(count, all) : t.help.noneFound}</p>
      ${groups.map(({ name, entries }) => html`<div class="help-group" key=${name}><h3>${t.help.groups[name]}</h3>
        <div class="help-two">${entries.map((entry) => html`<${Entry} key=${entry.name} ...${entry} />`)}</div></div>`)}`)}
    ${section("issues", html`<p class="hint">${t.help.issuesHint}</p>
      ${issues.length > 0 ? html`<div class="help-two">${issues.map((entry) => html`
        <${Entry} key=${entry.name} heading="h3" ...${entry} />`)}</div>`
        : html`<p class="hint">${t.help.noneFound}</p>`}`)}`;
}

function Programs() {
  return html`<ul class="help-links">
    <li><a href="/api/openapi.json">${t.help.api}</a><span class="hint">${t.help.apiHint}</span></li>
    <li><a href="/metrics">${t.help.metrics}</a><span class="hint">${t.help.metricsHint}</span></li>
    <li><a href="/vendor/LICENSES.txt">${t.help.licences}</a><span class="hint">${t.help.licencesHint}</span></li>
  </ul>`;
}
