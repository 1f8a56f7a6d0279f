// Plays a low-latency HLS programme, and goes on trying when it is away.

import Hls from "../../vendor/hls.mjs";

/** @typedef {"loading"|"playing"|"stalled"|"offline"} PlayerState */

const RETRY_MILLISECONDS = 2000;
/**
 * By default hls.js never catches up after a stall. backBufferLength stays at its default: evicting
 * while a part loads has left the player stuck at a segment boundary.
 */
const MAX_LATENCY_SECONDS = 4;
const LOW_LATENCY = {
  lowLatencyMode: true,
  liveSyncDuration: 1.2,
  liveMaxLatencyDuration: MAX_LATENCY_SECONDS,
  liveSyncOnStallIncrease: 0.25,
  maxLiveSyncPlaybackRate: 1.1,
};
const CLOCK_TRUST_SECONDS = 3;
const PLAYLIST_TYPE = "application/vnd.apple.mpegurl";
/** Where native playback goes to when asked for the live edge: PART-HOLD-BACK of our playlists. */
const HOLD_BACK_SECONDS = 1.2;

/** @param {HTMLVideoElement} video */
function playsBetterNatively(video) {
  // Chromium too says "maybe" to HLS, but knows no low latency; only Safari has ManagedMediaSource.
  const isSafari = "ManagedMediaSource" in window && video.canPlayType(PLAYLIST_TYPE) !== "";
  return isSafari || !Hls.isSupported();
}

/** One `<video>` that follows one playlist. The video stays its owner's. */
export class Player {
  #video;
  #onState;
  /** @type {Hls|null} */
  #hls = null;
  #url = "";
  /** @type {PlayerState|""} */
  #state = "";
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #retry;
  #listening = new AbortController();

  /**
   * @param {HTMLVideoElement} video
   * @param {{onState: (state: PlayerState, detail: string) => void}} options
   */
  constructor(video, { onState }) {
    this.#video = video;
    this.#onState = onState;
    const { signal } = this.#listening;
    video.addEventListener("playing", () => this.#say("playing"), { signal });
    video.addEventListener("waiting", () => this.#state === "playing" && this.#say("stalled"), { signal });
    // While it loads, hls.js seeks to the live edge, also under a viewer who has paused.
    video.addEventListener("pause", () => this.#hls?.stopLoad(), { signal });
    video.addEventListener("play", () => this.#hls?.startLoad(), { signal });
    video.addEventListener("error", () => this.#fail(video.error?.message ?? ""), { signal });
  }

  /** The running hls.js, null while it retries or when the browser plays natively. */
  get hls() {
    return this.#hls;
  }

  /** Seconds between the making of the picture that is shown and now, null when unknown. */
  get latency() {
    const shown = this.#hls ? this.#hls.playingDate : this.#nativeDate();
    if (!shown) return null;
    const measured = (Date.now() - shown.getTime()) / 1000;
    const fromEdge = this.#hls?.latency ?? measured;
    // A viewer's clock may be wrong by any amount; the distance from the edge cannot.
    return Math.abs(measured - fromEdge) < CLOCK_TRUST_SECONDS && measured > 0 ? measured : fromEdge;
  }

  /**
   * Plays the playlist at `url` from now on, muted or not as the video is.
   *
   * @param {string} url
   */
  load(url) {
    if (this.#listening.signal.aborted) return;
    this.#url = url;
    this.#open();
  }

  /**
   * Plays from there on and stays behind, until `goLive` or until the live edge is reached.
   *
   * @param {number} seconds backwards when negative
   */
  seekBy(seconds) {
    const { seekable, currentTime } = this.#video;
    if (seekable.length === 0) return;
    const wanted = Math.max(seekable.start(0), currentTime + seconds);
    const edge = this.#edge();
    if (edge !== null && wanted >= edge) {
      this.goLive();
      return;
    }
    this.#holdBack(true);
    this.#video.currentTime = wanted;
  }

  /** To the live edge, playing. */
  goLive() {
    this.#holdBack(false);
    const edge = this.#edge();
    if (edge) this.#video.currentTime = edge;
    this.#play();
  }

  /** Stops for good and empties the video. Idempotent. */
  destroy() {
    if (this.#listening.signal.aborted) return;
    this.#listening.abort();
    this.#close();
  }

  #open() {
    this.#close();
    this.#say("loading");
    if (playsBetterNatively(this.#video)) {
      this.#video.src = this.#url;
      this.#play();
      return;
    }
    const hls = (this.#hls = new Hls(LOW_LATENCY));
    hls.on(Hls.Events.MANIFEST_PARSED, () => this.#play());
    hls.on(Hls.Events.ERROR, (_, { fatal, details }) => {
      if (fatal && hls === this.#hls) this.#fail(details);
    });
    hls.loadSource(this.#url);
    hls.attachMedia(this.#video);
  }

  #close() {
    clearTimeout(this.#retry);
    this.#hls?.destroy();
    this.#hls = null;
    if (!this.#video.hasAttribute("src")) return;
    this.#video.removeAttribute("src");
    this.#video.load();
  }

  /** @param {string} detail */
  #fail(detail) {
    this.#close();
    this.#say("offline", detail);
    this.#retry = setTimeout(() => this.#open(), RETRY_MILLISECONDS);
  }

  #play() {
    // Refused without a gesture, or overtaken by another load: the play button stays.
    this.#video.play().catch((error) => console.debug("not playing:", error.name));
  }

  /**
   * @param {PlayerState} state
   * @param {string} [detail]
   */
  #say(state, detail = "") {
    if (state === this.#state) return;
    this.#state = state;
    this.#onState(state, detail);
  }

  #edge() {
    return this.#hls ? this.#hls.liveSyncPosition : this.#nativeEdge();
  }

  /**
   * hls.js drags whoever is too far behind to the edge, unless it is on purpose.
   *
   * @param {boolean} onPurpose
   */
  #holdBack(onPurpose) {
    if (this.#hls) this.#hls.config.liveMaxLatencyDuration = onPurpose ? Infinity : MAX_LATENCY_SECONDS;
  }

  #nativeEdge() {
    const { seekable } = this.#video;
    return seekable.length > 0 ? seekable.end(seekable.length - 1) - HOLD_BACK_SECONDS : null;
  }

  /** Safari alone tells the wall time of position 0. */
  #nativeDate() {
    const video = /** @type {HTMLVideoElement & {getStartDate?: () => Date}} */ (this.#video);
    const start = video.getStartDate?.().getTime() ?? NaN;
    return Number.isNaN(start) ? null : new Date(start + video.currentTime * 1000);
  }
}
