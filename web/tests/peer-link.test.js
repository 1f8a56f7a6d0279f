import assert from "node:assert/strict";
import { beforeEach, describe, it, mock } from "node:test";

import { PeerLink } from "../static/js/lib/peer-link.js";
import { Bench, FakeTrack, settle } from "./fake-rtc.js";
import { ackFor, participant, roomWith } from "./rooms.js";

const ROOM = roomWith([participant("proposition", "pro-1"), participant("opposition", "opp-1")]);
const LINK = "pro-1~opp-1.1";
const OFFER = { type: "offer", sdp: "offer of them" };
const ANSWER = { type: "answer", sdp: "answer of them" };

mock.method(console, "info", () => {});
mock.method(console, "warn", () => {});

/** @param {"proposition"|"opposition"} seat */
function linkOf(seat) {
  const bench = new Bench();
  const link = new PeerLink(bench.options);
  const ack = ackFor(seat, seat === "proposition" ? "pro-1" : "opp-1");
  /** @param {any} step @param {string} [name] */
  const take = async (step, name = LINK) => {
    const from = seat === "proposition" ? "opposition" : "proposition";
    link.take(/** @type {any} */ ({ from, session: "theirs", link: name, ...step }));
    await settle();
  };
  return { bench, link, ack, take };
}

/** @param {string} candidate */
function candidate(candidate) {
  return { candidate: { candidate, sdpMid: "0", sdpMLineIndex: 0 } };
}

beforeEach(() => mock.timers.reset());

describe("the opposition", () => {
  it("creates three transceivers in order and offers on link 1", async () => {
    const { bench, link, ack } = linkOf("opposition");
    bench.tracks.camera = new FakeTrack("video", 720);
    link.follow(ROOM, ack);
    await settle();
    assert.deepEqual(bench.pc.transceivers.map(({ receiver }) => receiver.track.kind), ["audio", "video", "video"]);
    assert.ok(bench.pc.transceivers.every(({ direction }) => direction === "sendrecv"));
    assert.equal(bench.pc.transceivers[1]?.sender.track, bench.tracks.camera);
    assert.deepEqual(bench.signals, [
      { to: "proposition", session: "pro-1", link: LINK, description: { type: "offer", sdp: "offer of us" } },
    ]);
    link.close();
  });

  it("ignores an offer that crosses its own, and takes the answer to it", async () => {
    const { bench, link, ack, take } = linkOf("opposition");
    link.follow(ROOM, ack);
    await settle();
    await take({ description: OFFER });
    assert.equal(bench.pc.signalingState, "have-local-offer");
    await take({ description: ANSWER });
    assert.equal(bench.pc.signalingState, "stable");
    assert.equal(bench.signals.length, 1);
    link.close();
  });

  it("ignores what belongs to another link", async () => {
    const { bench, link, ack, take } = linkOf("opposition");
    link.follow(ROOM, ack);
    await settle();
    await take({ description: ANSWER }, "pro-0~opp-1.1");
    await take({ description: ANSWER }, "pro-1~opp-1.2");
    assert.equal(bench.pc.signalingState, "have-local-offer");
    link.close();
  });

  it("starts link 2 with a new connection when one has failed", async () => {
    mock.timers.enable({ apis: ["setTimeout"] });
    const { bench, link, ack } = linkOf("opposition");
    link.follow(ROOM, ack);
    await settle();
    const first = bench.pc;
    first.becomes("failed");
    mock.timers.tick(500);
    await settle();
    assert.equal(first.closings, 1);
    assert.equal(bench.connections.length, 2);
    assert.equal(bench.signals.at(-1).link, "pro-1~opp-1.2");
    link.close();
  });

  it("gives a disconnected connection five seconds", async () => {
    mock.timers.enable({ apis: ["setTimeout"] });
    const { bench, link, ack } = linkOf("opposition");
    link.follow(ROOM, ack);
    await settle();
    bench.pc.becomes("connected");
    bench.pc.becomes("disconnected");
    mock.timers.tick(4900);
    bench.pc.becomes("connected");
    mock.timers.tick(10_000);
    assert.equal(bench.connections.length, 1);
    bench.pc.becomes("disconnected");
    mock.timers.tick(5000);
    mock.timers.tick(500);
    assert.equal(bench.connections.length, 2);
    link.close();
  });

  it("starts anew when nobody answers", async () => {
    mock.timers.enable({ apis: ["setTimeout"] });
    const { bench, link, ack } = linkOf("opposition");
    link.follow(ROOM, ack);
    mock.timers.tick(15_000);
    mock.timers.tick(500);
    assert.equal(bench.connections.length, 2);
    link.close();
  });

  it("counts from 1 again with a new session of the opponent", async () => {
    const { bench, link, ack } = linkOf("opposition");
    link.follow(ROOM, ack);
    await settle();
    link.follow(roomWith([participant("proposition", "pro-2"), participant("opposition", "opp-1")]), ack);
    await settle();
    assert.equal(bench.connections[0]?.closings, 1);
    assert.equal(bench.signals.at(-1).link, "pro-2~opp-1.1");
    link.close();
  });

  it("keeps the connection when a room says nothing new", async () => {
    const { bench, link, ack } = linkOf("opposition");
    link.follow(ROOM, ack);
    link.follow(structuredClone(ROOM), ack);
    assert.equal(bench.connections.length, 1);
    link.close();
  });
});

