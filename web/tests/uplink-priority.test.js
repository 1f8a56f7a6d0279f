import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { PEER_STEPS, UplinkPriority } from "../static/js/lib/uplink-priority.js";

/** @import { LegHealth } from "../static/js/lib/messages.js" */
/** @import { WatchedLeg } from "../static/js/lib/uplink-priority.js" */

/** @param {Partial<LegHealth>} [health] @param {boolean} [starved] @returns {WatchedLeg} */
function leg(health = {}, starved = false) {
  return { health: { health: /** @type {const} */ ("good"), kbps: 1500, pictures_per_second: 30, ...health }, starved };
}

function newUplink() {
  /** @type {(number|undefined)[]} */
  const steps = [];
  const uplink = new UplinkPriority((limits, step) => {
    assert.equal(limits, PEER_STEPS[step]);
    steps.push(step);
  });
  /** One sample a second, both ends included. @param {ReturnType<typeof leg>|null} what @param {number} from @param {number} to */
  const feed = (what, from, to) => {
    for (let second = from; second <= to; second += 1) uplink.take(what, second * 1000);
  };
  return { uplink, steps, feed };
}

describe("two uplinks from one laptop", () => {
  it("takes from the opponent's picture what viewers lack, step by step, and never more", () => {
    const { steps, feed } = newUplink();
    feed(leg({ health: "fair" }, true), 0, 3);
    assert.deepEqual(steps, []);
    feed(leg({ health: "fair" }, true), 4, 40);
    assert.deepEqual(steps, [1, 2, 3]);
    assert.equal(PEER_STEPS[3]?.off, true);
  });

  for (const [name, weak] of /** @type {const} */ ([
    ["loses packets", leg({ health: "fair", lost_percent: 6 })],
    ["sends few pictures", leg({ health: "poor", pictures_per_second: 9 })],
  ])) {
    it(`counts a leg that ${name} as weak`, () => {
      const { steps, feed } = newUplink();
      feed(weak, 0, 4);
      assert.deepEqual(steps, [1]);
    });
  }

  it("lets a moment pass, and a camera that gives few pictures", () => {
    const { steps, feed } = newUplink();
    feed(leg({}, true), 0, 3);
    feed(leg(), 4, 4);
    feed(leg({}, true), 5, 8);
    feed(leg({ pictures_per_second: 8 }), 9, 20);
    assert.deepEqual(steps, []);
  });

  it("does not mind few pictures of a camera that is hardly shown", () => {
    const { steps, feed } = newUplink();
    feed({ ...leg({ health: "fair", pictures_per_second: 5 }), sourceRate: 5 }, 0, 40);
    assert.deepEqual(steps, []);
  });

  it("gives back one step after fifteen seconds of good health", () => {
    const { steps, feed } = newUplink();
    feed(leg({}, true), 0, 8);
    assert.deepEqual(steps, [1, 2]);
    feed(leg(), 9, 23);
    assert.deepEqual(steps, [1, 2]);
    feed(leg(), 24, 60);
    assert.deepEqual(steps, [1, 2, 1, 0]);
  });

  it("holds while the leg is away, and gives everything back without a broadcast", () => {
    const { steps, feed } = newUplink();
    feed(leg({}, true), 0, 4);
    feed(leg({ health: "lost", pictures_per_second: 0 }), 5, 60);
    assert.deepEqual(steps, [1]);
    feed(null, 61, 61);
    assert.deepEqual(steps, [1, 0]);
  });
});
