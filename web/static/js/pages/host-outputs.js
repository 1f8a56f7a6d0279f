// Recording and destinations, as the broadcast reports them, and what a host does about them.

import { ApiError } from "../lib/api.js";
import { one, setText, show } from "../lib/dom.js";
import { destinationMistake, labelKey, newDestination } from "./destination-field.js";

/** @import { Api, TrialReport } from "../lib/api.js" */
/** @import { Text } from "../lib/i18n.js" */
/** @import { Destination, HostView, OutputState, RecordingReport } from "../lib/messages.js" */

/** @type {Record<OutputState, string>} */
const TONES = {
  preparing: "caution",
  live: "good",
  degraded: "caution",
  retrying: "fault",
  rejected: "fault",
  stopped: "idle",
};
const BYTES_PER_MEGABYTE = 1_000_000;

/**
 * @param {number} bytes
 * @param {Text} text
 */
function megabytes(bytes, text) {
  const format = new Intl.NumberFormat(document.documentElement.lang, {
    minimumFractionDigits: 1,
    maximumFractionDigits: 1,
  });
  return text("host.megabytes", { size: format.format(bytes / BYTES_PER_MEGABYTE) });
}

/** Draws destinations and recording; rows stay the same elements, so that screen readers keep their place. */
export class OutputDesk {
  #api;
  #roomId;
  #text;
  #list = one("#destinations");
  /** @type {Map<string, string>} what became of tests, by destination */
  #trials = new Map();
  /** @type {Destination[]} */
  #destinations = [];
  #pushed = false;
  #editable = false;

