// The connection to the bridge: what viewers get of a debater (PROTOCOL.md, Negotiation).

import { OfferingLink } from "./offering-link.js";

/** @import { JoinAck, Kind, RoomView, SignalFrom } from "./messages.js" */
/** @import { LinkOptions } from "./offering-link.js" */

const SHAPE = {
  direction: /** @type {const} */ ("sendonly"),
  // Until the bridge says what it shows: a half of the picture at least, and what it decodes twice.
  camera: { maxBitrate: 1_500_000, maxFramerate: 30, height: 540 },
  // Before what only the opponent sees.
  priority: /** @type {const} */ ("high"),
  patience: 3000,
  // The bridge always answers; an offer of its own would be a mistake.
  polite: false,
};

export class BridgeLink {
  #link;

  /** @param {LinkOptions} options */
  constructor(options) {
    this.#link = new OfferingLink(options, SHAPE);
  }

  get pc() {
    return this.#link.pc;
  }

  /**
   * Follows the room; `ack` is the answer to the newest join.
   *
   * @param {RoomView} room
   * @param {JoinAck} ack
   */
  follow(room, ack) {
    const session = room.bridge_session;
    this.#link.aim(
      session ? { seat: "bridge", session, prefix: ack.you.session, iceServers: ack.ice_servers } : null,
    );
  }

  /** @param {SignalFrom} signal */
  take(signal) {
    if (signal.from === "bridge" && signal.description?.type !== "offer") this.#link.take(signal);
  }

  /**
   * @param {Kind} kind
   * @param {MediaStreamTrack|null} track
   */
  replaceTrack(kind, track) {
    return this.#link.replaceTrack(kind, track);
  }

  /** Idempotent. */
  close() {
    this.#link.close();
  }
}
