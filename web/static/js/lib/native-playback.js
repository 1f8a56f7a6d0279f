// What a <video> that plays HLS by itself tells of it (Safari).

import Hls from "../../vendor/hls.mjs";

const PLAYLIST_TYPE = "application/vnd.apple.mpegurl";
/** Where native playback goes to when asked for the live edge: PART-HOLD-BACK of our playlists. */
const HOLD_BACK_SECONDS = 1.2;

/** @param {HTMLVideoElement} video */
export function playsBetterNatively(video) {
  // Chromium too says "maybe" to HLS, but knows no low latency; only Safari has ManagedMediaSource.
  const isSafari = "ManagedMediaSource" in window && video.canPlayType(PLAYLIST_TYPE) !== "";
  return isSafari || !Hls.isSupported();
}

/**
 * The position of the live edge, null while there is none.
 *
 * @param {HTMLVideoElement} video
 */
export function nativeEdge({ seekable }) {
  return seekable.length > 0 ? seekable.end(seekable.length - 1) - HOLD_BACK_SECONDS : null;
}

/**
 * When the picture that is shown was made. Safari alone tells the wall time of position 0.
 *
 * @param {HTMLVideoElement & {getStartDate?: () => Date}} video
 */
export function nativeDate(video) {
  const start = video.getStartDate?.().getTime() ?? NaN;
  return Number.isNaN(start) ? null : new Date(start + video.currentTime * 1000);
}

/**
 * Where native playback has the picture of a moment; both dates in milliseconds since the epoch.
 *
 * @param {HTMLVideoElement} video
 * @param {number} date
 * @param {number} begin what position 0 is taken for where the browser does not tell
 */
export function nativePosition(video, date, begin) {
  const now = nativeDate(video)?.getTime() ?? begin + video.currentTime * 1000;
  return Math.max(0, video.currentTime + (date - now) / 1000);
}

/**
 * Seconds that lie ready ahead of the picture without a hole.
 *
 * @param {HTMLVideoElement} video
 */
export function secondsAhead({ buffered, currentTime }) {
  for (let range = 0; range < buffered.length; range++) {
    if (buffered.start(range) <= currentTime && currentTime <= buffered.end(range)) {
      return buffered.end(range) - currentTime;
    }
  }
  return 0;
}
