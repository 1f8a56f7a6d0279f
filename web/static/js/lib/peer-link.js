// The debaters' own connection: what they see and hear of each other (PROTOCOL.md, Negotiation).

import { AnsweringLink } from "./answering-link.js";
import { OfferingLink } from "./offering-link.js";

/** @import { JoinAck, Kind, RoomView, SignalFrom, Tracks } from "./messages.js" */
/** @import { LinkOptions } from "./offering-link.js" */

const SHAPE = {
  direction: /** @type {const} */ ("sendrecv"),
  camera: { maxBitrate: 1_200_000, maxFramerate: 30 },
  patience: 5000,
};

/**
 * The opponent, as the room sees them.
 *
 * @param {RoomView} room
 * @param {string} seat one's own
 */
export function opponentOf(room, seat) {
  const others = room.participants.filter((participant) => participant.seat !== seat);
  return others.sort((one, other) => other.generation - one.generation)[0] ?? null;
}

export class PeerLink {
  #options;
  /** @type {OfferingLink|AnsweringLink|null} */
  #link = null;
  /** @type {JoinAck|null} */
  #ack = null;

  /** @param {LinkOptions} options */
  constructor(options) {
    this.#options = options;
  }

  get pc() {
    return this.#link?.pc ?? null;
  }

  /**
   * Follows the room; `ack` is the answer to the newest join.
   *
   * @param {RoomView} room
   * @param {JoinAck} ack
   */
  follow(room, ack) {
    if (ack !== this.#ack) this.#renew(ack);
    const opponent = opponentOf(room, ack.you.seat);
    if (!opponent) {
      this.#link?.aim(null);
      return;
    }
    const own = ack.you.session;
    const [proposition, opposition] =
      ack.you.seat === "proposition" ? [own, opponent.session] : [opponent.session, own];
    this.#link?.aim({
      seat: opponent.seat,
      session: opponent.session,
      prefix: `${proposition}~${opposition}`,
      iceServers: ack.ice_servers,
    });
  }

  /** @param {SignalFrom} signal */
  take(signal) {
    if (signal.from !== "bridge") this.#link?.take(signal);
  }

  /**
   * @param {Kind} kind
   * @param {MediaStreamTrack|null} track
   */
  replaceTrack(kind, track) {
    return this.#link?.replaceTrack(kind, track);
  }

  /** Idempotent. */
  close() {
    this.#link?.close();
  }

  /** @param {JoinAck} ack */
  #renew(ack) {
    this.#ack = ack;
    this.#link?.close();
    const shape = { ...SHAPE, polite: ack.polite };
    this.#link = ack.polite ? new AnsweringLink(this.#options, shape) : new OfferingLink(this.#options, shape);
  }
}
