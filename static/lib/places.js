// Addresses of pages that several pages lead to.

import { link } from "./router.js";

// A stream may have such an id, too.
const WORDS = ["new", "import"];

/** True for what follows "settings/streams/" and is no stream. */
export const isWord = (id) => WORDS.includes(id);

/** The form of a stream. */
export const editLink = (id) => link("settings", "streams", id, isWord(id) ? { edit: "1" } : {});
