// One seat in a room over Socket.IO: joins, and joins again after every loss.

import { io } from "../../vendor/socket.io.esm.min.js";
import { pauseAfter } from "./backoff.js";

/** @import { JoinAck, Levels, RoomView, SignalFrom } from "./messages.js" */
/** @import { Socket } from "socket.io-client" */

/**
 * @typedef {"connecting"|"joined"|"away"|"refused"} ClientState
 * @typedef {{
 *   token: string,
 *   join: () => object,
 *   onJoined: (ack: JoinAck) => void,
 *   onRoom: (room: RoomView) => void,
 *   onSignal: (signal: SignalFrom) => void,
 *   onReplaced: (message: {message: string}) => void,
 *   onLevels?: (levels: Levels) => void,
 *   onState: (state: ClientState, error?: RoomError) => void,
 * }} RoomClientOptions `join` gives the body of each join
 */

const ANSWER_MILLISECONDS = 10_000;
/** A living server answers much sooner, also from the other side of the world. */
const PROBE_MILLISECONDS = 2500;
const BACKOFF = { first: 500, most: 2500 };
const MAX_EARLY_SIGNALS = 64;
/** Refusals that pass by themselves; every other is final. */
const PASSING = new Set(["rate", "unheard", "not_joined"]);

/** What the server refused, in its words. */
export class RoomError extends Error {
  /**
   * @param {string} message
   * @param {string} code see PROTOCOL.md; "unheard" when no answer came
   */
  constructor(message, code) {
    super(message);
    this.name = "RoomError";
    this.code = code;
  }
}

/** @returns {Socket} */
function newSocket(/** @type {string} */ token) {
  return io({
    auth: { token },
    transports: ["websocket"],
    autoConnect: false,
    reconnectionDelay: BACKOFF.first,
    reconnectionDelayMax: BACKOFF.most,
  });
}

/** After `close`, or once refused or replaced, no callback is called any more. */
export class RoomClient {
  #options;
  #socket;
  #closed = false;
  #joined = false;
  #failures = 0;
  /** Tells an attempt from those before it. */
  #attempt = 0;
  /** @type {RoomView|null} */
  #earlyRoom = null;
  /** @type {SignalFrom[]} */
  #earlySignals = [];
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #retry;

  /**
   * @param {RoomClientOptions} options
   * @param {(token: string) => Socket} [connect]
   */
  constructor(options, connect = newSocket) {
    this.#options = options;
    this.#socket = connect(options.token);
    this.#socket.on("connect", () => this.#join());
    this.#socket.on("disconnect", (reason) => this.#lose(reason));
    this.#socket.on("connect_error", (error) => this.#fail(error));
    this.#socket.on("room", (room) => this.#takeRoom(room));
    this.#socket.on("signal", (signal) => this.#takeSignal(signal));
    this.#socket.on("levels", (levels) => !this.#closed && options.onLevels?.(levels));
    this.#socket.on("replaced", (message) => this.#end(() => options.onReplaced(message)));
  }

