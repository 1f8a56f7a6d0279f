// How loud each debater is, as it comes in and as the programme has it.

import { one, setText } from "../lib/dom.js";

/** @import { Text } from "../lib/i18n.js" */
/** @import { Levels, Side } from "../lib/messages.js" */

const BOTTOM = -60;
/** Quieter than this nobody speaks, and a figure would only flicker. */
const LEAST_LOUDNESS = -60;

/**
 * @param {Levels|null} levels null: there is no programme
 * @param {readonly Side[]} sides
 * @param {Text} text
 */
export function renderLevels(levels, sides, text) {
  const format = new Intl.NumberFormat(document.documentElement.lang, { maximumFractionDigits: 0 });
  const signed = new Intl.NumberFormat(document.documentElement.lang, { maximumFractionDigits: 0, signDisplay: "exceptZero" });
  for (const side of sides) {
    const level = levels?.sides[side];
    const meter = one(`#seat-${side} [data-role=level]`, HTMLMeterElement);
    meter.value = Math.max(BOTTOM, level?.peak ?? BOTTOM);
    const speaks = level && level.short_term > LEAST_LOUDNESS;
    const words = speaks
      ? text("host.loudness", { loudness: format.format(level.short_term), gain: signed.format(level.gain) })
      : "";
    setText(one(`#seat-${side} [data-role=loudness]`), words);
  }
}
