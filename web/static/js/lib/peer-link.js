// The debaters' own connection: what they see and hear of each other (PROTOCOL.md, Negotiation).

import { AnsweringLink } from "./answering-link.js";
import { OfferingLink } from "./offering-link.js";
import { PEER_STEPS } from "./uplink-priority.js";

/** @import { CameraLimits } from "./connection.js" */
/** @import { JoinAck, Kind, RoomView, SignalFrom } from "./messages.js" */
/** @import { LinkOptions, LinkState } from "./offering-link.js" */

/** @typedef {OfferingLink|AnsweringLink} Link */

const SHAPE = {
  direction: /** @type {const} */ ("sendrecv"),
  priority: /** @type {const} */ ("low"),
  patience: 5000,
};
/** How long a picture that still comes is kept, when the room has forgotten who sends it. */
const KEEP_MILLISECONDS = 8000;

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

/**
 * After a join anew the link before it lives on until its successor is connected: two debaters who
 * have lost only the server go on seeing each other.
 */
export class PeerLink {
  #options;
  /** @type {Link|null} */
  #link = null;
  /** The one before, while it is still connected. @type {Link|null} */
  #last = null;
  /** @type {LinkState} */
  #state = "absent";
  /** @type {MediaStreamTrack[]} */
  #received = [];
  /** @type {JoinAck|null} */
  #ack = null;
  /** @type {CameraLimits} */
  #camera = /** @type {CameraLimits} */ (PEER_STEPS[0]);
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #keeping;

  /** @param {LinkOptions} options */
  constructor(options) {
    this.#options = options;
  }

  /** Of the connection that is seen. */
  get pc() {
    return (this.#last ?? this.#link)?.pc ?? null;
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
    // What the programme shows is no reason to see less of each other.
    if (signal.from !== "bridge" && !signal.wanted) this.#link?.take(signal);
  }

  /**
   * @param {Kind} kind
   * @param {MediaStreamTrack|null} track
   */
  async replaceTrack(kind, track) {
    await Promise.all([this.#last?.replaceTrack(kind, track), this.#link?.replaceTrack(kind, track)]);
  }

  /** @param {CameraLimits} camera from now on, also of later connections */
  async limit(camera) {
    this.#camera = camera;
    await Promise.all([this.#last?.limit(camera), this.#link?.limit(camera)]);
  }

  /** Idempotent. */
  close() {
    clearTimeout(this.#keeping);
    this.#last?.close();
    this.#last = null;
    this.#link?.close();
  }

  /** @param {JoinAck} ack */
  #renew(ack) {
    this.#ack = ack;
    this.#keepLast();
    this.#received = [];
    const isNews = this.#state !== "absent" && this.#last === null;
    this.#state = "absent";
    if (isNews) this.#options.onState("absent");
    const shape = { ...SHAPE, camera: this.#camera, polite: ack.polite };
    /** @type {LinkOptions} */
    const options = {
      ...this.#options,
      onState: (state) => this.#takeState(link, state),
      onReceivers: (tracks) => this.#takeReceivers(link, tracks),
    };
    const link = ack.polite ? new AnsweringLink(options, shape) : new OfferingLink(options, shape);
    this.#link = link;
  }

  #keepLast() {
    const isSeen = this.#link?.pc?.connectionState === "connected";
    // Joined twice before anybody was there: what is seen is older than the newest link.
    if (!isSeen) {
      this.#link?.close();
      return;
    }
    this.#last?.close();
    this.#last = this.#link;
    clearTimeout(this.#keeping);
    this.#keeping = setTimeout(() => this.#dropLast(), KEEP_MILLISECONDS);
  }

  #dropLast() {
    if (!this.#last) return;
    clearTimeout(this.#keeping);
    this.#last.close();
    this.#last = null;
    this.#options.onReceivers?.(this.#received);
    this.#options.onState(this.#state);
  }

  /**
   * @param {Link} link
   * @param {LinkState} state
   */
  #takeState(link, state) {
    if (link === this.#last && state !== "connected") this.#dropLast();
    if (link !== this.#link) return;
    this.#state = state;
    if (this.#last === null) this.#options.onState(state);
    else if (state === "connected") this.#dropLast();
  }

  /**
   * @param {Link} link
   * @param {MediaStreamTrack[]} tracks
   */
  #takeReceivers(link, tracks) {
    if (link !== this.#link) return;
    this.#received = tracks;
    if (this.#last === null) this.#options.onReceivers?.(tracks);
  }
}
