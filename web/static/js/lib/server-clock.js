// The server's time: a viewer's own clock may be wrong by any amount.

const SAMPLES = 5;
const RENEW_MILLISECONDS = 60_000;
const RETRY_MILLISECONDS = 5000;

/**
 * One question and its answer, all in milliseconds.
 *
 * @typedef {{asked: number, answered: number, server: number}} Sample
 */

/**
 * What to add to this machine's time: from the sample with the shortest way, whose two halves can
 * differ the least (RFC 5905, clock filter).
 *
 * @param {Sample[]} samples at least one
 */
export function offsetOf(samples) {
  const best = samples.reduce((one, other) => (wayOf(other) < wayOf(one) ? other : one));
  return best.server - (best.asked + best.answered) / 2;
}

/** @param {Sample} sample */
function wayOf({ asked, answered }) {
  return answered - asked;
}

/** Measures until it is stopped. */
export class ServerClock {
  #ask;
  /** @type {number|null} */
  #offset = null;
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #next;
  #isStopped = false;

  /** @param {() => Promise<number>} ask the server's time, milliseconds since the epoch */
  constructor(ask) {
    this.#ask = ask;
  }

  /** Milliseconds since the epoch by the server's clock; by this machine's as long as none is known. */
  now() {
    return Date.now() + (this.#offset ?? 0);
  }

  /** Whether `now` is the server's. */
  get isKnown() {
    return this.#offset !== null;
  }

  async start() {
    /** @type {Sample[]} */
    const samples = [];
    try {
      for (let count = 0; count < SAMPLES; count++) {
        const asked = Date.now();
        const server = await this.#ask();
        samples.push({ asked, answered: Date.now(), server });
      }
      this.#offset = offsetOf(samples);
    } catch (error) {
      console.debug("the server's clock does not answer:", error);
    }
    const pause = samples.length === SAMPLES ? RENEW_MILLISECONDS : RETRY_MILLISECONDS;
    if (!this.#isStopped) this.#next = setTimeout(() => this.start(), pause);
  }

  stop() {
    this.#isStopped = true;
    clearTimeout(this.#next);
  }
}
