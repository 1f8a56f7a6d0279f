// The host's own view of the programme: follows the playlist that the room names.

import { one, setText, show } from "../lib/dom.js";
import { Player } from "../lib/player.js";

/** @import { Text } from "../lib/i18n.js" */
/** @import { PlayerState } from "../lib/player.js" */

/** @type {Record<PlayerState, string>} */
const MESSAGES = {
  loading: "host.preview_loading",
  playing: "",
  stalled: "host.preview_stalled",
  offline: "host.preview_loading",
  finished: "host.preview_loading",
};

export class Preview {
  #text;
  #video = one("#programme", HTMLVideoElement);
  #message = one("#preview-message");
  #listen = one("#listen", HTMLButtonElement);
  /** @type {Player|null} */
  #player = null;
  /** @type {string|undefined} */
  #url;

  /** @param {Text} text */
  constructor(text) {
    this.#text = text;
    this.#listen.addEventListener("click", () => {
      this.#video.muted = !this.#video.muted;
      this.#listen.setAttribute("aria-pressed", String(!this.#video.muted));
    });
  }

  /**
   * Plays `url`; undefined closes the player. The same address again changes nothing.
   *
   * @param {string|undefined} url
   * @param {boolean} ended
   */
  follow(url, ended) {
    if (url === this.#url && this.#player) return;
    this.#player?.destroy();
    this.#player = null;
    this.#url = url;
    show(this.#listen, url !== undefined);
    if (url === undefined) {
      this.#say(ended ? "host.preview_ended" : "host.preview_off");
      return;
    }
    this.#say("host.preview_loading");
    this.#player = new Player(this.#video, { onState: (state) => this.#say(MESSAGES[state]) });
    this.#player.load({ live: url });
  }

  /** @param {string} key "": nothing */
  #say(key) {
    setText(this.#message, key ? this.#text(key) : "");
  }
}
