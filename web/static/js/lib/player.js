// Plays an HLS programme: live and as near to live as the network allows, or the whole of it from
// any moment on; and goes on trying when it is away.

import Hls from "../../vendor/hls.mjs";

import { LatencyControl } from "./latency-control.js";
import { nativeDate, nativeEdge, nativePosition, playsBetterNatively, secondsAhead } from "./native-playback.js";
import { Qualities, SOUND_ALONE } from "./qualities.js";

/**
 * @typedef {"loading"|"playing"|"stalled"|"offline"|"finished"} PlayerState `finished`: the stream says that it is over
 * @typedef {"live"|"rewound"|"over"} Mode `over`: the whole of a programme that has ended
 * @typedef {{live?: string|null, dvr?: string|null, vod?: string|null, begin?: number}} Programme
 *   playlists, and when it began, in milliseconds since the epoch
 * @typedef {{at: number, end: number}} Timeline seconds since the programme began
 * @typedef {{now: () => number, isKnown: boolean}} Clock `now` in milliseconds since the epoch; `isKnown`: by the server
 */

const RETRY_MILLISECONDS = 2000;
const STEER_MILLISECONDS = 100;
/**
 * The latency is steered by LatencyControl. backBufferLength stays at its default: evicting while a
 * part loads has left the player stuck at a segment boundary, and browsers evict by themselves.
 */
const LOW_LATENCY = {
  lowLatencyMode: true,
  liveSyncDuration: 1,
  liveMaxLatencyDuration: 6,
  liveSyncOnStallIncrease: 0,
  maxLiveSyncPlaybackRate: 1,
};
const WHOLE = { lowLatencyMode: false, maxLiveSyncPlaybackRate: 1 };
/** How far a clock that nobody has checked is believed. */
const CLOCK_TRUST_SECONDS = 3;
/** Nearer than this to now, one wants to be live. */
const LIVE_SECONDS = 4;
/** What is about to leave the live window is not looked for there. */
const WINDOW_EDGE_SECONDS = 4;
const SUFFIXES = /** @type {const} */ ({ live: "", rewound: "-dvr", over: "-vod" });
const OWN_CLOCK = { now: Date.now, isKnown: false };

/** One `<video>` that follows one programme. The video stays its owner's. */
export class Player {
  #video;
  #onState;
  #clock;
  #control = new LatencyControl();
  /** @type {Hls|null} */
  #hls = null;
  /** @type {Programme} */
  #programme = {};
  /** @type {Mode} */
  #mode = "live";
  /** Where to begin when not live: milliseconds since the epoch, or null for the beginning. */
  #from = /** @type {number|null} */ (null);
  /** @type {PlayerState|""} */
  #state = "";
  /** Whether it keeps near live; not when its viewer has gone back within the live window. */
  #follows = true;
  #qualities = new Qualities();
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #retry;
  #steering;
  #listening = new AbortController();

