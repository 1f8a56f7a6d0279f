// How long to wait before the next try.

/**
 * Doubling pauses with jitter, so that everybody who lost the same server does not return at once.
 *
 * @param {number} failures in a row, from 0
 * @param {{first: number, most: number}} bounds milliseconds
 * @param {() => number} [random] uniform in [0, 1)
 */
export function pauseAfter(failures, { first, most }, random = Math.random) {
  const whole = Math.min(most, first * 2 ** failures);
  return whole * (0.75 + 0.25 * random());
}
