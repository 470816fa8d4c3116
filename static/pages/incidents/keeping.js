// Incidents, read page by page and kept up to date by events.

import { get } from "../../lib/api.js";
import { useCallback, useEffect, useRef, useState } from "../../lib/html.js";
import { live, useIncidentEvents } from "../../lib/live.js";

const PAGE = 100;
// So many matches are looked for before the reader is asked whether to go on, in so many pages at most.
const ENOUGH = 30;
const MOST_PAGES = 5;

/** Shows the component again when a stream is added, removed or renamed, and not with every heartbeat. */
export function useNames() {
  const [, setNames] = useState("");
  useEffect(() => {
    const look = () => setNames([...live.streams.values()].map(({ id, name }) => `${id}=${name}`).join("\n"));
    look();
    live.ofList.add(look);
    return () => live.ofList.delete(look);
  }, []);
}

const configured = () => [...live.streams.values()].map(({ id, enabled }) => `${id} ${enabled}`).join("\n");

/**
 * Calls `again` when the connection was lost and is there again, or streams were added or taken out: no event told what became
 * of incidents then.
 */
export function useReturn(again) {
  useEffect(() => {
    let lost = live.lostAt !== null;
    let before = live.loaded ? configured() : null;
    const look = () => {
      const now = configured();
      const changed = before !== null && now !== before;
      if (live.lostAt === null && (lost || changed)) again();
      lost = live.lostAt !== null;
      before = now;
    };
    live.ofList.add(look);
    return () => live.ofList.delete(look);
  }, [again]);
}

/** Calls `again` every minute while the page is looked at, for what no event tells. */
export function useMinutes(again) {
  useEffect(() => {
    const timer = setInterval(() => document.hidden || live.lostAt !== null || again(), 60_000);
    return () => clearInterval(timer);
  }, [again]);
}

const sameMember = (one, other) => one.stream === other.stream && one.joined_at === other.joined_at;

/** An incident as an event has it, over what is known of it: of a large one, the event has only the stream that changed. */
export function merged(before, event) {
  if (!before) return event;
  const next = { ...before, ...event };
  if (event.streams.length >= before.streams.length) return next;
  const streams = before.streams.map((member) => event.streams.find((changed) => sameMember(member, changed)) ?? member);
  const added = event.streams.filter((changed) => !streams.some((member) => sameMember(member, changed)));
  return { ...next, streams: [...streams, ...added] };
}

const NEVER = "9999";

/** True when the service would give this incident for this query. */
function isAsked(incident, { open, stream, from, to }) {
  return (open === undefined || incident.open === open)
    && (!stream || incident.streams.some((member) => member.stream === stream))
    && (!from || Date.parse(incident.closed_at ?? NEVER) >= Date.parse(from))
    && (!to || Date.parse(incident.opened_at) < Date.parse(to));
}

/** The page of the register before `cursor`. */
export const readPage = ({ open, stream, from, to }, cursor, limit = PAGE) => {
  const given = Object.entries({ open, stream, from, to, cursor, limit })
    .filter(([, value]) => value !== undefined && value !== null && value !== "");
  return get(`/api/incidents?${new URLSearchParams(given)}`);
};

/**
 * The register for a query, newest first: `{incidents, begun, loading, error, more, load, reload, put}`. `matches` is what the
 * service cannot filter for; pages are read until there are enough that match. `more` is false when there is nothing before.
 */
export function useRegister(query, matches) {
  const [state, setState] = useState({ incidents: [], cursor: null, begun: false, loading: true, error: null });
  const current = useRef(state);
  const turn = useRef(0);
  const asked = useRef({ query, matches });
  asked.current = { query, matches };
  const set = (next) => {
    current.current = { ...current.current, ...next };
    setState(current.current);
  };

  const load = useCallback(async (anew = false) => {
    if (!anew && (current.current.loading || (current.current.begun && !current.current.cursor))) return;
    turn.current += 1;
    const mine = turn.current;
    set({ loading: true, error: null });
    let cursor = anew ? null : current.current.cursor;
    let list = anew ? [] : current.current.incidents;
    const before = list.filter(asked.current.matches).length;
    try {
      for (let page = 0; page < MOST_PAGES; page += 1) {
        const answer = await readPage(asked.current.query, cursor);
        if (mine !== turn.current) return;
        const known = new Set(answer.incidents.map(({ id }) => id));
        list = [...list.filter(({ id }) => !known.has(id)), ...answer.incidents].sort((one, other) => other.id - one.id);
        cursor = answer.next_cursor;
        if (!cursor || list.filter(asked.current.matches).length - before >= ENOUGH) break;
      }
      set({ incidents: list, cursor, begun: true, loading: false });
    } catch (error) {
      if (mine === turn.current) set({ loading: false, error });
    }
  }, []);

  const { open, stream, from, to } = query;
  useEffect(() => {
    set({ incidents: [], cursor: null, begun: false });
    load(true);
    return () => { turn.current += 1; };
  }, [open, stream, from, to]);

  const put = useCallback((incident) => {
    set({ incidents: current.current.incidents.map((one) => (one.id === incident.id ? incident : one)) });
  }, []);
  const reload = useCallback(() => load(true), []);
  useReturn(reload);
  useIncidentEvents(useCallback((event) => {
    const { incidents, cursor } = current.current;
    const known = incidents.find(({ id }) => id === event.id);
    const incident = merged(known, event);
    if (known) {
      // One that is over stays for the moment: nothing is to vanish from under somebody's finger.
      set({ incidents: incidents.map((one) => (one === known ? incident : one)) });
    } else if (isAsked(incident, asked.current.query) && (!cursor || incident.id > (incidents.at(-1)?.id ?? 0))) {
      set({ incidents: [incident, ...incidents].sort((one, other) => other.id - one.id) });
    }
  }, []));

  return { ...state, more: state.cursor !== null || !state.begun, load: useCallback(() => load(), []), reload, put };
}
