// The controls below the picture: what they show and what they do, by hand and by keyboard.

import { isTyping, one, setText, show } from "../lib/dom.js";
import { AUTO, SOUND_ALONE } from "../lib/qualities.js";
import { SeekBar } from "./watch-seek-bar.js";

/** @import { Player, PlayerState } from "../lib/player.js" */

const RENDER_MILLISECONDS = 500;
/** More than this is behind on purpose or after a pause: below, the player catches up by itself. */
const BEHIND_SECONDS = 6;
const SEEK_SECONDS = 5;
const LONG_SEEK_SECONDS = 10;
const VOLUME_STEP = 0.1;

/** Owns the elements of the player's figure, but not the player. */
export class Transport {
  #figure;
  #video;
  #text;
  #player;
  #seconds = new Intl.NumberFormat(document.documentElement.lang, {
    minimumFractionDigits: 1,
    maximumFractionDigits: 1,
  });
  #bar;
  #quality = one("#quality", HTMLSelectElement);
  #volume = one("#volume", HTMLInputElement);
  #usesKeys = one("#uses-keys", HTMLInputElement);
  /** @type {PlayerState} */
  #state = "loading";
  /** @type {Record<string, () => void>} */
  #keys = {
    " ": () => this.#togglePlay(),
    k: () => this.#togglePlay(),
    m: () => this.#toggleSound(),
    f: () => this.#toggleFullscreen(),
    p: () => this.#togglePictureInPicture(),
    j: () => this.#player()?.seekBy(-LONG_SEEK_SECONDS),
    l: () => this.#player()?.seekBy(LONG_SEEK_SECONDS),
    ArrowLeft: () => this.#player()?.seekBy(-SEEK_SECONDS),
    ArrowRight: () => this.#player()?.seekBy(SEEK_SECONDS),
    ArrowUp: () => this.#setVolume(this.#video.volume + VOLUME_STEP),
    ArrowDown: () => this.#setVolume(this.#video.volume - VOLUME_STEP),
    Home: () => this.#player()?.seekTo(0),
    End: () => this.#player()?.goLive(),
  };

  /**
   * @param {HTMLElement} figure
   * @param {HTMLVideoElement} video
   * @param {Awaited<ReturnType<typeof import("../lib/i18n.js").loadText>>} text
   * @param {() => Player|null} player
   */
  constructor(figure, video, text, player) {
    this.#figure = figure;
    this.#video = video;
    this.#text = text;
    this.#player = player;
    this.#bar = new SeekBar(text, player);
    show(one("#pip"), document.pictureInPictureEnabled === true);
    this.#listen();
  }

  /**
   * @param {PlayerState} state
   * @param {number} viewers how many watch; 0 when that is not known
   */
  render(state, viewers) {
    this.#state = state;
    const { muted, volume, paused } = this.#video;
    const isSilent = muted || volume === 0;
    setText(one("#player-status"), this.#words());
    one("#play").dataset.on = String(!paused);
    one("#mute").setAttribute("aria-pressed", String(isSilent));
    show(one("#unmute"), muted);
    this.#volume.value = String(isSilent ? 0 : volume);
    show(one("#viewers"), viewers > 0);
    setText(one("#viewers-count"), String(viewers));
    this.#renderQualities();
    this.#renderTime();
  }

  #words() {
    if (this.#state === "offline") return this.#text("watch.offline");
    if (this.#state === "finished") return this.#text("watch.finished");
    if (this.#state === "stalled") return this.#text("watch.stalled");
    return this.#state === "loading" ? this.#text("watch.loading") : "";
  }

  #renderTime() {
    const player = this.#player();
    const isOver = player?.mode === "over";
    const latency = player?.latency ?? null;
    const isBehind = this.#video.paused || player?.isFollowing === false || (latency !== null && latency > BEHIND_SECONDS);
    show(one("#live-badge"), !isOver);
    show(one("#latency"), !isOver && player?.mode !== "rewound");
    setText(one("#latency"), latency === null ? "" : this.#text("watch.latency", { seconds: this.#seconds.format(latency) }));
    show(one("#go-live"), !isOver && isBehind && this.#state !== "loading");
    one("#live-badge").dataset.behind = String(isBehind || this.#state !== "playing");
    this.#bar.render(this.#video.paused);
  }

  #renderQualities() {
    const qualities = this.#player()?.qualities;
    const pictures = qualities?.pictures ?? [];
    const choices = [
      { id: AUTO, words: this.#text("watch.quality_auto") },
      ...pictures.map(({ id, height }) => ({ id, words: `${height}p` })),
      ...(qualities?.hasSoundAlone ? [{ id: SOUND_ALONE, words: this.#text("watch.quality_sound") }] : []),
    ];
    show(this.#quality, choices.length > 2);
    show(one("#sound-alone"), qualities?.chosen === SOUND_ALONE);
    if (this.#quality.options.length !== choices.length) {
      this.#quality.replaceChildren(...choices.map(({ id, words }) => new Option(words, String(id))));
    }
    this.#quality.value = String(qualities?.chosen ?? AUTO);
  }

  #togglePlay() {
    const player = this.#player();
    if (!this.#video.paused) this.#video.pause();
    else if (player?.mode === "live") player.goLive();
    else this.#video.play().catch((error) => console.debug("not playing:", error.name));
  }

  #toggleSound() {
    this.#video.muted = !this.#video.muted;
    if (!this.#video.muted && this.#video.volume === 0) this.#video.volume = 1;
  }

  /** @param {number} wanted */
  #setVolume(wanted) {
    this.#video.volume = Math.min(1, Math.max(0, wanted));
    this.#video.muted = this.#video.volume === 0;
  }

  async #toggleFullscreen() {
    try {
      if (document.fullscreenElement) await document.exitFullscreen();
      else if (this.#figure.requestFullscreen) await this.#figure.requestFullscreen();
      else Reflect.get(this.#video, "webkitEnterFullscreen")?.call(this.#video);
    } catch (error) {
      console.debug("no full screen:", error);
    }
  }

  async #togglePictureInPicture() {
    try {
      if (document.pictureInPictureElement) await document.exitPictureInPicture();
      else await this.#video.requestPictureInPicture();
    } catch (error) {
      console.debug("no picture in picture:", error);
    }
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    const { key, repeat } = event;
    const action = this.#keys[key.length === 1 ? key.toLowerCase() : key];
    if (!action || this.#figure.hidden || !this.#usesKeys.checked) return;
    if (event.shiftKey || this.#isTaken(event) || (repeat && !key.startsWith("Arrow"))) return;
    event.preventDefault();
    action();
  }

  /**
   * Whether a key means something else where the focus is.
   *
   * @param {KeyboardEvent} event
   */
  #isTaken(event) {
    const { key, target } = event;
    const focused = target instanceof Element ? target : null;
    // A slider moves by arrows, Home and End; letters and the space bar mean nothing to it.
    if (focused?.matches("input[type=range]")) return key.length > 1 || event.ctrlKey || event.metaKey || event.altKey;
    if (isTyping(event)) return true;
    if (key === " ") return focused?.closest("button, a, summary") != null;
    // These scroll the page outside the player.
    const scrolls = /^(ArrowUp|ArrowDown|Home|End)$/.test(key);
    return scrolls && !this.#figure.contains(focused) && !document.fullscreenElement;
  }

  #listen() {
    const video = this.#video;
    one("#play").addEventListener("click", () => this.#togglePlay());
    video.addEventListener("click", () => this.#togglePlay());
    one("#mute").addEventListener("click", () => this.#toggleSound());
    one("#unmute").addEventListener("click", () => this.#toggleSound());
    one("#go-live").addEventListener("click", () => this.#player()?.goLive());
    one("#fullscreen").addEventListener("click", () => this.#toggleFullscreen());
    one("#pip").addEventListener("click", () => this.#togglePictureInPicture());
    this.#volume.addEventListener("input", () => this.#setVolume(Number(this.#volume.value)));
    this.#quality.addEventListener("change", () => this.#player()?.choose(Number(this.#quality.value)));
    for (const event of ["play", "pause", "volumechange"]) {
      video.addEventListener(event, () => this.render(this.#state, Number(one("#viewers-count").textContent)));
    }
    document.addEventListener("keydown", (event) => this.#onKey(event));
    setInterval(() => this.#renderTime(), RENDER_MILLISECONDS);
  }
}
