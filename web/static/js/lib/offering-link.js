// A link whose connections this side creates: the next one whenever the last is lost.

import { pauseAfter } from "./backoff.js";
import { Connection } from "./connection.js";

/** @import { CameraLimits, ConnectionOptions } from "./connection.js" */
/** @import { Kind, Side, Signal, SignalFrom, Step, Tracks, Wanted } from "./messages.js" */

/**
 * @typedef {"absent"|"connecting"|"connected"} LinkState
 * @typedef {{seat: Side|"bridge", session: string, prefix: string, iceServers: RTCIceServer[]}} Target
 *   who is at the other end; `prefix` of the link ids is what stands before their number
 * @typedef {{
 *   tracks: Tracks,
 *   send: (signal: Signal) => Promise<unknown>,
 *   onState: (state: LinkState) => void,
 *   onReceivers?: (tracks: MediaStreamTrack[]) => void,
 *   onRefusal?: (message: string) => void,
 *   create?: ConnectionOptions["create"],
 * }} LinkOptions `tracks` is what is sent; who changes it also calls `replaceTrack`
 */

const BACKOFF = { first: 500, most: 4000 };

/**
 * @param {Target|null} one
 * @param {Target|null} other
 */
export function isSameTarget(one, other) {
  return one?.session === other?.session && one?.prefix === other?.prefix;
}

/**
 * Sends one step; a refusal means that the addressee has gone, which the next RoomView tells too.
 *
 * @param {LinkOptions["send"]} send
 * @param {Target} target
 * @param {string} link
 * @param {Step} step
 */
export function sendStep(send, target, link, step) {
  const { seat: to, session } = target;
  send({ to, session, link, ...step }).catch((error) => console.debug(`${link} not signalled:`, error.message));
}

export class OfferingLink {
  #options;
  #shape;
  /** @type {Target|null} */
  #target = null;
  /** @type {Connection|null} */
  #connection = null;
  #link = "";
  #prefix = "";
  #number = 0;
  #failures = 0;
  #closed = false;
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #retry;

  /**
   * @param {LinkOptions} options
   * @param {Pick<ConnectionOptions, "polite"|"direction"|"camera"|"wanted"|"priority"|"patience">} shape
   */
  constructor(options, shape) {
    this.#options = options;
    this.#shape = shape;
  }

  get pc() {
    return this.#connection?.pc ?? null;
  }

  /**
   * Connects to `target` from now on; null: nobody is there. The same target changes nothing.
   *
   * @param {Target|null} target
   */
  aim(target) {
    if (this.#closed || isSameTarget(target, this.#target)) return;
    // Numbers of a prefix only grow, also when nobody was there in between.
    if (target && target.prefix !== this.#prefix) this.#number = 0;
    this.#prefix = target?.prefix ?? this.#prefix;
    this.#target = target;
    this.#failures = 0;
    this.#hangUp();
    if (target) this.#open();
    else this.#options.onState("absent");
  }

  /** @param {SignalFrom} signal */
  take(signal) {
    if (signal.link !== this.#link) return;
    if (signal.rejoin) {
      this.renew();
    } else if (signal.refusal) {
      this.#options.onRefusal?.(signal.refusal.message);
      this.#reopen(signal.link, signal.refusal.message);
    } else if (signal.wanted) {
      this.#want(signal.wanted);
    } else {
      this.#connection?.take(signal);
    }
  }

  /** Makes the next connection at once, in place of one that cannot be trusted any more. */
  renew() {
    console.info(`${this.#link} is given up`);
    this.#hangUp();
    this.#open();
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

  /** @param {Wanted} wanted from now on, also of later connections */
  #want(wanted) {
    this.#shape = { ...this.#shape, wanted };
    this.#connection?.want(wanted);
  }

  #open() {
    const target = this.#target;
    if (this.#closed || !target) return;
    const link = `${target.prefix}.${++this.#number}`;
    this.#link = link;
    this.#options.onState("connecting");
    this.#connection = new Connection({
      ...this.#shape,
      offers: true,
      iceServers: target.iceServers,
      tracks: this.#options.tracks,
      create: this.#options.create,
      send: (step) => sendStep(this.#options.send, target, link, step),
      onReceivers: (tracks) => this.#options.onReceivers?.(tracks),
      onConnected: () => {
        this.#failures = 0;
        this.#options.onState("connected");
      },
      onLost: (reason) => this.#reopen(link, reason),
    });
  }

  /**
   * @param {string} link
   * @param {string} reason
   */
  #reopen(link, reason) {
    console.info(`${link} lost: ${reason}`);
    this.#hangUp();
    this.#options.onState("connecting");
    this.#retry = setTimeout(() => this.#open(), pauseAfter(this.#failures++, BACKOFF));
  }

  #hangUp() {
    clearTimeout(this.#retry);
    this.#connection?.close();
    this.#connection = null;
    this.#link = "";
  }
}
