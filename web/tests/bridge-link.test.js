import assert from "node:assert/strict";
import { beforeEach, describe, it, mock } from "node:test";

import { BridgeLink } from "../static/js/lib/bridge-link.js";
import { Bench, FakeTrack, settle } from "./fake-rtc.js";
import { ackFor, roomWith } from "./rooms.js";

const ACK = ackFor("proposition", "pro-1");
const ON = roomWith([], { bridge_session: "bridge-1" });

mock.method(console, "info", () => {});
beforeEach(() => mock.timers.reset());

function newLink() {
  const bench = new Bench();
  return { bench, link: new BridgeLink(bench.options) };
}

describe("the leg to the bridge", () => {
  it("offers three sendonly m-lines while there is a bridge", async () => {
    const { bench, link } = newLink();
    link.follow(roomWith([]), ACK);
    assert.equal(bench.connections.length, 0);
    link.follow(ON, ACK);
    await settle();
    assert.ok(bench.pc.transceivers.every(({ direction }) => direction === "sendonly"));
    assert.deepEqual(bench.signals, [
      { to: "bridge", session: "bridge-1", link: "pro-1.1", description: { type: "offer", sdp: "offer of us" } },
    ]);
    link.close();
  });

  it("sends about 540 lines of a camera of 1080", async () => {
    const { bench, link } = newLink();
    bench.tracks.camera = new FakeTrack("video", 1080);
    link.follow(ON, ACK);
    await settle();
    link.take(/** @type {any} */ ({
      from: "bridge", session: "bridge-1", link: "pro-1.1", description: { type: "answer", sdp: "answer" },
    }));
    await settle();
    const [microphone, camera, screen] = bench.pc.transceivers.map(({ sender }) => sender.parameters.encodings[0]);
    const first = { priority: "high", networkPriority: "high" };
    assert.deepEqual(microphone, first);
    assert.deepEqual(camera, {
      ...first, maxBitrate: 1_500_000, maxFramerate: 30, active: true, scaleResolutionDownBy: 2,
    });
    assert.deepEqual(screen, { ...first, maxBitrate: 1_500_000, active: false });
    link.close();
  });

  it("sends what fills the tiles, also of another track and on the next connection", async () => {
    const { bench, link } = newLink();
    bench.tracks.camera = new FakeTrack("video", 720);
    link.follow(ON, ACK);
    await settle();
    const encoding = (/** @type {number} */ index) => bench.pc.transceivers[index]?.sender.parameters.encodings[0];
    const camera = { width: 618, height: 466, fit: "cover", frameRate: 25, bitRate: 1_294_000 };
    const want = (/** @type {string} */ name, /** @type {object} */ wanted) =>
      link.take(/** @type {any} */ ({ from: "bridge", session: "bridge-1", link: name, wanted }));
    want("pro-1.0", { camera: { ...camera, height: 20 } });
    await settle();
    assert.equal(encoding(1)?.maxBitrate, 1_500_000, "of an older connection");

    const first = { priority: "high", networkPriority: "high" };
    const filled = { ...first, active: true, maxFramerate: 25, maxBitrate: 1_294_000 };
    want("pro-1.1", { camera });
    await settle();
    assert.deepEqual(encoding(0), first);
    assert.deepEqual(encoding(1), { ...filled, scaleResolutionDownBy: 720 / 466 });
    assert.deepEqual(encoding(2), {
      ...first, active: false, maxFramerate: 5, maxBitrate: 100_000, scaleResolutionDownBy: 1,
    });
    await link.replaceTrack("camera", /** @type {any} */ (new FakeTrack("video", 1080)));
    assert.deepEqual(encoding(1), { ...filled, scaleResolutionDownBy: 1080 / 466 });
    bench.pc.becomes("connected");
    link.take(/** @type {any} */ ({ from: "bridge", session: "bridge-1", link: "pro-1.1", rejoin: true }));
    await settle();
    assert.equal(bench.connections.length, 2);
    assert.deepEqual(encoding(1), { ...filled, scaleResolutionDownBy: 720 / 466 });
    link.close();
  });

  it("follows a phone that is turned", async (context) => {
    context.mock.timers.enable({ apis: ["setInterval"] });
    const { bench, link } = newLink();
    const track = (bench.tracks.camera = new FakeTrack("video", 720));
    link.follow(ON, ACK);
    await settle();
    const camera = { width: 618, height: 466, fit: "cover", frameRate: 30, bitRate: 1_294_000 };
    link.take(/** @type {any} */ ({ from: "bridge", session: "bridge-1", link: "pro-1.1", wanted: { camera } }));
    await settle();
    const sender = bench.pc.transceivers[1]?.sender;
    assert.equal(sender?.parameters.encodings[0]?.scaleResolutionDownBy, 720 / 466);
    context.mock.method(track, "getSettings", () => ({ width: 720, height: 1280 }));
    context.mock.timers.tick(1000);
    await settle();
    assert.equal(sender?.parameters.encodings[0]?.scaleResolutionDownBy, 720 / 618);
    link.close();
  });

  it("survives a browser that refuses the parameters", async (context) => {
    const warn = context.mock.method(console, "warn", () => {});
    const { bench, link } = newLink();
    bench.tracks.camera = new FakeTrack("video", 720);
    link.follow(ON, ACK);
    await settle();
    const sender = bench.pc.transceivers[1]?.sender;
    assert.ok(sender);
    sender.refuses = true;
    const camera = { width: 618, height: 466, fit: "cover", frameRate: 30, bitRate: 1_294_000 };
    const want = () =>
      link.take(/** @type {any} */ ({ from: "bridge", session: "bridge-1", link: "pro-1.1", wanted: { camera } }));
    want();
    await settle();
    assert.match(String(warn.mock.calls[0]?.arguments), /camera not limited/);
    sender.refuses = false;
    want();
    await settle();
    assert.equal(sender.parameters.encodings[0]?.maxBitrate, 1_294_000);
    assert.equal(bench.connections.length, 1);
    link.close();
  });

  it("makes the next connection at once when the bridge gets nothing on this one", async () => {
    const { bench, link } = newLink();
    link.follow(ON, ACK);
    await settle();
    bench.pc.becomes("connected");
    const rejoin = { from: "bridge", session: "bridge-1", rejoin: true };
    link.take(/** @type {any} */ ({ ...rejoin, link: "pro-1.0" }));
    assert.equal(bench.connections.length, 1, "of an older connection");
    link.take(/** @type {any} */ ({ ...rejoin, link: "pro-1.1" }));
    await settle();
    assert.equal(bench.signals.at(-1).link, "pro-1.2");
    assert.deepEqual(bench.connections.map(({ closings }) => closings), [1, 0]);
    link.close();
  });

  it("says why the bridge refused an offer, and tries again after a pause", async () => {
    mock.timers.enable({ apis: ["setTimeout"] });
    const bench = new Bench();
    /** @type {string[]} */
    const refusals = [];
    const link = new BridgeLink({ ...bench.options, onRefusal: (message) => refusals.push(message) });
    link.follow(ON, ACK);
    await settle();
    const refusal = { code: "udp_ports", message: "No free UDP port." };
    link.take(/** @type {any} */ ({ from: "bridge", session: "bridge-1", link: "pro-1.1", refusal }));
    assert.deepEqual(refusals, ["No free UDP port."]);
    assert.equal(bench.connections.length, 1);
    mock.timers.tick(1000);
    await settle();
    assert.equal(bench.signals.at(-1).link, "pro-1.2");
    link.close();
  });

  it("uses a new number for a new bridge, also after a time without one", async () => {
    const { bench, link } = newLink();
    link.follow(ON, ACK);
    await settle();
    link.follow(roomWith([]), ACK);
    assert.equal(bench.pc.closings, 1);
    assert.equal(bench.states.at(-1), "absent");
    link.follow(roomWith([], { bridge_session: "bridge-2" }), ACK);
    await settle();
    assert.equal(bench.signals.at(-1).link, "pro-1.2");
    assert.equal(bench.signals.at(-1).session, "bridge-2");
    link.close();
  });

  it("waits longer after each failure, and no longer once it was connected", async () => {
    mock.timers.enable({ apis: ["setTimeout"] });
    mock.method(Math, "random", () => 1);
    const { bench, link } = newLink();
    link.follow(ON, ACK);
    bench.pc.becomes("failed");
    mock.timers.tick(500);
    assert.equal(bench.connections.length, 2);
    bench.pc.becomes("failed");
    mock.timers.tick(500);
    assert.equal(bench.connections.length, 2);
    mock.timers.tick(500);
    assert.equal(bench.connections.length, 3);
    bench.pc.becomes("connected");
    bench.pc.becomes("disconnected");
    mock.timers.tick(3000);
    mock.timers.tick(500);
    assert.equal(bench.connections.length, 4);
    link.close();
    mock.restoreAll();
  });

  it("does not come back after close", async () => {
    mock.timers.enable({ apis: ["setTimeout"] });
    const { bench, link } = newLink();
    link.follow(ON, ACK);
    bench.pc.becomes("failed");
    link.close();
    mock.timers.tick(10_000);
    assert.equal(bench.connections.length, 1);
  });
});

describe("the first seconds of a connection", () => {
  it("keep the picture's size, and its movement from then on", async () => {
    mock.timers.enable({ apis: ["setTimeout"] });
    const { bench, link } = newLink();
    bench.tracks.camera = new FakeTrack("video", 540);
    link.follow(ON, ACK);
    await settle();
    /** @returns {any} */
    const preference = () => /** @type {any} */ (bench.pc.transceivers[1]?.sender.parameters).degradationPreference;
    bench.pc.becomes("connected");
    assert.equal(preference(), "maintain-resolution");
    mock.timers.tick(1500);
    await settle();
    assert.equal(preference(), "maintain-framerate");

    const wanted = {};
    link.take(/** @type {any} */ ({ from: "bridge", session: "bridge-1", link: "pro-1.1", wanted }));
    await settle();
    assert.equal(preference(), "maintain-resolution", "of another size too");
    mock.timers.tick(1500);
    await settle();
    assert.equal(preference(), "maintain-framerate");
    link.close();
  });
});