  start() {
    if (this.#closed) return;
    this.#options.onState("connecting");
    this.#socket.connect();
  }

  /**
   * Sends an event and waits for its answer. Rejects with RoomError when it is refused or unheard,
   * also while the server is away: nothing is kept for later.
   *
   * @param {string} event
   * @param {object} data
   * @param {number} [milliseconds] to wait for the answer
   */
  async send(event, data, milliseconds = ANSWER_MILLISECONDS) {
    if (!this.#socket.connected) throw new RoomError("not connected", "unheard");
    let answer;
    try {
      answer = await this.#socket.timeout(milliseconds).emitWithAck(event, data);
    } catch {
      throw new RoomError(`no answer to ${event}`, "unheard");
    }
    if (answer?.ok) return answer;
    throw new RoomError(answer?.error?.message ?? "", answer?.error?.code ?? "invalid");
  }

  /**
   * Connects and joins anew at once, in place of a connection that cannot be trusted any more, or of
   * waiting for the next try.
   */
  reconnect() {
    if (this.#closed) return;
    clearTimeout(this.#retry);
    this.#failures = 0;
    this.#socket.disconnect();
    this.#socket.connect();
  }

  /**
   * Whether the server answers this event soon. Where it does not, connects anew.
   *
   * @param {string} event one that may be repeated
   * @param {object} data
   */
  async verify(event, data) {
    if (!this.#joined) {
      this.reconnect();
      return false;
    }
    const attempt = this.#attempt;
    try {
      await this.send(event, data, PROBE_MILLISECONDS);
    } catch (error) {
      if (!(error instanceof RoomError)) throw error;
      if (error.code !== "unheard") return true;
      if (this.#isCurrent(attempt)) this.reconnect();
      return false;
    }
    return true;
  }

  /** Ends the connection without leaving the seat. Idempotent. */
  close() {
    this.#closed = true;
    this.#joined = false;
    clearTimeout(this.#retry);
    this.#socket.disconnect();
  }

  async #join() {
    const attempt = ++this.#attempt;
    this.#joined = false;
    this.#earlyRoom = null;
    this.#earlySignals = [];
    try {
      const ack = await this.send("join", this.#options.join());
      if (this.#isCurrent(attempt)) this.#welcome(ack);
    } catch (error) {
      if (!(error instanceof RoomError)) throw error;
      if (!this.#isCurrent(attempt)) return;
      if (PASSING.has(error.code)) this.#connectLater();
      else this.#end(() => this.#options.onState("refused", error));
    }
  }

  /** @param {JoinAck} ack */
  #welcome(ack) {
    this.#joined = true;
    this.#failures = 0;
    const [room, signals] = [this.#earlyRoom, this.#earlySignals];
    this.#earlyRoom = null;
    this.#earlySignals = [];
    this.#options.onState("joined");
    this.#options.onJoined(ack);
    // They overtook the answer, but are newer than the room in it.
    if (room) this.#takeRoom(room);
    for (const signal of signals) this.#takeSignal(signal);
  }

  /** @param {RoomView} room */
  #takeRoom(room) {
    if (this.#closed) return;
    if (this.#joined) this.#options.onRoom(room);
    else this.#earlyRoom = room;
  }

  /** @param {SignalFrom} signal */
  #takeSignal(signal) {
    if (this.#closed) return;
    if (this.#joined) this.#options.onSignal(signal);
    else if (this.#earlySignals.length < MAX_EARLY_SIGNALS) this.#earlySignals.push(signal);
    else console.warn("a signal came before the seat was ours, and is dropped");
  }

  /** @param {string} reason */
  #lose(reason) {
    this.#attempt += 1;
    this.#joined = false;
    if (this.#closed) return;
    this.#options.onState("away");
    // Socket.IO connects again by itself, unless one of the two sides closed on purpose.
    if (reason === "io server disconnect") this.#connectLater();
  }

  /** @param {Error & {data?: {code?: string, message?: string}}} error */
  #fail(error) {
    if (this.#closed) return;
    const refusal = error.data?.code ? new RoomError(error.data.message ?? error.message, error.data.code) : null;
    if (refusal && !PASSING.has(refusal.code)) {
      this.#end(() => this.#options.onState("refused", refusal));
      return;
    }
    this.#options.onState("away");
    if (!this.#socket.active) this.#connectLater();
  }

  #connectLater() {
    clearTimeout(this.#retry);
    this.#attempt += 1;
    const pause = pauseAfter(this.#failures++, BACKOFF);
    this.#retry = setTimeout(() => {
      if (this.#closed) return;
      this.#socket.disconnect();
      this.#socket.connect();
    }, pause);
  }

  /** @param {() => void} last */
  #end(last) {
    if (this.#closed) return;
    this.close();
    last();
  }

  /** @param {number} attempt */
  #isCurrent(attempt) {
    return !this.#closed && attempt === this.#attempt;
  }
}
