import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { HealthReports, SteadyHealth, judge, snapshotOf } from "../static/js/lib/network-health.js";

/** @import { NetworkHealth } from "../static/js/lib/messages.js" */
/** @import { Leg, Snapshot } from "../static/js/lib/network-health.js" */

/** @type {Snapshot} */
const START = {
  at: 0, connected: true, cameraOn: true, bytesSent: 0, bytesReceived: 0, picturesSent: 0, picturesReceived: 0,
  sourceRate: 30, roundTrip: 0.04, lost: 0, limitation: "none", enoughKbps: 900,
};
/** A second later: 1.4 Mb/s and 30 pictures. @param {Partial<Snapshot>} [rest] @returns {Snapshot} */
function later(rest = {}) {
  return { ...START, at: 1000, bytesSent: 175_000, bytesReceived: 100_000, picturesSent: 30, picturesReceived: 30, ...rest };
}

/** @param {Partial<Snapshot>} rest */
const wordFor = (rest) => judge(START, later(rest)).health.health;

describe("the health of a leg", () => {
  it("is what happened between two snapshots", () => {
    assert.deepEqual(judge(START, later({ lost: 0.0123 })), {
      health: { health: "good", kbps: 1400, round_trip_ms: 40, lost_percent: 1.2, pictures_per_second: 30 },
      starved: false,
      sourceRate: 30,
      sounds: true,
      pictures: true,
    });
  });

  it("is lost when nothing is connected", () => {
    assert.equal(wordFor({ connected: false }), "lost");
    assert.equal(judge(null, { ...START, connected: false }).health.health, "lost");
  });

  it("follows loss, round trip and pictures that do not leave", () => {
    assert.equal(wordFor({ lost: 0.03 }), "good");
    assert.equal(wordFor({ lost: 0.05 }), "fair");
    assert.equal(wordFor({ lost: 0.1 }), "poor");
    assert.equal(wordFor({ roundTrip: 0.4 }), "fair");
    assert.equal(wordFor({ roundTrip: 0.7 }), "poor");
    assert.equal(wordFor({ picturesSent: 20 }), "fair");
    assert.equal(wordFor({ picturesSent: 12 }), "poor");
  });

  it("does not blame the network for a dark room, a busy processor or a camera that is off", () => {
    assert.equal(wordFor({ picturesSent: 8, sourceRate: 8 }), "good");
    assert.equal(wordFor({ picturesSent: 8, limitation: "cpu" }), "good");
    const dark = judge(START, later({ picturesSent: 0, bytesSent: 4000, cameraOn: false, limitation: "bandwidth" }));
    assert.equal(dark.health.health, "good");
    assert.equal(dark.health.pictures_per_second, undefined);
    assert.equal(dark.starved, false);
  });

  it("is weak where the network holds the camera back", () => {
    assert.equal(wordFor({ limitation: "bandwidth" }), "good", "enough gets through");
    assert.equal(wordFor({ limitation: "bandwidth", bytesSent: 60_000 }), "fair");
    assert.equal(wordFor({ limitation: "bandwidth", bytesSent: 20_000 }), "poor");
  });

  it("tells that nothing, or sound only, comes back", () => {
    const silent = judge(START, later({ bytesReceived: 0, picturesReceived: 0 }));
    assert.deepEqual([silent.sounds, silent.pictures], [false, false]);
    const sound = judge(START, later({ picturesReceived: 0 }));
    assert.deepEqual([sound.sounds, sound.pictures], [true, false]);
  });

  it("has no rate at the first look at a connection", () => {
    assert.deepEqual(judge(null, START).health, { health: "good", kbps: 0 });
  });
});

describe("a snapshot", () => {
  const known = { at: 5, connected: true, cameraOn: true, cameraMid: "1" };
  const stats = [
    { type: "outbound-rtp", id: "a", kind: "audio", mid: "0", bytesSent: 10, packetsSent: 50 },
    { type: "outbound-rtp", id: "c", kind: "video", mid: "1", bytesSent: 100, packetsSent: 150, framesSent: 7,
      qualityLimitationReason: "bandwidth", mediaSourceId: "m" },
    { type: "outbound-rtp", id: "s", kind: "video", mid: "2", bytesSent: 1000, packetsSent: 0, framesSent: 3 },
    { type: "remote-inbound-rtp", localId: "a", fractionLost: 0.4, roundTripTime: 0.05 },
    { type: "remote-inbound-rtp", localId: "c", fractionLost: 0, roundTripTime: 0.06 },
    { type: "inbound-rtp", kind: "video", bytesReceived: 5, framesReceived: 2 },
    { type: "media-source", id: "m", framesPerSecond: 29 },
    { type: "candidate-pair", nominated: true, state: "succeeded", currentRoundTripTime: 0.03 },
  ];

  it("adds up the streams, and takes pictures of the camera alone", () => {
    assert.deepEqual(snapshotOf(stats, known), {
      at: 5, connected: true, cameraOn: true, bytesSent: 1110, bytesReceived: 5, picturesSent: 7,
      picturesReceived: 2, sourceRate: 29, roundTrip: 0.06, lost: 0.1, limitation: "bandwidth", enoughKbps: 900,
    });
  });

  it("expects no more than the camera is asked for", () => {
    const small = snapshotOf(stats, { ...known, limits: { maxFramerate: 5, maxBitrate: 100_000 } });
    assert.deepEqual([small.sourceRate, small.enoughKbps], [5, 60]);
    const hidden = judge(START, later({ ...small, at: 1000, bytesSent: 12_000, picturesSent: 5, lost: 0 }));
    assert.deepEqual([hidden.health.health, hidden.starved, hidden.sourceRate], ["good", false, 5]);
  });

  it("takes the path's round trip until a report has come, and knows no loss", () => {
    const early = snapshotOf(stats.filter(({ type }) => type !== "remote-inbound-rtp"), known);
    assert.deepEqual([early.roundTrip, early.lost], [0.03, null]);
  });
});

describe("the word that people see", () => {
  /** @param {NetworkHealth[]} words */
  const shown = (words) => {
    const steady = new SteadyHealth();
    return words.map((word) => steady.take(word)).join(" ");
  };

  it("changes when a change has been seen three times", () => {
    assert.equal(shown(["poor", "good", "poor", "poor", "poor", "good", "good", "good"]),
      "good good good good poor poor poor good");
  });

  it("says at once that a connection is lost, and back", () => {
    assert.equal(shown(["good", "lost", "good"]), "good lost good");
  });
});

describe("reports to the server", () => {
  /** @param {NetworkHealth} word @returns {Leg} */
  const leg = (word) => ({ health: { health: word, kbps: 1 }, starved: false, sourceRate: 30, sounds: true, pictures: true });

  it("are sent at a change of a word, and every ten seconds", () => {
    const reports = new HealthReports();
    const good = { bridge: leg("good"), peer: null };
    assert.deepEqual(reports.take(good, 0), { bridge: { health: "good", kbps: 1 } });
    assert.equal(reports.take(good, 9000), null);
    assert.ok(reports.take(good, 10_000));
    assert.deepEqual(reports.take({ bridge: leg("good"), peer: leg("poor") }, 11_000), {
      bridge: { health: "good", kbps: 1 }, peer: { health: "poor", kbps: 1 },
    });
    reports.forget();
    assert.ok(reports.take({ bridge: leg("good"), peer: leg("poor") }, 11_001));
  });
});
