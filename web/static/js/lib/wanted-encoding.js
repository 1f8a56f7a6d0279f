// How a picture is encoded so that it just fills the tile in which the programme shows it. Pure.

/** @import { WantedPicture } from "./messages.js" */

/**
 * @typedef {{scaleResolutionDownBy: number, maxFramerate: number, maxBitrate: number}} Encoding
 *   the members of RTCRtpEncodingParameters that follow the tile
 */

/** Of a picture that is not shown: a face is there at once when it is, and the rest costs little. */
const HIDDEN = { lines: 180, maxFramerate: 5, maxBitrate: 100_000 };

/**
 * @param {{width?: number, height?: number}} captured as `getSettings` of the track says
 * @param {WantedPicture|undefined} wanted undefined: not shown
 * @returns {Encoding}
 */
export function encodingFor({ width = 0, height = 0 }, wanted) {
  if (!wanted) {
    const { lines, maxFramerate, maxBitrate } = HIDDEN;
    return { scaleResolutionDownBy: atLeastWhole(Math.min(width, height) / lines), maxFramerate, maxBitrate };
  }
  const across = width / wanted.width;
  const down = height / wanted.height;
  // The direction in which there is less to spare must still fill the tile; a picture that is shown
  // whole touches the tile in the other.
  const spare = wanted.fit === "cover" ? Math.min(across, down) : Math.max(across, down);
  return {
    scaleResolutionDownBy: atLeastWhole(spare),
    maxFramerate: wanted.frameRate,
    maxBitrate: wanted.bitRate,
  };
}

/** @param {number} scale browsers refuse what is below 1 and what is no number */
function atLeastWhole(scale) {
  return Number.isFinite(scale) ? Math.max(1, scale) : 1;
}
