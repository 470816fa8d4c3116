// Tables as text (RFC 4180), read and written.

import { splitAddress } from "./draft.js";

export const COLUMNS = ["name", "url", "user", "password", "group", "tags"];

// A spreadsheet takes such a text for a formula; an apostrophe before it keeps it a text.
const FORMULA = /^[=+\-@\t\r]/;

const cell = (value) => {
  const text = FORMULA.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
};

/** The cameras in the columns that can be imported, without their passwords. */
export function listAsCsv(streams) {
  const rows = streams.map((stream) => {
    const { plain, user } = splitAddress(stream.url ?? "");
    return [stream.name, plain, user, "", stream.group ?? "", stream.tags.join("; ")];
  });
  return [COLUMNS, ...rows].map((row) => `${row.map(cell).join(",")}\r\n`).join("");
}

/** Lets the browser save a text as a file. */
export function download(name, text) {
  const url = URL.createObjectURL(new Blob(["\ufeff", text], { type: "text/csv;charset=utf-8" }));
  const anchor = Object.assign(document.createElement("a"), { href: url, download: name });
  anchor.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/** The text of a file of some spreadsheet: UTF-8, UTF-16, or else Windows-1252. */
export async function textOf(file) {
  const bytes = await file.arrayBuffer();
  const [a, b] = new Uint8Array(bytes, 0, Math.min(2, bytes.byteLength));
  const sixteen = { "255,254": "utf-16le", "254,255": "utf-16be" }[`${a},${b}`];
  if (sixteen) return new TextDecoder(sixteen).decode(bytes);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return new TextDecoder("windows-1252").decode(bytes);
  }
}

/** Rows of cells, each `{line, cells}`; empty lines are none. A quote that is never closed ends at the end. */
export function parseCsv(text, separator) {
  const rows = [];
  let cells = [];
  let value = "";
  let quoted = false;
  let literal = false;
  let line = 1;
  let begin = 1;
  const endCell = () => {
    cells.push(literal ? value : value.trim());
    value = "";
    literal = false;
  };
  const endRow = () => {
    endCell();
    if (cells.some(Boolean)) rows.push({ line: begin, cells });
    cells = [];
  };
  for (let at = 0; at < text.length; at += 1) {
    const c = text[at];
    if (c === "\n") line += 1;
    if (quoted) {
      if (c !== '"') value += c;
      else if (text[at + 1] === '"') {
        value += c;
        at += 1;
      } else quoted = false;
    } else if (c === '"' && value.trim() === "") {
      value = "";
      quoted = true;
      literal = true;
    } else if (c === separator) endCell();
    else if (c === "\n") {
      endRow();
      begin = line;
    } else if (c !== "\r") value += c;
  }
  endRow();
  return rows;
}
