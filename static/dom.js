// Elements without markup: text is always set as text.

/** el("p", {class: "x", onclick: f}, "text", child, …) */
export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value == null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child != null));
  return element;
}

/** Sets a text only when it is another one, so that a selection survives. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

const SVG = "http://www.w3.org/2000/svg";
const shapes = {
  up: "M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1Zm3.6 5.1-4.3 4.8a.8.8 0 0 1-1.2 0L4.4 9.1l1.1-1.1 1.2 1.3 3.8-4.2Z",
  degraded: "M8 1.2a1 1 0 0 1 .9.5l6.3 11.2a1 1 0 0 1-.9 1.5H1.7a1 1 0 0 1-.9-1.5L7.1 1.7a1 1 0 0 1 .9-.5ZM7.2 5.6v4h1.6v-4Zm0 5.2v1.6h1.6v-1.6Z",
  down: "M5 1h6l4 4v6l-4 4H5l-4-4V5Zm.9 3.8L4.8 5.9 6.9 8l-2.1 2.1 1.1 1.1L8 9.1l2.1 2.1 1.1-1.1L9.1 8l2.1-2.1-1.1-1.1L8 6.9Z",
  unknown: "M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1Zm0 3c1.5 0 2.6.9 2.6 2.2 0 1-.6 1.5-1.2 1.9-.5.4-.6.5-.6 1H7.2c0-1.300.5-1.800 1.100-2.200.5-.4.7-.5.7-.8 0-.4-.4-.7-1-.7s-1 .3-1.100.9H5.300C5.400 4.900 6.500 4 8 4Zm-.9 6.200h1.700V12H7.100Z",
  maintenance: "M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1ZM5 5h2v6H5Zm4 0h2v6H9Z",
  mark: "M1 8.500h3l1.500-4 2.500 7.500 2-5 1 1.500h4",
};

export function icon(name, className = "") {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("aria-hidden", "true");
  svg.setAttribute("class", `icon ${className}`);
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", shapes[name]);
  path.setAttribute("fill-rule", "evenodd");
  svg.append(path);
  return svg;
}
