// Lines of cameras: what they mean, and what is wrong with them.

import { t } from "../../lib/language.js";
import { COLUMNS, parseCsv } from "./csv.js";
import { HIDDEN, splitAddress } from "./draft.js";

const ADDRESS = /^[a-z][a-z0-9+.-]*:\/\//i;
const HEADERS = {
  name: "name", camera: "name", stream: "name", title: "name",
  url: "url", address: "url", uri: "url", rtsp: "url", link: "url",
  user: "user", username: "user", login: "user",
  password: "password", pass: "password", pwd: "password",
  group: "group", location: "group", site: "group",
  tags: "tags", tag: "tags", labels: "tags",
};

// The one that is most often there; an address may hold each of them, so lines of nothing else have no say.
function separatorOf(lines) {
  const [best] = [",", ";", "\t"].map((one) => [one, lines.reduce((sum, line) => sum + line.split(one).length - 1, 0)])
    .sort(([, a], [, b]) => b - a);
  return best[1] ? best[0] : ",";
}

/**
 * Cameras of pasted lines, `[{line, key, name, url, user, password, group, tags}]`; a name is made where there is none. `key` is
 * the content, so that a choice stays with it when lines come and go.
 */
export function camerasOf(pasted) {
  const text = pasted.replace(/^\ufeff/, "");
  const lines = text.split("\n").map((line) => line.trim()).filter(Boolean);
  const bare = (line) => ADDRESS.test(line);
  const separator = separatorOf(lines.filter((line) => !bare(line)));
  let columns = COLUMNS;
  const cameras = [];
  const seen = new Map();
  for (const { line, cells } of lines.every(bare) ? wholeLines(text) : parseCsv(text, separator)) {
    const heads = cells.map((one) => HEADERS[one.toLowerCase()]);
    if (cameras.length === 0 && columns === COLUMNS && heads.includes("url")) {
      columns = heads;
      continue;
    }
    // A line that begins with an address is one, whatever the separator does to it.
    const alone = columns === COLUMNS && bare(cells[0]);
    const one = camera(line, alone ? ["", cells.join(separator)] : cells, columns);
    const content = JSON.stringify({ ...one, line: 0 });
    seen.set(content, (seen.get(content) ?? 0) + 1);
    cameras.push({ ...one, key: `${content} ${seen.get(content)}` });
  }
  return cameras;
}

const wholeLines = (text) => text.split("\n")
  .map((line, at) => ({ line: at + 1, cells: [line.trim()] }))
  .filter(({ cells }) => cells[0]);

function camera(line, cells, columns) {
  const at = (key) => (cells[columns.indexOf(key)] ?? "").replace(/^'(?=[=+\-@])/, "");
  // Behind the last column there are more tags.
  const more = columns === COLUMNS ? cells.slice(COLUMNS.length) : [];
  const { plain, info, user, password } = splitAddress(at("url"));
  const found = {
    line, url: plain, user: at("user") || user, password: at("password") || password, group: at("group"),
    tags: [at("tags"), ...more].join(";").split(/[;,|]/).map((tag) => tag.trim()).filter(Boolean),
    name: at("name"), made: false,
    hidden: (info ?? "").endsWith(`:${HIDDEN}`) || at("password") === HIDDEN || plain.includes(`=${HIDDEN}`),
  };
  return found.name ? found : { ...found, name: hostOf(plain), made: true };
}

export const hostOf = (url) => /^[a-z][a-z0-9+.-]*:\/\/(\[[^\]]*\]|[^/?#:]*)/i.exec(url)?.[1]?.replace(/[[\]]/g, "") ?? "";

const SCHEMES = ["rtsp", "rtsps", "http", "https"];
// The same place is written in more than one way.
const place = (url) => url.toLowerCase().replace(/^(rtsp:\/\/[^/?#]*):554(?=[/?#]|$)/, "$1")
  .replace(/^(http:\/\/[^/?#]*):80(?=[/?#]|$)/, "$1").replace(/\/$/, "");

/**
 * What is wrong with each: `problem` keeps it from being added, a `remark` does not. `known` are the streams that there are. Made
 * names that are taken get a number.
 */
export function judge(cameras, known) {
  const there = [...known];
  const names = new Map(there.map((stream) => [stream.name, null]));
  const places = new Map(there.map((stream) => [place(splitAddress(stream.url ?? "").plain), null]));
  const s = t.settings.import.problems;
  return cameras.map((one) => {
    let { name } = one;
    for (let n = 2; one.made && name && names.has(name); n += 1) name = `${one.name}-${n}`;
    const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(one.url)?.[1].toLowerCase();
    const first = (map, key) => (map.get(key) === null ? s.known : s.line(map.get(key)));
    let problem = null;
    if (!one.url) problem = s.noUrl;
    else if (!scheme) problem = s.noScheme;
    else if (!SCHEMES.includes(scheme)) problem = s.scheme(scheme);
    else if (!hostOf(one.url)) problem = s.noHost;
    else if (/[\s]/.test(one.url)) problem = s.space;
    else if (names.has(name)) problem = s.name(name, first(names, name));
    else if (one.hidden) problem = s.hidden;
    const again = !problem && places.has(place(one.url));
    const remark = again ? s.url(first(places, place(one.url))) : one.made ? s.made : null;
    if (!problem) {
      names.set(name, one.line);
      if (!again) places.set(place(one.url), one.line);
    }
    return { ...one, name, problem, remark, again };
  });
}

/** The entry of config.yaml. */
export const entryOfCamera = ({ name, url, user, password, group, tags }) => Object.fromEntries(Object.entries({
  name, url, username: user, password, group, tags: tags.length ? tags : "",
}).filter(([, value]) => value !== ""));
