// How fast a live programme is played, so that it stays as near to live as the network allows.
//
// What counts is the least that lay ready ahead of the picture lately: just before a part arrives it
// is the margin that saves the picture from stalling. More than the margin is latency for nothing,
// less is a risk. (hls.js's own control works only above a second of buffer, and keeps for good
// what it adds after a stall.)

/** @typedef {{rate: number, skip: number}} Step `skip`: seconds to leap forward at once, mostly 0 */

/** Speech sounds natural within these. */
const FASTEST = 1.1;
const SLOWEST = 0.96;
/** Per second too much or too little. */
const GAIN = 0.2;
const DEAD_BAND = 0.04;

const LEAST_MARGIN = 0.4;
const MOST_MARGIN = 1.5;
const STALL_COSTS = 0.2;
const CALM_SECONDS = 45;
const CALM_GIVES_BACK = 0.05;

/** Longer than from one part to the next, whatever the network does to them. */
const STEERING_SECONDS = 1.6;
/** So much too much for so long: nobody wants to hear a freeze played back faster for a minute. */
const LEAP_SECONDS = 1.2;
const LEAP_AFTER_SECONDS = 0.8;

/** Steers one playback. Pure: the time is what `step` is told. */
export class LatencyControl {
  #margin = LEAST_MARGIN;
  /** @type {{at: number, ahead: number}[]} */
  #samples = [];
  #calmSince = 0;

  /** Seconds that are to lie ready when the next part arrives. */
  get margin() {
    return this.#margin;
  }

  /**
   * What to do now; asked a few times a second.
   *
   * @param {number} at seconds on any clock that only goes forward
   * @param {number} ahead seconds that lie ready ahead of the picture
   * @returns {Step}
   */
  step(at, ahead) {
    this.#samples.push({ at, ahead });
    while (this.#samples[0].at < at - STEERING_SECONDS) this.#samples.shift();
    this.#rest(at);
    const leap = this.#least(at - LEAP_AFTER_SECONDS) - this.#margin;
    if (leap > LEAP_SECONDS && at - this.#samples[0].at >= LEAP_AFTER_SECONDS) {
      this.forget();
      return { rate: 1, skip: leap };
    }
    return { rate: this.#rate(this.#least(-Infinity) - this.#margin), skip: 0 };
  }

  /**
   * The picture stood still for want of a part.
   *
   * @param {number} at
   */
  stalled(at) {
    this.#margin = Math.min(MOST_MARGIN, this.#margin + STALL_COSTS);
    this.#calmSince = at;
  }

  /** Playback goes on elsewhere: what was measured there does not hold here. */
  forget() {
    this.#samples = [];
  }

  /** @param {number} at */
  #rest(at) {
    if (at - this.#calmSince < CALM_SECONDS) return;
    this.#calmSince = at;
    this.#margin = Math.max(LEAST_MARGIN, this.#margin - CALM_GIVES_BACK);
  }

  /** @param {number} since */
  #least(since) {
    return Math.min(...this.#samples.filter(({ at }) => at >= since).map(({ ahead }) => ahead));
  }

  /** @param {number} excess seconds */
  #rate(excess) {
    if (Math.abs(excess) < DEAD_BAND) return 1;
    return Math.min(FASTEST, Math.max(SLOWEST, 1 + GAIN * excess));
  }
}
