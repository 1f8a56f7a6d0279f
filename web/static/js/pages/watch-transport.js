// The controls below the picture: what they show and what they do, by hand and by keyboard.

import { isTyping, one, setText, show } from "../lib/dom.js";
import { AUTO, SOUND_ALONE } from "../lib/player.js";

/** @import { Player, PlayerState } from "../lib/player.js" */

const RENDER_MILLISECONDS = 500;
/** More than this is behind on purpose or after a pause: below, the player catches up by itself. */
const BEHIND_SECONDS = 6;
const SEEK_SECONDS = 5;
const LONG_SEEK_SECONDS = 10;
const VOLUME_STEP = 0.1;
const TENTHS = 10;

/**
 * 75 is "1:15", 3675 is "1:01:15".
 *
 * @param {number} seconds
 */
export function clockText(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  const rest = String(whole % 60).padStart(2, "0");
  return hours > 0 ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
}

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
  #bar = one("#bar", HTMLInputElement);
  #quality = one("#quality", HTMLSelectElement);
  #volume = one("#volume", HTMLInputElement);
  /** Whether the viewer holds the bar: then it does not move by itself. */
  #isDragging = false;
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
    if (this.#state === "stalled") return this.#text("watch.stalled");
    return this.#state === "loading" ? this.#text("watch.loading") : "";
  }

  #renderTime() {
    const player = this.#player();
    const isOver = player?.mode === "over";
    const latency = player?.latency ?? null;
    const isBehind = this.#video.paused || player?.mode === "rewound" || (latency !== null && latency > BEHIND_SECONDS);
    show(one("#live-badge"), !isOver);
    show(one("#latency"), !isOver && player?.mode !== "rewound");
    setText(one("#latency"), latency === null ? "" : this.#text("watch.latency", { seconds: this.#seconds.format(latency) }));
    show(one("#go-live"), !isOver && isBehind && this.#state !== "loading");
    one("#live-badge").dataset.behind = String(isBehind || this.#state !== "playing");
    this.#renderBar();
  }

  #renderBar() {
    const player = this.#player();
    const timeline = player?.timeline ?? null;
    show(one("#rewind"), player?.canRewind === true && timeline !== null);
    if (!timeline || this.#isDragging) return;
    const at = player?.mode === "live" && !this.#video.paused ? timeline.end : timeline.at;
    this.#bar.max = String(Math.ceil(timeline.end));
    this.#bar.value = String(at);
    this.#renderBarText(at, timeline.end);
  }

  /**
   * @param {number} at
   * @param {number} end
   */
  #renderBarText(at, end) {
    const words = { at: clockText(at), end: clockText(end) };
    this.#bar.setAttribute("aria-valuetext", this.#text("watch.position", words));
    this.#bar.style.setProperty("--done", `${end > 0 ? (100 * at) / end : 100}%`);
    setText(one("#bar-at"), words.at);
    setText(one("#bar-end"), words.end);
  }

  #renderQualities() {
    const player = this.#player();
    const pictures = player?.qualities ?? [];
    const choices = [
      { id: AUTO, words: this.#text("watch.quality_auto") },
      ...pictures.map(({ id, height }) => ({ id, words: `${height}p` })),
      ...(player?.hasSoundAlone ? [{ id: SOUND_ALONE, words: this.#text("watch.quality_sound") }] : []),
    ];
    show(this.#quality, choices.length > 2);
    show(one("#sound-alone"), player?.quality === SOUND_ALONE);
    if (this.#quality.options.length !== choices.length) {
      this.#quality.replaceChildren(...choices.map(({ id, words }) => new Option(words, String(id))));
    }
    this.#quality.value = String(player?.quality ?? AUTO);
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
    if (this.#figure.hidden || event.shiftKey || isTyping(event)) return;
    const { key, target } = event;
    const tenth = /^[0-9]$/.test(key) ? Number(key) : null;
    const action = tenth === null ? this.#keys[key.length === 1 ? key.toLowerCase() : key] : () => this.#seekToTenth(tenth);
    const focused = target instanceof Element ? target : null;
    // The space bar presses a focused button; up, down, home and end scroll the page outside the player.
    const isTaken =
      (key === " " && focused?.closest("button, a")) ||
      (/^(ArrowUp|ArrowDown|Home|End)$/.test(key) && !this.#figure.contains(focused) && !document.fullscreenElement);
    if (!action || isTaken || (event.repeat && !key.startsWith("Arrow"))) return;
    event.preventDefault();
    action();
  }

  /** @param {number} tenth of the debate so far */
  #seekToTenth(tenth) {
    const player = this.#player();
    const end = player?.timeline?.end;
    if (player?.canRewind && end !== undefined) player.seekTo((end * tenth) / TENTHS);
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
    this.#bar.addEventListener("input", () => {
      this.#isDragging = true;
      this.#renderBarText(Number(this.#bar.value), Number(this.#bar.max));
    });
    this.#bar.addEventListener("change", () => {
      this.#isDragging = false;
      this.#player()?.seekTo(Number(this.#bar.value));
    });
    for (const event of ["play", "pause", "volumechange"]) {
      video.addEventListener(event, () => this.render(this.#state, Number(one("#viewers-count").textContent)));
    }
    document.addEventListener("keydown", (event) => this.#onKey(event));
    setInterval(() => this.#renderTime(), RENDER_MILLISECONDS);
  }
}
