// The course of an incident: what was when, one below the other.

import { html } from "../../lib/html.js";
import { dateTime, duration, time } from "../../lib/format.js";
import { t } from "../../lib/language.js";
import { Icon } from "../../parts/icon.js";
import { Lasting, awayOf, secondsBetween, streamsOf } from "./words.js";

const earliest = (times) => times.reduce((one, other) => (Date.parse(other) < Date.parse(one) ? other : one));
const latest = (times) => times.reduce((one, other) => (Date.parse(other) > Date.parse(one) ? other : one));

/** What was when: `[{at, state, icon, text, hint}]`, in the order of time. */
function stepsOf(incident) {
  const { streams, opened_at: opened, closed_at: closed, acknowledged } = incident;
  const began = earliest(streams.map((member) => member.began_at));
  const steps = [{
    at: began, state: "unknown", icon: "clock", text: t.incidents.began, hint: t.incidents.beganHint,
  }, {
    at: opened,
    state: incident.state,
    icon: incident.state,
    text: t.incidents.confirmed(t.states[incident.state].toLowerCase()),
    hint: t.incidents.after(duration(secondsBetween(began, opened))),
  }];
  const later = streams.slice(1).map((member) => member.joined_at);
  if (later.length > 0) {
    const last = latest(later);
    steps.push({
      at: earliest(later),
      state: incident.state,
      icon: "plus",
      text: t.incidents.joined(t.incidents.streams(later.length)),
      hint: time(last) !== time(earliest(later)) && t.incidents.joinedUntil(time(last)),
    });
  }
  if (acknowledged) steps.push({ at: acknowledged.at, icon: "check", text: t.incidents.acknowledgedBy(acknowledged.by) });
  const left = streams.map((member) => member.left_at).filter(Boolean);
  const early = left.filter((at) => at !== closed);
  if (early.length > 0) {
    steps.push({ at: latest(early), state: "up", icon: "up", text: t.incidents.left(t.incidents.streams(early.length)) });
  }
  if (closed) {
    steps.push(incident.merged_into
      ? { at: closed, icon: "link", text: t.incidents.closedMerged(incident.merged_into) }
      : { at: closed, state: "up", icon: "up", text: t.incidents.over, hint: t.incidents.overHint });
  }
  return steps.sort((one, other) => Date.parse(one.at) - Date.parse(other.at));
}

export function Course({ incident }) {
  return html`<section class="box"><h2>${t.incidents.course}</h2>
    <ol class="inc-course">${stepsOf(incident).map((step) => html`
      <li data-state=${step.state ?? null}><${Icon} name=${step.icon} />
        <div><b>${step.text}</b> <time datetime=${step.at}>${dateTime(step.at)}</time>
          ${step.hint && html`<span class="hint">${step.hint}</span>`}</div></li>`)}
      ${incident.open && html`<li data-state=${incident.state} class="inc-goes-on"><${Icon} name="more" />
        <div><b>${t.incidents.goesOn}</b> <${Lasting} from=${incident.opened_at} to=${null} />
          ${streamsOf(incident).length > 1 && html`<span class="hint">
            ${t.incidents.stillAway(awayOf(incident).length, streamsOf(incident).length)}</span>`}</div></li>`}
    </ol></section>`;
}