  /**
   * @param {HTMLVideoElement} video
   * @param {{onState: (state: PlayerState, detail: string) => void, clock?: Clock}} options
   *   `clock`: by which the latency is told
   */
  constructor(video, { onState, clock = OWN_CLOCK }) {
    this.#video = video;
    this.#onState = onState;
    this.#clock = clock;
    const { signal } = this.#listening;
    video.addEventListener("playing", () => this.#say("playing"), { signal });
    video.addEventListener("waiting", () => this.#waits(), { signal });
    // While it loads, hls.js seeks to the live edge, also under a viewer who has paused.
    video.addEventListener("pause", () => this.#mode === "live" && this.#hls?.stopLoad(), { signal });
    video.addEventListener("play", () => this.#mode === "live" && this.#hls?.startLoad(), { signal });
    video.addEventListener("error", () => this.#fail(video.error?.message ?? ""), { signal });
    // A server that goes away ends its playlists; when it is back, the programme goes on.
    video.addEventListener("ended", () => this.#mode === "live" && this.#fail("ended"), { signal });
    this.#steering = setInterval(() => this.#steer(), STEER_MILLISECONDS);
  }

  /** The running hls.js, null while it retries or when the browser plays natively. */
  get hls() {
    return this.#hls;
  }

  get mode() {
    return this.#mode;
  }

  /** When the picture that is shown was made, milliseconds since the epoch; null when unknown. */
  get date() {
    return (this.#hls ? this.#hls.playingDate : nativeDate(this.#video))?.getTime() ?? null;
  }

  /** Seconds between the making of the picture that is shown and now, null when unknown. */
  get latency() {
    const { date } = this;
    if (date === null || this.#mode === "over") return null;
    const measured = Math.max(0, (this.#clock.now() - date) / 1000);
    if (this.#mode !== "live" || this.#clock.isKnown) return measured;
    const fromEdge = this.#hls?.latency ?? measured;
    // An unchecked clock may be wrong by any amount; the distance from the edge cannot.
    return Math.abs(measured - fromEdge) < CLOCK_TRUST_SECONDS ? measured : fromEdge;
  }

  /** Where in the programme one is, and how far it goes; null as long as that is not known. */
  get timeline() {
    const { currentTime, duration } = this.#video;
    if (this.#mode === "over") return Number.isFinite(duration) ? { at: currentTime, end: duration } : null;
    const { date } = this;
    const { begin } = this.#programme;
    if (date === null || begin === undefined) return null;
    const end = Math.max(0, (this.#clock.now() - begin) / 1000);
    return { at: Math.min(end, Math.max(0, (date - begin) / 1000)), end };
  }

  /** Whether there is more to go back to than the live window. */
  get canRewind() {
    return this.#mode === "over" || Boolean(this.#programme.dvr);
  }

  /** Whether it plays as near to live as it can. */
  get isFollowing() {
    return this.#mode === "live" && this.#follows;
  }

  get qualities() {
    return this.#qualities;
  }

  /**
   * Plays from now on: live when there is a live playlist, else the whole from its beginning.
   *
   * @param {Programme} programme
   */
  load(programme) {
    if (this.#listening.signal.aborted) return;
    this.#programme = programme;
    this.#mode = programme.live ? "live" : "over";
    this.#from = null;
    this.#open();
  }

  /**
   * Takes note of playlists that were not there before; what plays goes on.
   *
   * @param {Programme} programme
   */
  update(programme) {
    this.#programme = { ...this.#programme, ...programme };
  }

  /** @param {number} quality the `id` of a picture, AUTO or SOUND_ALONE */
  choose(quality) {
    const reopens = quality === SOUND_ALONE || this.#qualities.chosen === SOUND_ALONE;
    this.#qualities.chosen = quality;
    if (reopens) {
      this.#from = this.#mode === "live" ? null : this.date;
      this.#open();
    } else if (this.#hls) {
      this.#hls.nextLevel = quality;
    }
  }

  /** @param {number} seconds backwards when negative */
  seekBy(seconds) {
    const at = this.timeline?.at;
    if (at !== undefined) this.seekTo(at + seconds);
    else this.#video.currentTime = Math.max(0, this.#video.currentTime + seconds);
  }

  /**
   * Plays from there on, and stays behind until `goLive` or until one seeks to now.
   *
   * @param {number} seconds since the programme began
   */
  seekTo(seconds) {
    const { begin = 0 } = this.#programme;
    const { date } = this;
    if (this.#mode === "over") {
      this.#video.currentTime = Math.max(0, seconds);
      return;
    }
    const wanted = begin + Math.max(0, seconds) * 1000;
    if (this.#clock.now() - wanted < LIVE_SECONDS * 1000) this.goLive();
    else if (date !== null && this.#isLoaded(wanted)) this.#seekWithin((wanted - date) / 1000);
    else if (this.#programme.dvr) this.#rewind(wanted);
  }

  /** To the live edge, playing. */
  goLive() {
    if (this.#mode === "over") {
      this.#play();
    } else if (this.#mode === "rewound") {
      this.#mode = "live";
      this.#open();
    } else {
      this.#follow(true);
      const edge = this.#edge();
      if (edge) this.#video.currentTime = edge;
      this.#control.forget();
      this.#play();
    }
  }

  /** Stops for good and empties the video. Idempotent. */
  destroy() {
    if (this.#listening.signal.aborted) return;
    this.#listening.abort();
    clearInterval(this.#steering);
    this.#close();
  }

  /** @param {number} date */
  #rewind(date) {
    this.#mode = "rewound";
    this.#from = date;
    this.#open();
  }

  /** @param {number} seconds */
  #seekWithin(seconds) {
    this.#follow(false);
    this.#video.currentTime = Math.max(0, this.#video.currentTime + seconds);
    this.#control.forget();
    this.#play();
  }

  /**
   * Whether the playlist that plays has that moment.
   *
   * @param {number} date milliseconds since the epoch
   */
  #isLoaded(date) {
    if (this.#mode === "rewound") return true;
    const fragments = this.#hls?.latestLevelDetails?.fragments ?? [];
    const first = fragments[0]?.programDateTime;
    return first != null && date > first + WINDOW_EDGE_SECONDS * 1000;
  }

  /** The playlist of the present mode and quality. */
  #url() {
    const { live, dvr, vod } = this.#programme;
    const multivariant = { live, rewound: dvr, over: vod ?? dvr }[this.#mode] ?? "";
    return this.#qualities.address(multivariant, SUFFIXES[this.#mode]);
  }

  #open() {
    this.#close();
    this.#say("loading");
    const url = this.#url();
    if (playsBetterNatively(this.#video)) {
      this.#openNatively(url);
      return;
    }
    const hls = (this.#hls = new Hls(this.#mode === "live" ? LOW_LATENCY : this.#wholeConfig()));
    hls.on(Hls.Events.MANIFEST_LOADED, (_, { levels }) => this.#qualities.note(levels));
    hls.on(Hls.Events.MANIFEST_PARSED, () => {
      if (this.#qualities.chosen >= 0) hls.nextLevel = this.#qualities.chosen;
      this.#play();
    });
    hls.once(Hls.Events.LEVEL_LOADED, (_, { details }) => {
      // Somebody who comes after the end is not shown the last half minute as if it were live.
      if (this.#mode === "live" && !details.live) this.#fail("ended");
      if (this.#mode === "rewound") this.#goTo(details.fragments);
    });
    hls.on(Hls.Events.ERROR, (_, { fatal, details }) => {
      if (fatal && hls === this.#hls) this.#fail(details);
    });
    hls.loadSource(url);
    hls.attachMedia(this.#video);
  }

  /** @param {string} url */
  #openNatively(url) {
    const video = this.#video;
    const once = { once: true, signal: this.#listening.signal };
    video.src = url;
    const event = this.#mode === "live" ? "playing" : "loadedmetadata";
    video.addEventListener(event, () => this.#beginNatively(), once);
    this.#play();
  }

  /** Browsers begin where they like: near live, or the whole of what is still live at its end. */
  #beginNatively() {
    const video = this.#video;
    if (this.#mode === "live") {
      if ((this.#edge() ?? 0) - video.currentTime > 1) this.goLive();
    } else {
      const from = this.#from;
      video.currentTime = from === null ? 0 : nativePosition(video, from, this.#programme.begin ?? from);
    }
  }

  #wholeConfig() {
    const { begin } = this.#programme;
    if (this.#mode === "over" || this.#from === null || begin === undefined) return { ...WHOLE, startPosition: 0 };
    return { ...WHOLE, startPosition: Math.max(0, (this.#from - begin) / 1000) };
  }

  /**
   * To the moment that was asked for: an interruption of the programme takes no time in the playlist.
   *
   * @param {import("hls.js").Fragment[]} fragments
   */
  #goTo(fragments) {
    const from = this.#from ?? 0;
    const before = fragments.findLast(({ programDateTime }) => (programDateTime ?? Infinity) <= from);
    const within = before ? (from - (before.programDateTime ?? 0)) / 1000 : 0;
    const position = before ? before.start + Math.min(within, before.duration) : 0;
    if (Math.abs(position - this.#video.currentTime) > 1) this.#video.currentTime = position;
  }

  #close() {
    clearTimeout(this.#retry);
    this.#hls?.destroy();
    this.#hls = null;
    this.#control.forget();
    this.#follows = true;
    this.#video.playbackRate = 1;
    if (!this.#video.hasAttribute("src")) return;
    this.#video.removeAttribute("src");
    this.#video.load();
  }

  /** @param {string} detail */
  #fail(detail) {
    if (this.#mode !== "live") this.#from = this.date ?? this.#from;
    this.#close();
    this.#say(detail === "ended" ? "finished" : "offline", detail);
    this.#retry = setTimeout(() => this.#open(), RETRY_MILLISECONDS);
  }

  #play() {
    // Refused without a gesture, or overtaken by another load: the play button stays.
    this.#video.play().catch((error) => console.debug("not playing:", error.name));
  }

  #waits() {
    if (this.#state !== "playing") return;
    if (!this.#video.seeking) this.#control.stalled(performance.now() / 1000);
    this.#say("stalled");
  }

  /** Keeps the picture near live, unless its viewer is behind on purpose. */
  #steer() {
    const video = this.#video;
    if (!this.#hls || !this.isFollowing) return;
    if (video.paused || video.seeking || this.#state !== "playing") return;
    const { rate, skip } = this.#control.step(performance.now() / 1000, secondsAhead(video));
    if (skip > 0) video.currentTime += skip;
    if (video.playbackRate !== rate) video.playbackRate = rate;
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
    return this.#hls ? this.#hls.liveSyncPosition : nativeEdge(this.#video);
  }

  /**
   * hls.js drags whoever is too far behind to the edge, unless it is on purpose.
   *
   * @param {boolean} follows
   */
  #follow(follows) {
    this.#follows = follows;
    if (this.#hls) this.#hls.config.liveMaxLatencyDuration = follows ? LOW_LATENCY.liveMaxLatencyDuration : Infinity;
    if (!follows) this.#video.playbackRate = 1;
  }
}
