// Every stream: as a wall of cards or as a table, worst first.

import { html, useEffect, useLayoutEffect, useRef, useState } from "../lib/html.js";
import { t } from "../lib/language.js";
import { live, useList } from "../lib/live.js";
import { prefer, preference } from "../lib/preferences.js";
import { go, holdsUnsaved, link } from "../lib/router.js";
import { can } from "../lib/session.js";
import { Empty } from "../parts/feedback.js";
import { Card } from "./overview/card.js";
import { Filters, VIEWS } from "./overview/filters.js";
import { kinds, select } from "./overview/select.js";
import { Row, Table } from "./overview/table.js";

// So many are drawn at first, and so many more with each frame: a thousand at once would keep the page waiting.
const AT_FIRST = 60;
const AT_ONCE = 100;
let drawnBefore = AT_FIRST;

const FEW = 24;
const KEYS = ["q", "state", "group", "tag", "sort", "view"];

export function Overview({ query }) {
  const streams = useList();
  const [kept, setKept] = useState(preference("view", "cards"));
  // A bookmark's own view comes before what this browser likes.
  const view = [query.get("view"), kept].find((one) => VIEWS.includes(one)) ?? "cards";
  const wasEmpty = useRef(false);
  const [drawn, setDrawn] = useState(drawnBefore);
  useEffect(() => {
    if (!live.loaded || drawn >= streams.size) return undefined;
    const more = setTimeout(() => {
      drawnBefore = drawn + AT_ONCE;
      setDrawn(drawnBefore);
    });
    return () => clearTimeout(more);
  });
  // A few cards on a wall screen make everything larger, the frame too.
  const few = view === "cards" && streams.size > 0 && streams.size <= FEW;
  useLayoutEffect(() => {
    document.documentElement.toggleAttribute("data-few", few);
    return () => document.documentElement.removeAttribute("data-few");
  }, [few]);
  // One element for each stream and view, made once: a list that is shown again costs only what moved.
  const made = useRef(new Map());
  if (!live.loaded) return html`<main><p class="waiting" role="status">${t.loading}</p></main>`;
  // Somebody else's first stream must not take the form away in which one is being typed.
  wasEmpty.current = streams.size === 0 || (wasEmpty.current && holdsUnsaved());
  if (wasEmpty.current) return html`<${NoStreams} others=${streams.size > 0} />`;

  const filter = Object.fromEntries(KEYS.map((key) => [key, query.get(key) ?? ""]));
  filter.sort ||= "state";
  const set = (changes) => {
    const wanted = { ...filter, ...changes };
    if (wanted.sort === "state") wanted.sort = "";
    go(link(wanted), { replace: true });
  };
  const shown = select(streams, filter);
  if (made.current.size > 3 * streams.size + 100) made.current.clear();
  const show = (Element) => shown.slice(0, drawn).map(({ id }) => {
    const key = `${Element.name} ${id}`;
    if (!made.current.has(key)) made.current.set(key, html`<${Element} key=${id} id=${id} />`);
    return made.current.get(key);
  });
  const choose = (next) => {
    prefer("view", next === "cards" ? null : next);
    setKept(next);
    if (query.get("view")) set({ view: next });
  };
  return html`<main tabindex="-1" class="overview">
    <h1 class="unseen">${t.frame.overview}</h1>
    <${Filters} filter=${filter} set=${set} kinds=${kinds(streams)} shown=${shown.length} all=${streams.size} view=${view} setView=${choose} />
    ${shown.length === 0 ? html`<${Empty} icon="search" title=${t.overview.nothing}>
        <p>${t.overview.nothingHint}</p>
        <button type="button" onClick=${() => set({ q: "", state: "", group: "", tag: "" })}>${t.overview.showAll}</button><//>`
      : view === "table" ? html`<${Table} rows=${show(Row)} sorted=${filter.sort} sort=${(sort) => set({ sort })} />`
        : html`<section class="wall" data-view=${view} aria-label=${t.overview.streams}>${show(Card)}</section>`}
  </main>`;
}

// A new installation: the first camera can be added here, tried before it is saved.
function NoStreams({ others }) {
  const [Form, setForm] = useState(null);
  useEffect(() => {
    if (can("admin")) import("./settings/stream-form.js").then(({ StreamForm }) => setForm(() => StreamForm), () => {});
  }, []);
  return html`<main tabindex="-1" class="page narrow">
    <header><div><h1>${t.overview.welcome}</h1><p class="hint">${can("admin") ? t.overview.welcomeHint : t.overview.noneYet}</p></div></header>
    ${others && html`<p role="status">${t.overview.othersAdded}</p>`}
    ${Form && html`<section class="box"><${Form} first=${true} /></section>
      <p class="hint">${t.overview.manyHint} <a href=${link("settings", "streams", "import")}>${t.overview.importMany}</a></p>`}
  </main>`;
}
