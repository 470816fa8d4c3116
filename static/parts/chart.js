// A line over time with marks for failures, drawn by uPlot, which is loaded when the first one is shown.

import { html, useEffect, useRef, useState } from "../lib/html.js";
import { dateTime, latency, timeOfAxis } from "../lib/format.js";
import { t } from "../lib/language.js";
import { Problem } from "./feedback.js";

const HEIGHT_PX = 220;
const MIN_ZOOM_MS = 60_000;
let loading = null;

function load() {
  loading ??= new Promise((resolve, reject) => {
    const sheet = Object.assign(document.createElement("link"), { rel: "stylesheet", href: "/vendor/uplot.css" });
    const failed = () => {
      // Asked for again the next time.
      loading = null;
      sheet.remove();
      reject(new Error(t.chart.notLoaded));
    };
    sheet.onload = () => import("../vendor/uplot.js").then((module) => resolve(module.default), failed);
    sheet.onerror = failed;
    document.head.append(sheet);
  });
  return loading;
}

// A canvas wants colours, not names of them.
function colours(element) {
  const probe = document.createElement("span");
  element.append(probe);
  const found = Object.fromEntries(["accent", "down", "soft", "line"].map((name) => {
    probe.style.color = `var(--${name})`;
    return [name, getComputedStyle(probe).color];
  }));
  probe.remove();
  return found;
}

function options(uPlot, element, { from, to, zone, zoom }) {
  const { accent, down, soft, line } = colours(element);
  const axis = { stroke: soft, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 }, font: "12px system-ui, sans-serif" };
  return {
    width: element.clientWidth,
    height: HEIGHT_PX,
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), zone),
    legend: { show: true, live: true },
    cursor: { drag: { x: true, y: false, setScale: false } },
    scales: { x: { range: () => [from / 1000, to / 1000] }, y: { range: (_, min, max) => [0, Math.max(max ?? 0, 1) * 1.1] } },
    axes: [{ ...axis, values: (_, splits) => splits.map((seconds) => timeOfAxis(seconds * 1000, to - from)) }, { ...axis, size: 62, values: (_, values) => values.map((value) => latency(value)) }],
    series: [
      { label: t.chart.time, value: (_, seconds) => (seconds === null ? t.none : dateTime(seconds * 1000)) },
      { label: t.chart.latency, stroke: accent, width: 1.5, points: { show: true, size: 4, fill: accent }, value: (_, value) => latency(value) },
      { label: t.chart.failed, stroke: down, width: 0, paths: () => null, points: { show: true, size: 7, fill: down }, value: (_, value) => (value === null ? t.none : latency(value)) },
    ],
    hooks: {
      setSelect: [(chart) => {
        const { left, width } = chart.select;
        chart.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
        if (width < 6) return;
        const begin = chart.posToVal(left, "x") * 1000;
        const end = chart.posToVal(left + width, "x") * 1000;
        zoom(begin, Math.max(end, begin + MIN_ZOOM_MS));
      }],
    },
  };
}

/** `series` is `{x, ok, failed}`; `from` and `to` are milliseconds; `zoom(from, to)` is called for what was dragged over. */
export function Chart({ label, series, from, to, zone, zoom }) {
  const place = useRef(null);
  const drawn = useRef(null);
  const [error, setError] = useState(null);
  const [look, setLook] = useState(0);
  // Another theme: drawn anew. Another size: in the next frame, as its height may change what is observed.
  useEffect(() => {
    const again = () => setLook((n) => n + 1);
    const dark = matchMedia("(prefers-color-scheme: dark)");
    dark.addEventListener("change", again);
    const theme = new MutationObserver(again);
    theme.observe(document.documentElement, { attributeFilter: ["data-theme"] });
    const size = new ResizeObserver(() => requestAnimationFrame(() => {
      const width = place.current?.clientWidth;
      if (width && drawn.current && drawn.current.width !== width) drawn.current.setSize({ width, height: HEIGHT_PX });
    }));
    size.observe(place.current);
    return () => {
      dark.removeEventListener("change", again);
      theme.disconnect();
      size.disconnect();
    };
  }, []);
  useEffect(() => {
    let gone = false;
    load().then((uPlot) => {
      if (gone) return;
      setError(null);
      drawn.current = new uPlot(options(uPlot, place.current, { from, to, zone, zoom }), [series.x, series.ok, series.failed], place.current);
    }, (problem) => gone || setError(problem));
    return () => {
      gone = true;
      drawn.current?.destroy();
      drawn.current = null;
    };
  }, [series, look]);
  return html`<div class="chart" role="img" aria-label=${label}><div ref=${place}></div></div>
    <${Problem} error=${error} retry=${() => setLook((n) => n + 1)} />`;
}
