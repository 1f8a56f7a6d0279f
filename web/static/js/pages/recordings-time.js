// Times as people write and read them.

/**
 * 75 becomes "1:15", 3675 "1:01:15".
 *
 * @param {number} seconds
 */
export function clock(seconds) {
  const whole = Math.round(seconds);
  const rest = String(whole % 60).padStart(2, "0");
  if (whole < 3600) return `${Math.floor(whole / 60)}:${rest}`;
  return `${Math.floor(whole / 3600)}:${String(Math.floor(whole / 60) % 60).padStart(2, "0")}:${rest}`;
}

/**
 * "1:15.5" becomes 75.5; NaN for what is no time.
 *
 * @param {string} written
 */
export function secondsOf(written) {
  if (!/^(\d+:)?\d{1,3}:\d{2}(\.\d+)?$/.test(written.trim())) return Number.NaN;
  return written.trim().split(":").reduce((sum, field) => sum * 60 + Number(field), 0);
}
