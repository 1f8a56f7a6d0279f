// The HTTP API (PROTOCOL.md, HTTP API).

/** @import { Names, Phase, Side } from "./messages.js" */

/**
 * @typedef {{kind: string, url: string, bytes: number}} RecordingFile
 * @typedef {{
 *   id: string, room: string, motion: string, names: Names, started_at: number, duration: number,
 *   state: "recording"|"finishing"|"ready"|"failed", files: RecordingFile[],
 * }} Recording
 * @typedef {{
 *   id: string, motion: string, names: Names, phase: Phase, started_at: number|null,
 *   hls: string|null, dvr: string|null, vod: string|null, recordings: Recording[],
 * }} RoomState the playlists are null while there is nothing to play: live, from the beginning, afterwards
 * @typedef {{host: string, proposition: string, opposition: string, watch: string, hls: string}} Links
 * @typedef {{size: number, path: string}} QrDrawing an SVG path of the dark modules, in a square of `size` units
 * @typedef {Links & {qr: Record<"proposition"|"opposition"|"watch", QrDrawing>}} LinksWithCodes
 * @typedef {{motion: string, proposition: string, opposition: string, destinations: string[], isolated: boolean}} NewRoom
 * @typedef {{scene: string, side?: Side, transition: "cut"|"move", note: string}} SceneChoice
 */

const TIMEOUT_MILLISECONDS = 20_000;

/** A request that failed. `status` is 0 when no answer came. */
export class ApiError extends Error {
  /**
   * @param {string} message the server's words
   * @param {number} status
   * @param {string} code
   */
  constructor(message, status, code) {
    super(message);
    this.name = "ApiError";
    this.status = status;
    this.code = code;
  }
}

/** @param {Response} answer */
async function refusal(answer) {
  const problem = await answer.json().catch(() => ({}));
  const words = problem.detail || problem.title || answer.statusText || String(answer.status);
  return new ApiError(words, answer.status, problem.code ?? "");
}

export class Api {
  #token;

  constructor(token = "") {
    this.#token = token;
  }

  /**
   * @param {NewRoom} body
   * @returns {Promise<{id: string, host_token: string, links: Links}>}
   */
  createRoom(body) {
    return this.#ask("POST", "rooms", body);
  }

  /**
   * @param {string} id
   * @returns {Promise<RoomState>}
   */
  room(id) {
    return this.#ask("GET", `rooms/${id}`);
  }

  /**
   * @param {string} id
   * @returns {Promise<LinksWithCodes>}
   */
  links(id) {
    return this.#ask("GET", `rooms/${id}/links`);
  }

  /** @param {string} id */
  start(id) {
    return this.#ask("POST", `rooms/${id}/start`);
  }

  /** @param {string} id */
  stop(id) {
    return this.#ask("POST", `rooms/${id}/stop`);
  }

  /** @param {string} id */
  rehearse(id) {
    return this.#ask("POST", `rooms/${id}/rehearse`);
  }

  /**
   * Lets the programme show this from now on.
   *
   * @param {string} id
   * @param {SceneChoice} choice
   */
  chooseScene(id, choice) {
    return this.#ask("PUT", `rooms/${id}/scene`, choice);
  }

  /** The server's time, milliseconds since the epoch. */
  async time() {
    const { now } = await this.#ask("GET", "time");
    return now * 1000;
  }

  /**
   * Says that somebody watches.
   *
   * @param {string} id
   * @param {string} viewer
   * @param {number|null} latency seconds behind the debate
   * @returns {Promise<number>} how many do
   */
  async watching(id, viewer, latency) {
    const { viewers } = await this.#ask("POST", `rooms/${id}/viewers`, { viewer, latency });
    return viewers;
  }

  /**
   * Says that somebody no longer watches; also while the page goes away.
   *
   * @param {string} id
   * @param {string} viewer
   */
  notWatching(id, viewer) {
    const body = new Blob([JSON.stringify({ viewer, leaving: true })], { type: "application/json" });
    navigator.sendBeacon(`/api/v1/rooms/${id}/viewers`, body);
  }

  /** @returns {Promise<Recording[]>} */
  recordings() {
    return this.#ask("GET", "recordings");
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {object} [body]
   */
  async #ask(method, path, body) {
    const headers = new Headers({ Accept: "application/json" });
    if (this.#token) headers.set("Authorization", `Bearer ${this.#token}`);
    if (body) headers.set("Content-Type", "application/json");
    let answer;
    try {
      answer = await fetch(`/api/v1/${path}`, {
        method,
        headers,
        body: body && JSON.stringify(body),
        signal: AbortSignal.timeout(TIMEOUT_MILLISECONDS),
      });
    } catch (error) {
      throw new ApiError(error instanceof Error ? error.message : String(error), 0, "unheard");
    }
    if (!answer.ok) throw await refusal(answer);
    return answer.status === 204 ? null : answer.json();
  }
}
