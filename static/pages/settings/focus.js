// The focus stays where the hands are: at a button that waits, or next to what is gone.

/** Attributes of a button that does `act` unless it `waits`; `disabled` would take the focus away from it. */
export const press = (waits, act) => ({
  "aria-disabled": waits ? "true" : null,
  onClick: (event) => {
    if (waits) event.preventDefault();
    else act?.(event);
  },
});

// Long enough for what is shown to be what is there now.
const SHOWN_MS = 50;

/** Once it is shown: when nothing has the focus, `place()` gets it. */
export function focusLater(place) {
  setTimeout(() => {
    if (document.activeElement !== document.body) return;
    const found = place();
    if (found && found.tabIndex < 0) found.tabIndex = -1;
    found?.focus();
  }, SHOWN_MS);
}

/** Does `remove()`, which takes the rows of `keys` out of the table; then the row in their place has the focus, or the heading. */
export async function removing(table, keys, remove) {
  const rows = () => [...(table.current?.tBodies[0].rows ?? [])];
  const at = rows().findIndex((row) => keys.includes(row.dataset.key));
  await remove();
  focusLater(() => {
    const row = rows()[at] ?? rows().at(-1);
    return row?.querySelector("a, button") ?? document.querySelector("main :is(.sub, .empty) h2") ?? document.querySelector("main h1");
  });
}
