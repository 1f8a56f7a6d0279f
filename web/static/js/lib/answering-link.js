// A link whose connections the other side creates: the newest offer wins.

import { Connection } from "./connection.js";
import { isSameTarget, sendStep } from "./offering-link.js";

/** @import { CameraLimits, ConnectionOptions } from "./connection.js" */
/** @import { Kind, SignalFrom } from "./messages.js" */
/** @import { LinkOptions, Target } from "./offering-link.js" */

export class AnsweringLink {
  #options;
  #shape;
  /** @type {Target|null} */
  #target = null;
  /** @type {Connection|null} */
  #connection = null;
  #number = 0;
  #closed = false;

  /**
   * @param {LinkOptions} options
   * @param {Pick<ConnectionOptions, "polite"|"direction"|"camera"|"priority"|"patience">} shape
   */
  constructor(options, shape) {
    this.#options = options;
    this.#shape = shape;
  }

  get pc() {
    return this.#connection?.pc ?? null;
  }

  /**
   * Answers `target` from now on; null: nobody is there. The same target changes nothing.
   *
   * @param {Target|null} target
   */
  aim(target) {
    if (this.#closed || isSameTarget(target, this.#target)) return;
    this.#target = target;
    this.#number = 0;
    this.#hangUp();
    this.#options.onState(target ? "connecting" : "absent");
  }

  /** @param {SignalFrom} signal */
  take(signal) {
    if (signal.rejoin || signal.refusal || signal.wanted) return;
    const number = this.#numberOf(signal.link);
    if (number > this.#number && signal.description?.type === "offer") this.#open(signal.link, number);
    if (number === this.#number) this.#connection?.take(signal);
  }

  /**
   * @param {Kind} kind
   * @param {MediaStreamTrack|null} track
   */
  replaceTrack(kind, track) {
    return this.#connection?.replaceTrack(kind, track);
  }

  /** @param {CameraLimits} camera from now on, also of later connections */
  limit(camera) {
    this.#shape = { ...this.#shape, camera };
    return this.#connection?.limit(camera);
  }

  /** Idempotent. */
  close() {
    this.#closed = true;
    this.#hangUp();
  }

  /**
   * The number of one of our link ids, 0 for those of others.
   *
   * @param {string} link
   */
  #numberOf(link) {
    const prefix = `${this.#target?.prefix}.`;
    const number = link.startsWith(prefix) ? Number(link.slice(prefix.length)) : 0;
    return Number.isSafeInteger(number) ? number : 0;
  }

  /**
   * @param {string} link
   * @param {number} number
   */
  #open(link, number) {
    const target = this.#target;
    if (this.#closed || !target) return;
    this.#hangUp();
    this.#number = number;
    this.#options.onState("connecting");
    this.#connection = new Connection({
      ...this.#shape,
      offers: false,
      iceServers: target.iceServers,
      tracks: this.#options.tracks,
      create: this.#options.create,
      send: (step) => sendStep(this.#options.send, target, link, step),
      onReceivers: (tracks) => this.#options.onReceivers?.(tracks),
      onConnected: () => this.#options.onState("connected"),
      // The other side notices too, and makes the next offer.
      onLost: (reason) => {
        console.info(`${link} lost: ${reason}`);
        this.#hangUp();
        this.#options.onState("connecting");
      },
    });
  }

  #hangUp() {
    this.#connection?.close();
    this.#connection = null;
  }
}
