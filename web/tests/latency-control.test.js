import assert from "node:assert/strict";
import { test } from "node:test";

import { LatencyControl } from "../static/js/lib/latency-control.js";

const STEP = 0.1;
const PART = 0.4;

/**
 * Plays parts that arrive every 0.4 s, the first `ahead` seconds before they are needed.
 *
 * @param {LatencyControl} control
 * @param {{ahead: number, seconds: number, from?: number, late?: (part: number) => number}} options
 */
function play(control, { ahead, seconds, from = 0, late = () => 0 }) {
  let [buffered, stalls, skipped, part] = [ahead, 0, 0, 0];
  /** @type {number[]} */
  const rates = [];
  for (let time = 0; time < seconds; time += STEP) {
    while (time >= part * PART + late(part)) {
      buffered += PART;
      part += 1;
    }
    const { rate, skip } = control.step(from + time, buffered);
    rates.push(rate);
    skipped += skip;
    buffered -= skip + STEP * rate;
    if (buffered <= 0) {
      buffered = 0;
      stalls += 1;
      control.stalled(from + time);
    }
  }
  return { buffered, stalls, skipped, rates };
}

test("what lies ready for nothing is played away, gently", () => {
  const { buffered, stalls, skipped, rates } = play(new LatencyControl(), { ahead: 1.2, seconds: 40 });
  assert.equal(stalls, 0);
  assert.equal(skipped, 0);
  assert.ok(buffered < 0.9, `${buffered}`);
  assert.ok(Math.max(...rates) <= 1.1);
});

test("on a steady network it neither hurries nor stalls", () => {
  const { stalls, rates } = play(new LatencyControl(), { ahead: 0.45, seconds: 60 });
  assert.equal(stalls, 0);
  assert.ok(rates.slice(-100).every((rate) => Math.abs(rate - 1) < 0.03));
});

test("parts that come late are given time before the picture stalls again and again", () => {
  const late = (/** @type {number} */ part) => (part % 5 === 3 ? 0.5 : 0);
  const control = new LatencyControl();
  play(control, { ahead: 0.2, seconds: 60, late });
  const { stalls } = play(control, { ahead: 0.7, seconds: 60, from: 60, late });
  assert.equal(stalls, 0);
  assert.ok(control.margin < 1);
});

test("after a freeze it leaps instead of talking fast for a minute", () => {
  const control = new LatencyControl();
  const { buffered, skipped } = play(control, { ahead: 6, seconds: 5 });
  assert.ok(skipped > 4, `${skipped}`);
  assert.ok(buffered < 1.2, `${buffered}`);
});

test("a stall is forgiven after a while", () => {
  const control = new LatencyControl();
  control.stalled(0);
  const before = control.margin;
  play(control, { ahead: 0.9, seconds: 200 });
  assert.ok(control.margin < before);
  for (let stall = 0; stall < 50; stall++) control.stalled(stall);
  assert.equal(control.margin, 1.5);
});
