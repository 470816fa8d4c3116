// What differs between two texts, line by line.

// Beyond so many differences nobody reads them one by one, and the middle is shown as a whole.
const MOST = 600;
const AROUND = 2;

/**
 * `[{kind: "same" | "theirs" | "mine", text, line}]`, `line` in the text that it is of (Myers, "An O(ND) Difference
 * Algorithm", 1986).
 */
export function diffLines(theirs, mine) {
  const [a, b] = [theirs.split("\n"), mine.split("\n")];
  let head = 0;
  while (head < a.length && head < b.length && a[head] === b[head]) head += 1;
  let tail = 0;
  while (tail < a.length - head && tail < b.length - head && a.at(-1 - tail) === b.at(-1 - tail)) tail += 1;
  const middle = steps(a.slice(head, a.length - tail), b.slice(head, b.length - tail));
  const out = a.slice(0, head).map((text, at) => ({ kind: "same", text, line: at + 1 }));
  let [x, y] = [head, head];
  for (const kind of middle) {
    out.push(kind === "mine" ? { kind, text: b[y], line: y + 1 } : { kind, text: a[x], line: x + 1 });
    if (kind !== "mine") x += 1;
    if (kind !== "theirs") y += 1;
  }
  for (let at = 0; at < tail; at += 1) out.push({ kind: "same", text: a[x + at], line: x + at + 1 });
  return out;
}

function steps(a, b) {
  const whole = () => [...a.map(() => "theirs"), ...b.map(() => "mine")];
  const furthest = new Map([[1, 0]]);
  const trace = [];
  for (let d = 0; d <= Math.min(MOST, a.length + b.length); d += 1) {
    trace.push(new Map(furthest));
    for (let k = -d; k <= d; k += 2) {
      const down = k === -d || (k !== d && furthest.get(k - 1) < furthest.get(k + 1));
      let x = down ? furthest.get(k + 1) : furthest.get(k - 1) + 1;
      while (x < a.length && x - k < b.length && a[x] === b[x - k]) x += 1;
      furthest.set(k, x);
      if (x >= a.length && x - k >= b.length) return back(trace, a.length, b.length);
    }
  }
  return whole();
}

function back(trace, x, y) {
  const out = [];
  for (let d = trace.length - 1; d >= 0; d -= 1) {
    const k = x - y;
    const furthest = trace[d];
    const down = k === -d || (k !== d && furthest.get(k - 1) < furthest.get(k + 1));
    const before = down ? furthest.get(k + 1) : furthest.get(k - 1);
    const beforeY = before - (down ? k + 1 : k - 1);
    while (x > before && y > beforeY) {
      out.push("same");
      x -= 1;
      y -= 1;
    }
    if (d > 0) out.push(down ? "mine" : "theirs");
    [x, y] = [before, beforeY];
  }
  return out.reverse();
}

/** Only what differs, with some lines around it: a list of pieces. */
export function pieces(lines) {
  const near = lines.map(() => false);
  lines.forEach(({ kind }, at) => {
    if (kind === "same") return;
    for (let n = Math.max(0, at - AROUND); n <= Math.min(lines.length - 1, at + AROUND); n += 1) near[n] = true;
  });
  const out = [];
  lines.forEach((line, at) => {
    if (!near[at]) return;
    if (!near[at - 1]) out.push([]);
    out.at(-1).push(line);
  });
  return out;
}
