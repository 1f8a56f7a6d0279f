// The HTTP API (PROTOCOL.md, HTTP API).

/** @import { Names, Phase, Side } from "./messages.js" */

/**
 * @typedef {{kind: string, name: string, url: string, bytes: number}} RecordingFile
 * @typedef {{
 *   id: string, room: string, motion: string, title: string, names: Names, started_at: number, duration: number|null,
 *   state: "recording"|"finishing"|"ready"|"failed", progress: number|null, bytes: number, files: RecordingFile[],
 *   access: "public"|"link"|"host", chapters: {at: number, title: string}[], mine: boolean, reason?: string,
 * }} Recording
 * @typedef {{
 *   id: string, motion: string, names: Names, phase: Phase, started_at: number|null,
 *   hls: string|null, dvr: string|null, vod: string|null, recordings: Recording[],
 * }} RoomState the playlists are null while there is nothing to play: live, from the beginning, afterwards
 * @typedef {{host: string, proposition: string, opposition: string, watch: string, hls: string}} Links
 * @typedef {{size: number, path: string}} QrDrawing an SVG path of the dark modules, in a square of `size` units
 * @typedef {Links & {qr: Record<"proposition"|"opposition"|"watch", QrDrawing>}} LinksWithCodes
 * @typedef {{url: string}|{platform: string, key: string}} NewDestination
 * @typedef {{motion: string, proposition: string, opposition: string, destinations: NewDestination[], isolated: boolean}} NewRoom
 * @typedef {{ok: boolean, state: string, detail: string, sent_bytes: number}} TrialReport
 * @typedef {{scene: string, side?: Side, transition: "cut"|"move", note: string}} SceneChoice
 */

const TIMEOUT_MILLISECONDS = 20_000;
const CLIP_MILLISECONDS = 240_000;
const TRIAL_MILLISECONDS = 40_000;

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

  /**
   * Lets a chapter of the recording begin at this moment.
   *
   * @param {string} id
   * @param {string} text
   */
  mark(id, text) {
    return this.#ask("POST", `rooms/${id}/markers`, { text });
  }

  /**
   * Pushes the programme there too.
   *
   * @param {string} id
   * @param {NewDestination} destination
   */
  addDestination(id, destination) {
    return this.#ask("POST", `rooms/${id}/destinations`, destination);
  }

  /**
   * @param {string} id
   * @param {string} destination
   */
  removeDestination(id, destination) {
    return this.#ask("DELETE", `rooms/${id}/destinations/${destination}`);
  }

  /**
   * Ends the pause before its next try.
   *
   * @param {string} id
   * @param {string} destination
   */
  retryDestination(id, destination) {
    return this.#ask("POST", `rooms/${id}/destinations/${destination}/retry`);
  }

  /**
   * Sends it a test card; the answer takes some seconds.
   *
   * @param {string} id
   * @param {string} destination
   * @returns {Promise<TrialReport>}
   */
  testDestination(id, destination) {
    return this.#ask("POST", `rooms/${id}/destinations/${destination}/test`, undefined, TRIAL_MILLISECONDS);
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
   * @param {string} id
   * @param {{title?: string, access?: string}} change
   * @returns {Promise<Recording>}
   */
  changeRecording(id, change) {
    return this.#ask("PATCH", `recordings/${id}`, change);
  }

  /** @param {string} id */
  deleteRecording(id) {
    return this.#ask("DELETE", `recordings/${id}`);
  }

  /**
   * Makes a clip of a recording; times in seconds.
   *
   * @param {string} id
   * @param {{begin: number, end: number, exact: boolean}} clip
   * @returns {Promise<RecordingFile>}
   */
  cutClip(id, clip) {
    return this.#ask("POST", `recordings/${id}/clips`, clip, CLIP_MILLISECONDS);
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {object} [body]
   * @param {number} [patience]
   */
  async #ask(method, path, body, patience = TIMEOUT_MILLISECONDS) {
    const headers = new Headers({ Accept: "application/json" });
    if (this.#token) headers.set("Authorization", `Bearer ${this.#token}`);
    if (body) headers.set("Content-Type", "application/json");
    let answer;
    try {
      answer = await fetch(`/api/v1/${path}`, {
        method,
        headers,
        body: body && JSON.stringify(body),
        signal: AbortSignal.timeout(patience),
      });
    } catch (error) {
      throw new ApiError(error instanceof Error ? error.message : String(error), 0, "unheard");
    }
    if (!answer.ok) throw await refusal(answer);
    return answer.status === 204 ? null : answer.json();
  }
}
