// The bar below the picture: where in the debate one is, and where one wants to be.

import { one, setText, show } from "../lib/dom.js";

/** @import { Player } from "../lib/player.js" */

const STEP_SECONDS = 5;
const LONG_STEP_SECONDS = 30;

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

/** Owns the bar's elements, but not the player. */
export class SeekBar {
  #text;
  #player;
  #bar = one("#bar", HTMLInputElement);
  #hover = one("#bar-hover");
  /** Whether the viewer holds it: then it does not move by itself. */
  #isHeld = false;
  /**
   * A second at a time, as browsers move a slider, never gets away from live.
   *
   * @type {Record<string, (player: Player) => void>}
   */
  #keys = {
    ArrowLeft: (player) => player.seekBy(-STEP_SECONDS),
    ArrowDown: (player) => player.seekBy(-STEP_SECONDS),
    ArrowRight: (player) => player.seekBy(STEP_SECONDS),
    ArrowUp: (player) => player.seekBy(STEP_SECONDS),
    PageDown: (player) => player.seekBy(-LONG_STEP_SECONDS),
    PageUp: (player) => player.seekBy(LONG_STEP_SECONDS),
    Home: (player) => player.seekTo(0),
    End: (player) => player.goLive(),
  };

  /**
   * @param {Awaited<ReturnType<typeof import("../lib/i18n.js").loadText>>} text
   * @param {() => Player|null} player
   */
  constructor(text, player) {
    this.#text = text;
    this.#player = player;
    this.#listen();
  }

  /** @param {boolean} isPaused */
  render(isPaused) {
    const player = this.#player();
    const timeline = player?.timeline ?? null;
    show(one("#rewind"), player?.canRewind === true && timeline !== null);
    if (!timeline || this.#isHeld) return;
    const at = player?.isFollowing && !isPaused ? timeline.end : timeline.at;
    this.#bar.max = String(Math.ceil(timeline.end));
    this.#bar.value = String(at);
    this.#say(at, timeline.end);
  }

  /**
   * @param {number} at
   * @param {number} end
   */
  #say(at, end) {
    const words = { at: clockText(at), end: clockText(end) };
    this.#bar.setAttribute("aria-valuetext", this.#text("watch.position", words));
    this.#bar.style.setProperty("--done", `${end > 0 ? (100 * at) / end : 100}%`);
    setText(one("#bar-at"), words.at);
    setText(one("#bar-end"), words.end);
  }

  /** @param {PointerEvent} event */
  #showTime({ clientX, pointerType }) {
    const { left, width } = this.#bar.getBoundingClientRect();
    const share = Math.min(1, Math.max(0, (clientX - left) / width));
    show(this.#hover, pointerType === "mouse");
    setText(this.#hover, clockText(share * Number(this.#bar.max)));
    this.#hover.style.setProperty("--at", `${100 * share}%`);
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    const player = this.#player();
    const action = this.#keys[event.key];
    if (!action || !player || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    action(player);
  }

  #listen() {
    const bar = this.#bar;
    bar.addEventListener("keydown", (event) => this.#onKey(event));
    bar.addEventListener("input", () => {
      this.#isHeld = true;
      this.#say(Number(bar.value), Number(bar.max));
    });
    bar.addEventListener("change", () => {
      this.#isHeld = false;
      this.#player()?.seekTo(Number(bar.value));
    });
    bar.addEventListener("pointermove", (event) => this.#showTime(event));
    bar.addEventListener("pointerleave", () => show(this.#hover, false));
  }
}