describe("the proposition", () => {
  it("creates its side with the first offer and answers with its tracks in order", async () => {
    const { bench, link, ack, take } = linkOf("proposition");
    bench.tracks.microphone = new FakeTrack("audio");
    link.follow(ROOM, ack);
    await settle();
    assert.equal(bench.connections.length, 0);
    await take({ description: OFFER });
    assert.deepEqual(bench.pc.transceivers.map(({ sender }) => sender.track), [bench.tracks.microphone, null, null]);
    assert.ok(bench.pc.transceivers.every(({ direction }) => direction === "sendrecv"));
    assert.equal(bench.received.length, 3);
    assert.deepEqual(bench.signals.at(-1).description, { type: "answer", sdp: "answer of us" });
    assert.equal(bench.signals.at(-1).to, "opposition");
    link.close();
  });

  it("yields to an offer that crosses its own", async () => {
    const { bench, link, ack, take } = linkOf("proposition");
    link.follow(ROOM, ack);
    await take({ description: OFFER });
    await bench.pc.onnegotiationneeded();
    assert.equal(bench.pc.signalingState, "have-local-offer");
    await take({ description: OFFER });
    assert.equal(bench.pc.signalingState, "stable");
    assert.equal(bench.signals.at(-1).description.type, "answer");
    link.close();
  });

  it("keeps candidates until the description is set, and holds none back for another", async () => {
    const { bench, link, ack, take } = linkOf("proposition");
    link.follow(ROOM, ack);
    /** @type {() => void} */
    let open = () => {};
    const gate = new Promise((resolve) => (open = () => resolve(undefined)));
    const { create } = bench.options;
    const gated = new PeerLink({ ...bench.options, create: (/** @type {any} */ configuration) => Object.assign(create(configuration), { gate }) });
    gated.follow(ROOM, ack);
    const give = (/** @type {any} */ step) =>
      gated.take(/** @type {any} */ ({ from: "opposition", session: "opp-1", link: LINK, ...step }));
    give({ description: OFFER });
    give(candidate("candidate:1 x.local"));
    give(candidate("candidate:2 10.0.0.1"));
    await settle();
    assert.equal(bench.pc.candidates.length, 0);
    open();
    await settle();
    give(candidate("candidate:3 10.0.0.2"));
    assert.deepEqual(
      bench.pc.candidates.map((each) => each.candidate),
      ["candidate:1 x.local", "candidate:2 10.0.0.1", "candidate:3 10.0.0.2"],
    );
    await take(candidate("candidate:4 10.0.0.3"), "pro-1~opp-0.1");
    assert.equal(bench.pc.candidates.length, 3);
    gated.close();
    link.close();
  });

  it("skips the empty candidate", async () => {
    const { bench, link, ack, take } = linkOf("proposition");
    link.follow(ROOM, ack);
    await take({ description: OFFER });
    await take(candidate(""));
    assert.equal(bench.pc.candidates.length, 0);
    link.close();
  });

  it("lets a higher number win and ignores what comes late of a lower", async () => {
    const { bench, link, ack, take } = linkOf("proposition");
    link.follow(ROOM, ack);
    await take({ description: OFFER });
    await take({ description: OFFER }, "pro-1~opp-1.2");
    assert.equal(bench.connections[0]?.closings, 1);
    await take({ description: OFFER }, LINK);
    assert.equal(bench.connections.length, 2);
    link.close();
  });

  it("answers nothing when it is closed while it takes the offer", async () => {
    const bench = new Bench();
    /** @type {() => void} */
    let open = () => {};
    const gate = new Promise((resolve) => (open = () => resolve(undefined)));
    const { create } = bench.options;
    const link = new PeerLink({ ...bench.options, create: (/** @type {any} */ configuration) => Object.assign(create(configuration), { gate }) });
    link.follow(ROOM, ackFor("proposition", "pro-1"));
    link.take(/** @type {any} */ ({ from: "opposition", session: "opp-1", link: LINK, description: OFFER }));
    const states = bench.states.length;
    link.close();
    link.close();
    open();
    await settle();
    assert.equal(bench.pc.closings, 1);
    assert.deepEqual(bench.signals, []);
    assert.equal(bench.states.length, states);
  });

  it("gives up a connection whose offer is no SDP and waits for the next", async () => {
    const { bench, link, ack, take } = linkOf("proposition");
    link.follow(ROOM, ack);
    await take({ description: { type: "offer", sdp: "nonsense" } });
    assert.equal(bench.pc.closings, 1);
    assert.equal(bench.states.at(-1), "connecting");
    await take({ description: OFFER }, "pro-1~opp-1.2");
    assert.equal(bench.signals.at(-1).description.type, "answer");
    link.close();
  });

  it("limits the camera after the answer, also of a later track", async () => {
    const { bench, link, ack, take } = linkOf("proposition");
    link.follow(ROOM, ack);
    await take({ description: OFFER });
    assert.equal(bench.pc.transceivers[1]?.sender.parameters.encodings[0]?.maxBitrate, 1_200_000);
    const track = /** @type {any} */ (new FakeTrack("video", 720));
    await link.replaceTrack("camera", track);
    assert.equal(bench.pc.transceivers[1]?.sender.track, track);
    link.close();
  });
});

