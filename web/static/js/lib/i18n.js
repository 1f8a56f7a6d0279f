// Words of the interface in the reader's language.

/** @typedef {(key: string, values?: Record<string, unknown>) => string} Text */

/**
 * @param {Record<string, string>} catalogue
 * @returns {Text} a key that is missing is its own text, and said in the console
 */
export function textFrom(catalogue) {
  return (key, values = {}) => {
    const words = catalogue[key];
    if (words === undefined) console.error(`no text for ${key}`);
    return (words ?? key).replace(/\{(\w+)\}/g, (whole, name) => String(values[name] ?? whole));
  };
}

/**
 * Fetches the catalogue of a language, the page's own by default.
 *
 * @param {string} [lang]
 * @returns {Promise<Text>}
 */
export async function loadText(lang = document.documentElement.lang) {
  const answer = await fetch(`/i18n/${lang}.json`);
  if (!answer.ok) throw new Error(`no words for ${lang}: ${answer.status}`);
  return textFrom(await answer.json());
}
