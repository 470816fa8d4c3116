// The language of the texts. Another one is a file beside texts/en.js with the same keys, and a line here.

import en from "../texts/en.js";

const languages = { en };

const chosen = navigator.languages.map((tag) => tag.split("-")[0]).find((tag) => languages[tag]) ?? "en";

/** Every text a person reads. */
export const t = languages[chosen];

/** Its tag, for numbers and dates: the browser's own variant of it. */
export const locale = navigator.languages.find((tag) => tag.split("-")[0] === chosen) ?? chosen;

document.documentElement.lang = chosen;
