// What the register is filtered by. It is all in the address.

import { html, useState } from "../../lib/html.js";
import { t } from "../../lib/language.js";
import { live } from "../../lib/live.js";
import { byName } from "../../lib/names.js";
import { go, link } from "../../lib/router.js";
import { Choice, TextField } from "../../parts/fields.js";
import { Icon } from "../../parts/icon.js";
import { Search } from "../../parts/search.js";
import { nameOf } from "./words.js";

export function Filters({ show, filter, filtered }) {
  const [unfolded, setUnfolded] = useState(false);
  const addressOf = (next) => link("incidents", { ...(show === "open" ? {} : { show }), ...next });
  const set = (name) => (value) => go(addressOf({ ...filter, [name]: value }), { replace: true });
  const streams = byName(live.streams).map(({ id, name }) => [id, name]);
  if (filter.stream && !live.streams.has(filter.stream)) streams.push([filter.stream, nameOf(filter.stream)]);
  const folded = ["stream", "state", "from", "to"].filter((name) => filter[name]).length;
  return html`<div class="inc-filters" role="search" data-unfolded=${unfolded ? "" : null}>
    <${Search} label=${t.incidents.search} placeholder=${t.incidents.searchHint} value=${filter.text} onValue=${set("text")} />
    <button type="button" class="inc-unfold" aria-expanded=${String(unfolded)} onClick=${() => setUnfolded(!unfolded)}>
      <${Icon} name="settings" /> ${t.incidents.filters(folded)}</button>
    <div class="inc-folded">
      <${Choice} label=${t.incidents.stream} value=${filter.stream} onValue=${set("stream")}
        options=${[["", t.incidents.anyStream], ...streams]} />
      <${Choice} label=${t.incidents.state} value=${filter.state} onValue=${set("state")}
        options=${[["", t.incidents.anyState], ["down", t.states.down], ["degraded", t.states.degraded]]} />
      <${TextField} label=${t.incidents.from} type="date" max=${filter.to || null} value=${filter.from} onValue=${set("from")} />
      <${TextField} label=${t.incidents.to} type="date" min=${filter.from || null} value=${filter.to} onValue=${set("to")} />
      ${filtered && html`<a class="button quiet" href=${addressOf({})}><${Icon} name="close" /> ${t.incidents.clear}</a>`}
    </div>
  </div>`;
}
