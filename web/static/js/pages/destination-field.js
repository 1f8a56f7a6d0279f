// A destination as it is written: a platform with its stream key, or an address of one's own.

import { setText } from "../lib/dom.js";

/** @import { Text } from "../lib/i18n.js" */
/** @import { NewDestination } from "../lib/api.js" */

/**
 * What was written; null when nothing was.
 *
 * @param {string} platform empty for an address
 * @param {string} written
 * @returns {NewDestination|null}
 */
export function newDestination(platform, written) {
  const value = written.trim();
  if (value === "") return null;
  // A whole address is one, whatever is chosen beside it.
  return platform === "" || value.includes("://") ? { url: value } : { platform, key: value };
}

/**
 * What is wrong with it, in words; empty when nothing is.
 *
 * @param {NewDestination} destination
 * @param {Text} text
 */
export function destinationMistake(destination, text) {
  if ("url" in destination) {
    return /^rtmps?:\/\/[^\s/]+\/\S+$/i.test(destination.url) ? "" : text("create.destination_wrong");
  }
  return /^[\w\-?=&%.~:+]{4,300}$/.test(destination.key) ? "" : text("destination.key_wrong");
}

/**
 * Lets the field's label and placeholder say what belongs into it.
 *
 * @param {HTMLSelectElement} platform
 * @param {HTMLInputElement} field
 * @param {HTMLLabelElement} label
 * @param {Text} text
 */
export function labelKey(platform, field, label, text) {
  const render = () => {
    const words = text(platform.value === "" ? "create.destination" : "destination.key");
    setText(label, words);
    field.placeholder = platform.value === "" ? "rtmps://" : words;
  };
  platform.addEventListener("change", render);
  render();
}
