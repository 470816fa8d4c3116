// What this browser remembers: how things are shown, never who is signed in. The only place that names `localStorage`.

const PREFIX = "streampulse.";

/** The value that was remembered under this name, or the default. */
export function preference(name, otherwise) {
  try {
    return localStorage.getItem(PREFIX + name) ?? otherwise;
  } catch {
    return otherwise;
  }
}

/** Remembers a text; `null` forgets it. A browser that remembers nothing is no fault. */
export function prefer(name, value) {
  try {
    if (value === null) localStorage.removeItem(PREFIX + name);
    else localStorage.setItem(PREFIX + name, value);
  } catch {
    // Private windows and full disks.
  }
}

/** "light", "dark", or "system". */
export const theme = () => preference("theme", "system");

export function setTheme(value) {
  prefer("theme", value === "system" ? null : value);
  applyTheme();
}

export function applyTheme() {
  const chosen = theme();
  if (chosen === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = chosen;
}
