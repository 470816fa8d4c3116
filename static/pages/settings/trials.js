// Trying many cameras, two at a time: whoever adds fifty of them should not have to wait for the slowest one each time.

import { useCallback, useEffect, useRef, useState } from "../../lib/html.js";
import { request } from "../../lib/api.js";
import { latency } from "../../lib/format.js";
import { t } from "../../lib/language.js";
import { videoText } from "../../lib/video.js";
import { sentenceOf } from "../../parts/feedback.js";
import { entryOfCamera } from "./import-lines.js";

const AT_ONCE = 2;
const PROBED = ["url", "username", "password"];

function resultOf(answer) {
  const { video, reason, message } = answer;
  if (answer.outcome !== "ok") return { ok: false, text: t.reasons[reason]?.title ?? message, more: answer.next_step };
  const issues = (answer.picture?.issues ?? []).map((issue) => t.issues[issue]?.title ?? issue);
  return { ok: true, issue: issues.length > 0, text: [...issues, videoText(video), latency(answer.latency_ms)].filter(Boolean).join(", ") };
}

/** `{running, wanted, results, run(rows), stop(), clear()}`; `results` is by line `{ok, text, more}`. */
export function useTrials() {
  const [state, setState] = useState({ running: false, wanted: 0, results: new Map() });
  const abort = useRef(null);
  const stop = useCallback(() => {
    abort.current?.abort();
    setState((before) => ({ ...before, running: false }));
  }, []);
  useEffect(() => () => abort.current?.abort(), []);
  const run = useCallback(async (rows) => {
    const mine = new AbortController();
    abort.current = mine;
    setState({ running: true, wanted: rows.length, results: new Map() });
    const waiting = [...rows];
    const one = async () => {
      for (let row = waiting.shift(); row && !mine.signal.aborted; row = waiting.shift()) {
        const entry = entryOfCamera(row);
        const body = Object.fromEntries(PROBED.filter((key) => key in entry).map((key) => [key, entry[key]]));
        let result;
        try {
          result = resultOf((await request("POST", "/api/probe", { body, signal: mine.signal })).value);
        } catch (error) {
          result = { ok: false, text: error.details?.[0]?.message ?? sentenceOf(error) };
        }
        if (mine.signal.aborted) return;
        const { line } = row;
        setState((before) => ({ ...before, results: new Map(before.results).set(line, result) }));
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, one));
    if (!mine.signal.aborted) setState((before) => ({ ...before, running: false }));
  }, []);
  const clear = useCallback(() => {
    abort.current?.abort();
    setState({ running: false, wanted: 0, results: new Map() });
  }, []);
  return { ...state, run, stop, clear };
}
