// Moments after which nothing that was connected can be trusted: another network, or a sleep.

const TICK_MILLISECONDS = 1000;
/** Timers of a page that sends sound run on time, also in the background. */
const GAP_MILLISECONDS = 5000;

/** @typedef {"network"|"sleep"} Interruption */

/**
 * `network`: the machine is on a network again, or on another one. `sleep`: no timer ran for more
 * than five seconds. Called until closed.
 */
export class Interruptions {
  #onInterruption;
  #stopping = new AbortController();
  #last = performance.now();
  #lastWall = Date.now();
  /** @type {ReturnType<typeof setInterval>|undefined} */
  #timer;

  /** @param {(what: Interruption) => void} onInterruption */
  constructor(onInterruption) {
    this.#onInterruption = onInterruption;
  }

  start() {
    const { signal } = this.#stopping;
    addEventListener("online", () => this.#onInterruption("network"), { signal });
    this.#followConnection(signal);
    this.#last = performance.now();
    this.#lastWall = Date.now();
    this.#timer = setInterval(() => this.#tick(), TICK_MILLISECONDS);
  }

  /** Idempotent. */
  close() {
    this.#stopping.abort();
    clearInterval(this.#timer);
  }

  #tick() {
    const [now, wall] = [performance.now(), Date.now()];
    // The monotonic clock of some systems stands still in a sleep; the wall clock may be set by hand.
    const gap = Math.max(now - this.#last, wall - this.#lastWall);
    this.#last = now;
    this.#lastWall = wall;
    if (gap > GAP_MILLISECONDS) this.#onInterruption("sleep");
  }

  /**
   * Wi-Fi to mobile without a moment offline. The event also comes when only an estimate changes.
   *
   * @param {AbortSignal} signal
   */
  #followConnection(signal) {
    const { connection } = /** @type {{connection?: EventTarget & {type?: string}}} */ (navigator);
    let type = connection?.type;
    connection?.addEventListener(
      "change",
      () => {
        const isOther = connection.type !== undefined && connection.type !== type;
        type = connection.type;
        if (isOther && type !== "none") this.#onInterruption("network");
      },
      { signal },
    );
  }
}
