// Tells the server that somebody watches, and hears how many do. No cookie, nothing that outlives
// the page: the name is drawn anew each time it is opened.

const BEAT_MILLISECONDS = 10_000;

/**
 * @typedef {{
 *   beat: (viewer: string, latency: number|null) => Promise<number>,
 *   leave: (viewer: string) => void,
 *   latency: () => number|null,
 *   onCount: (viewers: number) => void,
 * }} HeartbeatOptions
 */

export class Heartbeat {
  #options;
  #viewer = Array.from(crypto.getRandomValues(new Uint8Array(8)), (byte) => byte.toString(16).padStart(2, "0")).join("");
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #next;
  #isOn = false;

  /** @param {HeartbeatOptions} options */
  constructor(options) {
    this.#options = options;
    addEventListener("pagehide", () => this.#isOn && options.leave(this.#viewer));
  }

  /** Idempotent. */
  start() {
    if (this.#isOn) return;
    this.#isOn = true;
    this.#beat();
  }

  /** Idempotent. */
  stop() {
    if (!this.#isOn) return;
    this.#isOn = false;
    clearTimeout(this.#next);
    this.#options.leave(this.#viewer);
  }

  async #beat() {
    try {
      const viewers = await this.#options.beat(this.#viewer, this.#options.latency());
      if (this.#isOn) this.#options.onCount(viewers);
    } catch (error) {
      console.debug("not counted:", error);
    }
    // Not all at the same moment, as they would be after a restart of the server.
    const pause = BEAT_MILLISECONDS * (0.9 + 0.2 * Math.random());
    if (this.#isOn) this.#next = setTimeout(() => this.#beat(), pause);
  }
}
