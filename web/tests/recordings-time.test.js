import assert from "node:assert/strict";
import { test } from "node:test";

import { clock, secondsOf } from "../static/js/pages/recordings-time.js";

test("times are read as they are written", () => {
  for (const [written, seconds] of /** @type {const} */ ([["0:30", 30], ["1:15.5", 75.5], ["1:01:15", 3675], ["90:00", 5400]])) {
    assert.equal(secondsOf(written), seconds);
  }
  for (const written of ["", "30", "1:5", "a:bc", "1:2:3:04"]) assert.ok(Number.isNaN(secondsOf(written)), written);
});

test("times are written short", () => {
  assert.deepEqual([0, 75, 3675].map(clock), ["0:00", "1:15", "1:01:15"]);
});
