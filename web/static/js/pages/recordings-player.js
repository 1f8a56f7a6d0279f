// Plays a recording in place, from any chapter.

import { one, setText, show } from "../lib/dom.js";
import { clock } from "./recordings-time.js";

/** @import { Text } from "../lib/i18n.js" */
/** @import { Recording } from "../lib/api.js" */

export class RecordingPlayer {
  #dialog = one("#player-dialog", HTMLDialogElement);
  #video = one("#recording-video", HTMLVideoElement);
  #text;

  /** @param {Text} text */
  constructor(text) {
    this.#text = text;
    this.#dialog.addEventListener("close", () => {
      this.#video.pause();
      this.#video.removeAttribute("src");
      this.#video.load();
    });
  }

  /** Whether somebody watches: then nothing below is disturbed. */
  get open() {
    return this.#dialog.open;
  }

  /**
   * @param {Recording} recording
   * @param {number} [at] seconds
   */
  play(recording, at = 0) {
    const programme = recording.files.find(({ kind }) => kind === "programme");
    if (!programme) return;
    setText(one("#player-title"), recording.title);
    this.#video.src = programme.url;
    this.#video.currentTime = at;
    this.#showCaptions(recording);
    const chapters = one("#player-chapters", HTMLOListElement);
    show(chapters, recording.chapters.length > 1);
    this.renderChapters(chapters, recording, (second) => {
      this.#video.currentTime = second;
    });
    this.#dialog.showModal();
    // A browser that will not play by itself still shows its own play button.
    this.#video.play().catch(() => this.#video.focus());
  }

  /**
   * A list of buttons that lead to the chapters.
   *
   * @param {HTMLElement} list
   * @param {Recording} recording
   * @param {(at: number) => void} onChosen
   */
  renderChapters(list, { id, chapters }, onChosen) {
    const shown = `${id} ${JSON.stringify(chapters)}`;
    if (list.dataset.shown === shown) return;
    list.dataset.shown = shown;
    list.replaceChildren(
      ...chapters.map(({ at, title }) => {
        const line = document.createElement("li");
        const button = document.createElement("button");
        button.type = "button";
        button.className = "chapter";
        const time = document.createElement("span");
        time.className = "figure";
        time.textContent = clock(at);
        button.append(time, ` ${title}`);
        button.addEventListener("click", () => onChosen(at));
        line.append(button);
        return line;
      }),
    );
  }

  /** @param {Recording} recording */
  #showCaptions({ files }) {
    this.#video.replaceChildren();
    const captions = files.find(({ kind }) => kind === "captions");
    if (!captions) return;
    const track = document.createElement("track");
    track.kind = "captions";
    track.label = this.#text("recordings.file_captions");
    track.src = captions.url;
    this.#video.append(track);
  }
}