  /**
   * @param {Api} api
   * @param {string} roomId
   * @param {Text} text
   */
  constructor(api, roomId, text) {
    this.#api = api;
    this.#roomId = roomId;
    this.#text = text;
    const platform = one("#destination-platform", HTMLSelectElement);
    const field = one("#destination-key", HTMLInputElement);
    const label = one("#add-destination label", HTMLLabelElement);
    labelKey(platform, field, label, text);
    one("#add-destination", HTMLFormElement).addEventListener("submit", (event) => {
      event.preventDefault();
      this.#add(platform, field);
    });
    one("#marker-form", HTMLFormElement).addEventListener("submit", (event) => {
      event.preventDefault();
      this.#mark(one("#marker", HTMLInputElement));
    });
    setInterval(() => this.#renderDestinations(), 1000);
  }

  /**
   * @param {HostView|undefined} host
   * @param {{live: boolean, over: boolean}} debate
   */
  render(host, { live, over }) {
    this.#destinations = host?.destinations ?? [];
    this.#pushed = live;
    this.#editable = !over;
    show(one("#add-destination"), this.#editable);
    this.#renderDestinations();
    this.#renderRecording(host?.recording);
    show(one("#marker-form"), live && host?.recording !== undefined);
  }

  /** @param {HTMLInputElement} field */
  async #mark(field) {
    const words = field.value.trim();
    if (words === "") return;
    try {
      await this.#api.mark(this.#roomId, words);
      field.value = "";
      setText(one("#marker-said"), this.#text("host.marker_said", { text: words }));
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      setText(one("#marker-said"), this.#words(error));
    }
  }

  #renderDestinations() {
    const ids = new Set(this.#destinations.map(({ id }) => id));
    for (const row of this.#rows()) if (!ids.has(row.dataset.destination ?? "")) row.remove();
    for (const destination of this.#destinations) this.#renderDestination(destination);
    show(one("#no-destinations"), this.#destinations.length === 0);
  }

  /** @param {Destination} destination */
  #renderDestination({ id, label, address, warning = "", report }) {
    const row = this.#row(id);
    const text = this.#text;
    /** @param {string} role */
    const part = (role) => /** @type {HTMLButtonElement} */ (row.querySelector(`[data-role=${role}]`));
    setText(part("label"), label);
    setText(part("address"), address);
    setText(part("state"), text(`host.output_${report.state}`));
    part("state").dataset.tone = TONES[report.state];
    setText(part("bytes"), report.sent_bytes > 0 ? megabytes(report.sent_bytes, text) : "");
    const waits = report.next_try_at !== undefined && report.next_try_at !== null;
    /** @type {[string, string][]} */
    const lines = [
      ["detail", this.#detail(report)],
      ["warning", warning],
      ["trial", this.#trials.get(id) ?? ""],
    ];
    for (const [role, words] of lines) {
      setText(part(role), words);
      show(part(role), words !== "");
    }
    show(part("retry"), this.#pushed && waits);
    show(part("test"), this.#editable && report.state !== "live" && report.state !== "degraded" && !(this.#pushed && report.state === "preparing"));
    part("test").disabled = this.#trials.get(id) === text("destination.testing");
    show(part("remove"), this.#editable);
  }

  /** @param {Destination["report"]} report */
  #detail({ detail, retries = 0, next_try_at: at }) {
    if (!at) return detail;
    // The clock of this machine may be wrong; a pause is a minute at most.
    const seconds = Math.min(60, Math.max(0, Math.round(at - Date.now() / 1000)));
    const tried = this.#text("destination.retries", { count: retries });
    return `${detail} ${tried} ${this.#text("destination.next_try", { seconds })}`;
  }

  /** @param {RecordingReport|undefined} recording */
  #renderRecording(recording) {
    const text = this.#text;
    const state = one("#recording-state");
    state.dataset.tone = recording ? TONES[recording.state] : "idle";
    setText(state, text(recording ? `host.recording_${recording.state}` : "host.recording_off"));
    setText(one("#recording-bytes"), recording?.bytes ? megabytes(recording.bytes, text) : "");
    setText(one("#recording-detail"), recording ? recording.detail : text("host.recording_hint"));
  }

  #rows() {
    return /** @type {HTMLElement[]} */ ([...this.#list.children]);
  }

  /** @param {string} id */
  #row(id) {
    const known = this.#rows().find((row) => row.dataset.destination === id);
    if (known) return known;
    const { content } = one("#destination-template", HTMLTemplateElement);
    const row = /** @type {HTMLElement} */ (content.firstElementChild?.cloneNode(true));
    row.dataset.destination = id;
    /** @type {[string, () => Promise<unknown>|void][]} */
    const actions = [
      ["retry", () => this.#try(() => this.#api.retryDestination(this.#roomId, id))],
      ["test", () => this.#test(id)],
      ["remove", () => this.#remove(id)],
    ];
    for (const [role, act] of actions) row.querySelector(`[data-role=${role}]`)?.addEventListener("click", act);
    this.#list.append(row);
    return row;
  }

  /**
   * @param {HTMLSelectElement} platform
   * @param {HTMLInputElement} field
   */
  async #add(platform, field) {
    const destination = newDestination(platform.value, field.value);
    const mistake = destination ? destinationMistake(destination, this.#text) : this.#text("destination.key_wrong");
    field.setAttribute("aria-invalid", String(mistake !== ""));
    this.#complain(mistake);
    if (!destination || mistake) {
      field.focus();
      return;
    }
    const added = await this.#try(() => this.#api.addDestination(this.#roomId, destination));
    if (added) field.value = "";
  }

  /** @param {string} id */
  #remove(id) {
    const dialog = one("#remove-destination-dialog", HTMLDialogElement);
    const label = this.#destinations.find((each) => each.id === id)?.label ?? "";
    setText(one("#remove-destination-question"), this.#text("destination.remove_question", { label }));
    dialog.returnValue = "";
    const remove = () => this.#try(() => this.#api.removeDestination(this.#roomId, id));
    dialog.addEventListener("close", () => dialog.returnValue === "yes" && remove(), { once: true });
    dialog.showModal();
  }

  /** @param {string} id */
  async #test(id) {
    this.#note(id, this.#text("destination.testing"));
    try {
      this.#note(id, this.#verdict(await this.#api.testDestination(this.#roomId, id)));
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.#note(id, this.#text("destination.tested_bad", { detail: this.#words(error) }));
    }
  }

  /** @param {TrialReport} report */
  #verdict({ ok, detail, sent_bytes: bytes }) {
    if (!ok) return this.#text("destination.tested_bad", { detail });
    return this.#text("destination.tested_good", { size: megabytes(bytes, this.#text) });
  }

  /**
   * @param {string} id
   * @param {string} words
   */
  #note(id, words) {
    this.#trials.set(id, words);
    this.#renderDestinations();
  }

  /**
   * Asks the server; a refusal is told in its words. Whether it was done.
   *
   * @param {() => Promise<unknown>} request
   */
  async #try(request) {
    this.#complain("");
    try {
      await request();
      return true;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.#complain(this.#words(error));
      return false;
    }
  }

  /** @param {ApiError} error */
  #words(error) {
    return error.status === 0 ? this.#text("site.unreachable") : error.message;
  }

  /** @param {string} words */
  #complain(words) {
    setText(one("#destination-error"), words);
  }
}
