import assert from "node:assert/strict";
import { test } from "node:test";

import { offsetOf, ServerClock } from "../static/js/lib/server-clock.js";

test("the sample with the shortest way counts", () => {
  const slow = { asked: 1000, answered: 1900, server: 6800 };
  const quick = { asked: 2000, answered: 2020, server: 7010 };
  assert.equal(offsetOf([slow, quick, slow]), 5000);
});

test("a wrong clock of the viewer's does not matter", async () => {
  const clock = new ServerClock(async () => Date.now() + 3_600_000);
  assert.equal(clock.isKnown, false);
  await clock.start();
  clock.stop();
  assert.equal(clock.isKnown, true);
  assert.ok(Math.abs(clock.now() - Date.now() - 3_600_000) < 100);
});

test("a server that does not answer leaves the viewer's own time", async () => {
  const clock = new ServerClock(() => Promise.reject(new Error("away")));
  await clock.start();
  clock.stop();
  assert.ok(Math.abs(clock.now() - Date.now()) < 100);
});
