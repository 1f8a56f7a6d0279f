// What the programme shows: the host's choice, and what is on air of it.

import { one, setText, show } from "../lib/dom.js";

/** @import { Api, SceneChoice } from "../lib/api.js" */
/** @import { Text } from "../lib/i18n.js" */
/** @import { RoomView, Side } from "../lib/messages.js" */

/** Scenes in which one side is large. */
const ABOUT_A_SIDE = ["speaker", "picture_in_picture"];
/** Scenes that show the line. */
const WITH_NOTE = ["title", "break", "result"];

/** The buttons, and the options that go with a choice. Tells each choice to `choose`. */
export class SceneDesk {
  #text;
  #side = one("#scene-side", HTMLSelectElement);
  #note = one("#scene-note", HTMLInputElement);
  #cut = one("#scene-cut", HTMLInputElement);
  /** @type {HTMLButtonElement[]} */
  #buttons = [...document.querySelectorAll("button[data-scene]")].filter((item) => item instanceof HTMLButtonElement);
  #choose;
  #scene = "auto";
  /** What the room said last of each field. @type {Map<HTMLElement, string>} */
  #told = new Map();

  /**
   * @param {(choice: SceneChoice) => void} choose
   * @param {Text} text
   */
  constructor(choose, text) {
    this.#choose = choose;
    this.#text = text;
    for (const button of this.#buttons) {
      button.addEventListener("click", () => this.#take(button.dataset.scene ?? "auto"));
    }
    one("#scenes").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#take(this.#scene);
    });
    this.#side.addEventListener("change", () => ABOUT_A_SIDE.includes(this.#scene) && this.#take(this.#scene));
    this.#note.addEventListener("change", () => WITH_NOTE.includes(this.#scene) && this.#take(this.#scene));
  }

  /**
   * @param {RoomView} room
   * @param {boolean} enabled
   */
  render(room, enabled) {
    const { scene, side, note = "" } = room.scene;
    this.#scene = scene;
    for (const button of this.#buttons) {
      button.disabled = !enabled;
      button.setAttribute("aria-pressed", String(button.dataset.scene === scene));
    }
    this.#follow(this.#side, side ?? "");
    this.#follow(this.#note, note);
    setText(one("#scene-shown"), this.#shown(room));
    const relief = room.host?.relief ?? 0;
    setText(one("#relief"), relief ? this.#text(`host.relief_${relief}`) : "");
    show(one("#relief"), relief > 0);
  }

  /**
   * Another host may have chosen; but what is picked here and not yet sent stays, whatever else is
   * new in the room, and so does what somebody types.
   *
   * @param {HTMLSelectElement|HTMLInputElement} field
   * @param {string} value the room's
   */
  #follow(field, value) {
    if (this.#told.get(field) === value || document.activeElement === field) return;
    this.#told.set(field, value);
    field.value = value;
  }

  /** @param {RoomView} room */
  #shown(room) {
    const shown = room.host?.shown;
    if (!shown) return "";
    const scene = this.#text(`host.scene_${shown.scene}`);
    const name = shown.side ? room.names[shown.side] : "";
    return this.#text(name ? "host.scene_shown_side" : "host.scene_shown", { scene, name });
  }

  /** @param {string} scene */
  #take(scene) {
    /** @type {SceneChoice} */
    const choice = { scene, transition: this.#cut.checked ? "cut" : "move", note: this.#note.value.trim() };
    if (ABOUT_A_SIDE.includes(scene) && this.#side.value) choice.side = /** @type {Side} */ (this.#side.value);
    this.#choose(choice);
  }
}
