// An address that leads nowhere.

import { html } from "../lib/html.js";
import { t } from "../lib/language.js";
import { Empty } from "../parts/feedback.js";

export function NotFound() {
  return html`<main tabindex="-1"><${Empty} icon="help" title=${t.frame.notFound} whole>
    <p>${t.frame.notFoundHint}</p><p><a class="button" href="#/">${t.frame.toOverview}</a></p>
  <//></main>`;
}
