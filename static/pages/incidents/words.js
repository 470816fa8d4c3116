// What is said of an incident: its streams, its reason, its cause, how long it took.

import { html } from "../../lib/html.js";
import { date, dateTime, duration, shortDateTime } from "../../lib/format.js";
import { useTicks } from "../../lib/hooks.js";
import { t } from "../../lib/language.js";
import { live } from "../../lib/live.js";

/** The name of a stream; its id when it is not configured (any more). */
export const nameOf = (id) => live.streams.get(id)?.name ?? id;

/** The ids of its streams, each once, in the order in which they joined. */
export const streamsOf = (incident) => [...new Set(incident.streams.map((member) => member.stream))];

/** The ids of streams that are still affected. */
export const awayOf = (incident) => [...new Set(
  incident.streams.filter((member) => member.left_at === null).map((member) => member.stream))];

// The register has the sentences of what is wrong with a picture, and no issues; the texts have the same sentences.
function issuesOf(incident) {
  if (incident.reason !== "ok") return [];
  return Object.values(t.issues).filter((issue) => incident.message.includes(issue.sentence));
}

/** "Password refused", "Picture is frozen". */
export function titleOf(incident) {
  const issues = issuesOf(incident);
  if (issues.length > 0) return issues.map((issue) => issue.title).join(", ");
  return incident.reason === "ok" ? t.incidents.pictureWrong : reasonTitle(incident.reason);
}

/** The title of a reason; its name where this dashboard is older than the service. */
export const reasonTitle = (reason) => t.reasons[reason]?.title ?? reason;

/** What to do about it; null when nothing is known. */
export function nextOf(incident) {
  const issues = issuesOf(incident);
  if (issues.length > 0) return issues.map((issue) => issue.next).join(" ");
  return t.reasons[incident.reason]?.next ?? incident.next_step;
}

/** "Gate", "12 streams of 192.0.2.0/24", "Warehouse and 3 streams behind it". */
export function whatOf(incident) {
  const streams = streamsOf(incident);
  if (streams.length === 1) return nameOf(streams[0]);
  const { kind, name } = incident.cause;
  const all = t.incidents.streams(streams.length);
  if (kind === "parent") {
    const others = streams.filter((id) => id !== name).length;
    return t.incidents.behind(nameOf(name), t.incidents.streams(others));
  }
  if (kind === "device") return t.incidents.of(all, name ?? t.incidents.oneDevice);
  if (kind === "subnet") return t.incidents.of(all, name ?? t.incidents.oneNetwork);
  return all;
}

/** "The network they share"; nothing for a stream alone. */
export function causeOf({ cause }) {
  const text = t.incidents.causes[cause.kind];
  return typeof text === "function" ? text(nameOf(cause.name)) : text;
}

/** The cause in a sentence with what to look at; nothing for a stream alone. */
export const whyOf = ({ cause }) => t.incidents.why[cause.kind]?.(cause.kind === "parent" ? nameOf(cause.name) : cause.name);

/** The first names, and how many more there are. */
export function namesOf(incident, most = 4) {
  const names = streamsOf(incident).map(nameOf);
  return t.incidents.names(names.slice(0, most), Math.max(0, names.length - most));
}

/** Seconds from a time to another one, or to now. */
export const secondsBetween = (from, to) => (to ? (Date.parse(to) - Date.parse(from)) / 1000 : live.secondsSince(from));

const LONG_AGO_SECONDS = 300 * 86_400;

/** When something was, without its year where that goes without saying. */
export const whenOf = (at) => (live.secondsSince(at) < LONG_AGO_SECONDS ? shortDateTime(at) : date(at));

/** What happened, in one sentence: `span` is how long. */
export function sentenceOf(incident, span) {
  const what = whatOf(incident);
  const many = streamsOf(incident).length > 1;
  const state = t.states[incident.state].toLowerCase();
  return incident.open
    ? t.incidents.isSince(what, many, state, dateTime(incident.opened_at), span)
    : t.incidents.was(what, many, state, dateTime(incident.opened_at), dateTime(incident.closed_at), span);
}

function Counting({ from }) {
  useTicks();
  return duration(live.secondsSince(from));
}

/** How long it took, or takes: counted on while there is no end. */
export function Lasting({ from, to }) {
  return to ? html`<span>${duration(secondsBetween(from, to))}</span>` : html`<span><${Counting} from=${from} /></span>`;
}