describe("two debaters who lose only the server", () => {
  const AGAIN = roomWith([participant("proposition", "pro-2"), participant("opposition", "opp-1")]);

  /** The opposition, connected, has joined anew as opp-2. */
  async function rejoined() {
    const bench = new Bench();
    const link = new PeerLink(bench.options);
    link.follow(ROOM, ackFor("opposition", "opp-1"));
    await settle();
    const first = bench.pc;
    first.becomes("connected");
    const received = bench.received;
    const ack = ackFor("opposition", "opp-2");
    link.follow(roomWith([]), ack);
    return { bench, link, first, received, ack };
  }

  it("go on seeing each other until the next connection is there", async () => {
    const { bench, link, first, received, ack } = await rejoined();
    link.follow(AGAIN, ack);
    await settle();
    assert.equal(first.closings, 0);
    assert.equal(bench.states.at(-1), "connected");
    assert.equal(bench.received, received);
    assert.equal(link.pc, /** @type {any} */ (first));
    bench.pc.becomes("connected");
    assert.equal(first.closings, 1);
    assert.notEqual(bench.received, received);
    assert.equal(bench.states.at(-1), "connected");
    link.close();
  });

  it("do not go on when the opponent does not come back", async () => {
    mock.timers.enable({ apis: ["setTimeout"] });
    const { bench, link, first } = await rejoined();
    mock.timers.tick(7999);
    assert.equal(first.closings, 0);
    mock.timers.tick(1);
    assert.equal(first.closings, 1);
    assert.equal(bench.states.at(-1), "absent");
    link.close();
  });

  it("do not go on with a connection that fails", async () => {
    const { bench, link, first } = await rejoined();
    first.becomes("failed");
    assert.equal(first.closings, 1);
    assert.equal(bench.states.at(-1), "absent");
    link.close();
  });

  it("keep the limits that the weak network has set", async () => {
    const { bench, link, ack } = await rejoined();
    await link.limit({ maxBitrate: 300_000, maxFramerate: 20, off: true });
    link.follow(AGAIN, ack);
    await settle();
    link.take(/** @type {any} */ ({
      from: "proposition", session: "pro-2", link: "pro-2~opp-2.1", description: { type: "answer", sdp: "answer" },
    }));
    await settle();
    const [encoding] = bench.pc.transceivers[1]?.sender.parameters.encodings ?? [];
    assert.equal(encoding?.maxBitrate, 300_000);
    assert.equal(encoding?.active, false);
    link.close();
  });
});
