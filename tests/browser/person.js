// What a test sees of a page: what is shown, by role and name, as a person or a screen reader knows it. It is put into each
// page before the page's own scripts.

(() => {
  const squeeze = (text) => text.replace(/\s+/g, " ").trim();

  const isShown = (element) => element.checkVisibility({ visibilityProperty: true });

  /** What is read out of a node: its text, with labels in the place of pictures, without what is hidden. */
  function spoken(node) {
    if (node.nodeType === Node.TEXT_NODE) return node.data;
    if (node.nodeType !== Node.ELEMENT_NODE || node.getAttribute("aria-hidden") === "true" || !isShown(node)) return "";
    if (node.hasAttribute("aria-label")) return node.getAttribute("aria-label");
    if (node.matches("img")) return node.alt;
    if (node.matches("input, textarea, select")) return "";
    const inner = [...node.childNodes].map(spoken).join("");
    return getComputedStyle(node).display === "inline" ? inner : ` ${inner} `;
  }

  /** The accessible name, as far as these pages need it (https://www.w3.org/TR/accname-1.2/). */
  function nameOf(element) {
    const ids = element.getAttribute("aria-labelledby")?.split(/\s+/) ?? [];
    const labelledBy = squeeze(ids.map((id) => document.getElementById(id)?.textContent ?? "").join(" "));
    if (labelledBy) return labelledBy;
    if (element.hasAttribute("aria-label")) return squeeze(element.getAttribute("aria-label"));
    if (element.labels?.length) return squeeze([...element.labels].map(spoken).join(" "));
    if (element.matches("fieldset")) return squeeze(element.querySelector(":scope > legend")?.textContent ?? "");
    if (element.matches("table")) return squeeze(element.caption?.textContent ?? "");
    if (element.matches("input[type=submit], input[type=button]")) return element.value;
    return squeeze(spoken(element)) || element.title || "";
  }

  const roles = {
    button: "button, summary, [role=button], input[type=submit], input[type=button]",
    link: "a[href], [role=link]",
    field: "input:not([type=hidden], [type=checkbox], [type=radio], [type=submit], [type=button], [type=file]), textarea, select",
    files: "input[type=file]",
    checkbox: "input[type=checkbox], [role=checkbox], [role=switch]",
    radio: "input[type=radio], [role=radio]",
    heading: "h1, h2, h3, h4, h5, h6, [role=heading]",
    dialog: "dialog[open], [role=dialog], [role=alertdialog]",
    row: "tr, [role=row]",
    item: "li, article, [role=listitem], [role=article]",
    region: "section, form, fieldset, table, nav, main, [role=region], [role=group]",
    alert: "[role=alert]",
    status: "[role=status]",
    picture: "img, canvas, [role=img]",
  };
  const used = new Set(["button", "link", "field", "checkbox", "radio"]);
  // They are known by something in them, not by a name of their own.
  const known = new Set(["row", "item", "alert", "status"]);

  const innermost = (elements) => elements.filter((one) => !elements.some((other) => other !== one && one.contains(other)));

  function withText(place, name, exact) {
    const holds = (element) => {
      const text = squeeze(element.innerText ?? "");
      return exact ? text === name : text.includes(name);
    };
    return innermost([place, ...place.querySelectorAll("*")].filter((one) => one !== document).filter((element) => isShown(element) && holds(element)));
  }

  function step(place, { role, name, exact }) {
    if (role === "text") return withText(place, name, exact);
    // A modal dialog takes everything behind it out of use.
    const modal = used.has(role) ? [...document.querySelectorAll("dialog:modal")].at(-1) : null;
    const found = [...place.querySelectorAll(roles[role])].filter((element) => {
      if (!isShown(element) && role !== "files") return false;
      if (modal && !modal.contains(element)) return false;
      if (name === null) return true;
      return exact && !known.has(role) ? nameOf(element) === name : squeeze(spoken(element)).includes(name) || nameOf(element).includes(name);
    });
    return known.has(role) ? innermost(found) : found;
  }

  /** The elements at the end of these steps, each within what the one before it found. */
  function find(steps) {
    let places = [document];
    for (const one of steps) places = [...new Set(places.flatMap((place) => step(place, one)))];
    return places;
  }

  const enabled = (element) => !element.matches(":disabled, [aria-disabled=true]");
  const wanted = {
    one: (found) => found.length === 1,
    enabled: (found) => found.length === 1 && enabled(found[0]),
    some: (found) => found.length > 0,
    none: (found) => found.length === 0,
  };

  /** The elements as soon as there are as many as wanted; null when that takes too long: it is asked again then. */
  function wait(steps, want, withinMs) {
    return new Promise((resolve) => {
      const look = () => {
        const found = find(steps);
        if (wanted[want](found)) end(found);
      };
      const observer = new MutationObserver(look);
      const end = (found) => {
        observer.disconnect();
        clearInterval(interval);
        clearTimeout(timeout);
        resolve(found);
      };
      const interval = setInterval(look, 200);
      const timeout = setTimeout(() => end(null), withinMs);
      observer.observe(document, { subtree: true, childList: true, attributes: true, characterData: true });
      look();
    });
  }

  /** What could have been meant, for the message of a test that failed. */
  function offered(role) {
    const elements = roles[role] ? [...document.querySelectorAll(roles[role])].filter(isShown) : [];
    return elements.map((element) => nameOf(element).slice(0, 80));
  }

  /** What sticks out at the right side of a window that is so wide. */
  function sticksOut(width) {
    const root = document.scrollingElement;
    if (root.scrollWidth <= width) return [];
    const out = [...document.querySelectorAll("body *")].filter((element) => isShown(element)
      && element.getBoundingClientRect().right > width + 0.5);
    return [`${root.scrollWidth} px`, ...innermost(out).slice(0, 8).map((element) => element.outerHTML.slice(0, 160))];
  }

  /** What has the focus, and whether that can be seen: by an outline of its own, of the area that belongs to it, or of what it is in. */
  function focus() {
    const at = document.activeElement;
    const area = getComputedStyle(at, "::after");
    let seen = at === document.body || (area.content !== "none" && area.outlineStyle !== "none");
    for (let one = at; one && !seen && at.matches(":focus-visible"); one = one.parentElement) {
      seen = getComputedStyle(one).outlineStyle !== "none";
    }
    return { name: at === document.body ? "" : nameOf(at), html: at.outerHTML.slice(0, 200), is_seen: seen };
  }

  const frames = new WeakMap();

  /** How many different pictures an image has shown when this was asked; a picture of one colour is none. */
  function pictures(image) {
    const seen = frames.get(image) ?? new Set();
    frames.set(image, seen);
    if (!image.complete || !image.naturalWidth) return seen.size;
    const context = new OffscreenCanvas(64, 48).getContext("2d");
    context.drawImage(image, 0, 0, 64, 48);
    const { data } = context.getImageData(0, 0, 64, 48);
    if (new Set(data).size > 8) seen.add(data.join());
    return seen.size;
  }

  const longTasks = [];
  new PerformanceObserver((list) => {
    for (const { startTime, duration } of list.getEntries()) longTasks.push({ startTime, duration });
  }).observe({ type: "longtask", buffered: true });

  // The console's log survives the page; what only the page is told goes there.
  document.addEventListener("securitypolicyviolation", (event) => {
    console.error(`CSP: ${event.violatedDirective} refuses ${event.blockedURI} ${event.sourceFile ?? ""}:${event.lineNumber}`);
  });
  window.addEventListener("error", (event) => console.error(`error: ${event.message} ${event.error?.stack ?? ""}`));
  window.addEventListener("unhandledrejection", (event) => {
    console.error(`rejected: ${event.reason?.stack ?? event.reason}`);
  });

  window.__person = { find, wait, nameOf, offered, sticksOut, focus, pictures, longTasks };
})();
