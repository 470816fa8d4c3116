// What pages have in common: asking the API, and time that passes.

import { useCallback, useEffect, useRef, useState } from "./html.js";

/**
 * Asks once, and again when `inputs` change: `{data, error, loading, reload}`. An answer that comes too late is dropped; what
 * was there stays while it is asked again, and goes when the question is another one.
 */
export function useAsked(ask, inputs) {
  const [state, setState] = useState({ data: undefined, error: null, loading: true });
  const turn = useRef(0);
  const asked = useRef(ask);
  asked.current = ask;
  const run = useCallback(async () => {
    turn.current += 1;
    const mine = turn.current;
    setState((before) => ({ ...before, loading: true }));
    try {
      const data = await asked.current();
      if (mine === turn.current) setState({ data, error: null, loading: false });
    } catch (error) {
      if (mine === turn.current) setState((before) => ({ data: before.data, error, loading: false }));
    }
  }, []);
  useEffect(() => {
    setState({ data: undefined, error: null, loading: true });
    run();
    return () => { turn.current += 1; };
  }, inputs);
  return { ...state, reload: run };
}

/** Does something that takes a while: `[run, busy, error, clear]`; `run` gives false when it failed. */
export function useAction(action) {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState(null);
  const current = useRef(action);
  current.current = action;
  const run = useCallback(async (...inputs) => {
    setBusy(true);
    setError(null);
    try {
      await current.current(...inputs);
      return true;
    } catch (problem) {
      setError(problem);
      return false;
    } finally {
      setBusy(false);
    }
  }, []);
  return [run, busy, error, useCallback(() => setError(null), [])];
}

const tickers = new Set();
setInterval(() => {
  if (!document.hidden) tickers.forEach((tick) => tick());
}, 1000);
document.addEventListener("visibilitychange", () => document.hidden || tickers.forEach((tick) => tick()));

/** What `make()` gives, looked at every second: the component is shown again only when it gives something else. */
export function useTicking(make) {
  const [, setMade] = useState(null);
  const current = useRef(make);
  current.current = make;
  useEffect(() => {
    const tick = () => setMade(current.current());
    tickers.add(tick);
    return () => tickers.delete(tick);
  }, []);
  return make();
}

/** Shows the component again every second, for ages. */
export function useTicks() {
  const [, setTick] = useState(0);
  useEffect(() => {
    const tick = () => setTick((n) => n + 1);
    tickers.add(tick);
    return () => tickers.delete(tick);
  }, []);
}
