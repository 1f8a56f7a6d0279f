// Two uplinks share one network: viewers come first, so the opponent's picture gives way.

/** @import { CameraLimits } from "./connection.js" */
/** @import { Leg } from "./network-health.js" */

/** @typedef {Pick<Leg, "health"|"starved"> & Partial<Pick<Leg, "sourceRate">>} WatchedLeg */

const WEAK_MILLISECONDS = 4000;
const GOOD_MILLISECONDS = 15_000;
const MOST_LOST_PERCENT = 5;
const LEAST_PICTURES = 15;

/**
 * What the opponent gets, from best to least; sound is never touched.
 *
 * @type {readonly CameraLimits[]}
 */
export const PEER_STEPS = [
  { maxBitrate: 1_200_000, maxFramerate: 30, height: 720 },
  { maxBitrate: 600_000, maxFramerate: 30, height: 360 },
  { maxBitrate: 300_000, maxFramerate: 20, height: 270 },
  { maxBitrate: 300_000, maxFramerate: 20, height: 270, off: true },
];

/** Plain rule, told the time: one step down after 4 s of a weak bridge leg, one up after 15 s of a good one. */
export class UplinkPriority {
  #onStep;
  #step = 0;
  /** @type {number|null} */
  #weakSince = null;
  /** @type {number|null} */
  #goodSince = null;

  /** @param {(limits: CameraLimits, step: number) => void} onStep at each change */
  constructor(onStep) {
    this.#onStep = onStep;
  }

  /** Index into PEER_STEPS. */
  get step() {
    return this.#step;
  }

  /**
   * @param {WatchedLeg|null} leg to the bridge; null: there is no broadcast, so
   *   nothing to give way to
   * @param {number} now milliseconds
   */
  take(leg, now) {
    if (!leg) {
      this.#weakSince = this.#goodSince = null;
      this.#go(0);
      return;
    }
    const isWeak = isWeakLeg(leg);
    const isGood = !isWeak && leg.health.health === "good";
    this.#weakSince = isWeak ? (this.#weakSince ?? now) : null;
    this.#goodSince = isGood ? (this.#goodSince ?? now) : null;
    if (this.#weakSince !== null && now - this.#weakSince >= WEAK_MILLISECONDS) {
      this.#weakSince = now;
      this.#go(this.#step + 1);
    } else if (this.#goodSince !== null && now - this.#goodSince >= GOOD_MILLISECONDS) {
      this.#goodSince = now;
      this.#go(this.#step - 1);
    }
  }

  /** @param {number} step */
  #go(step) {
    const limits = PEER_STEPS[step];
    if (!limits || step === this.#step) return;
    this.#step = step;
    this.#onStep(limits, step);
  }
}

/** @param {WatchedLeg} leg */
function isWeakLeg({ health, starved, sourceRate }) {
  // Not weak but away: less for the opponent would not bring it back.
  if (health.health === "lost") return false;
  const { lost_percent = 0, pictures_per_second = LEAST_PICTURES } = health;
  // Of a camera that gives few, or is asked for few, half of them is enough.
  const least = Math.min(LEAST_PICTURES, (sourceRate ?? Infinity) / 2);
  const stutters = pictures_per_second < least && health.health !== "good";
  return starved || lost_percent > MOST_LOST_PERCENT || stutters;
}
