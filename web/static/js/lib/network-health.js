// How a debater's uplink does, in one word, from what getStats says of each of the two connections.

/** @import { Health, LegHealth, NetworkHealth } from "./messages.js" */

/**
 * @typedef {{
 *   at: number, connected: boolean, cameraOn: boolean, bytesSent: number, bytesReceived: number,
 *   picturesSent: number, picturesReceived: number, sourceRate: number|null,
 *   roundTrip: number|null, lost: number|null, limitation: string, enoughKbps: number,
 * }} Snapshot counters of one connection. `at` in milliseconds, `roundTrip` in seconds, `lost` from
 *   0 to 1, `sourceRate` is what the camera gives within its limit, in pictures per second,
 *   `enoughKbps` what is no hardship
 * @typedef {{
 *   health: LegHealth, starved: boolean, sourceRate: number|null, sounds: boolean, pictures: boolean,
 * }} Leg `starved`: the network takes less than the camera's limit. `sounds`, `pictures`: anything,
 *   and any picture, came since the last snapshot
 * @typedef {{bridge: Leg, peer: Leg|null}} Sample
 */

/** Above these a leg is fair: viewers may notice. RFC 8835 names none; these are ours. */
const FAIR = { lostPercent: 3, roundTripMs: 300, pictureShare: 0.8 };
/** Above these it is poor: viewers do notice, and talking to each other is hard. */
const POOR = { lostPercent: 8, roundTripMs: 600, pictureShare: 0.5 };
/** Less than this, when the browser says that the network holds it back, is too little for a face. */
const STARVED_KBPS = 900;
/** And this part of its limit, of a camera that is asked for little: its tile is small. */
const STARVED_SHARE = 0.6;
const POOR_KBPS = 250;
/** A change of the word must be seen this often in a row; that a connection is lost, once. */
const SEEN = 3;
const SAMPLE_MILLISECONDS = 1000;
const REPORT_MILLISECONDS = 10_000;

/** @type {readonly NetworkHealth[]} */
const WORDS = ["good", "fair", "poor", "lost"];

/**
 * The plain counters of one connection.
 *
 * @param {Iterable<any>} stats what getStats found; its types differ from browser to browser
 * @param {{
 *   at: number, connected: boolean, cameraOn: boolean, cameraMid: string|null,
 *   limits?: RTCRtpEncodingParameters,
 * }} known `limits` are those of the camera
 * @returns {Snapshot}
 */
export function snapshotOf(stats, { at, connected, cameraOn, cameraMid, limits = {} }) {
  const found = [...stats];
  const sent = found.filter(({ type }) => type === "outbound-rtp");
  const received = found.filter(({ type }) => type === "inbound-rtp");
  const reports = found.filter(({ type }) => type === "remote-inbound-rtp");
  const pair = found.find(({ type, nominated, state }) => type === "candidate-pair" && nominated && state === "succeeded");
  const camera = sent.find(({ kind, mid }) => kind === "video" && (mid === cameraMid || mid === undefined));
  const source = found.find(({ type, id }) => type === "media-source" && id === camera?.mediaSourceId);
  return {
    at,
    connected,
    cameraOn,
    bytesSent: sum(sent, "bytesSent"),
    bytesReceived: sum(received, "bytesReceived"),
    picturesSent: camera?.framesSent ?? 0,
    picturesReceived: sum(received, "framesReceived"),
    sourceRate: source?.framesPerSecond ? Math.min(source.framesPerSecond, limits.maxFramerate ?? Infinity) : null,
    roundTrip: greatest(reports, "roundTripTime") ?? pair?.currentRoundTripTime ?? null,
    lost: lossOf(reports, sent),
    limitation: camera?.qualityLimitationReason ?? "none",
    enoughKbps: Math.min(STARVED_KBPS, (STARVED_SHARE * (limits.maxBitrate ?? Infinity)) / 1000),
  };
}

/**
 * @param {any[]} items
 * @param {string} key
 * @returns {number}
 */
function sum(items, key) {
  return items.reduce((total, item) => total + (item[key] ?? 0), 0);
}

/**
 * @param {any[]} items
 * @param {string} key
 * @returns {number|null}
 */
function greatest(items, key) {
  const values = items.map((item) => item[key]).filter((value) => typeof value === "number");
  return values.length > 0 ? Math.max(...values) : null;
}

/**
 * What the other side misses of all packets: each report counts as much as its stream.
 *
 * @param {any[]} reports
 * @param {any[]} sent
 */
function lossOf(reports, sent) {
  let [lost, packets] = [0, 0];
  for (const { fractionLost, localId, ssrc } of reports) {
    const stream = sent.find((item) => (localId ? item.id === localId : item.ssrc === ssrc));
    if (typeof fractionLost !== "number" || !stream?.packetsSent) continue;
    lost += Math.max(0, fractionLost) * stream.packetsSent;
    packets += stream.packetsSent;
  }
  return packets > 0 ? lost / packets : null;
}

/**
 * What happened on a connection between two snapshots of it. Pure.
 *
 * @param {Snapshot|null} before null: this is the first
 * @param {Snapshot} now
 * @returns {Leg}
 */
export function judge(before, now) {
  const { connected, sourceRate } = now;
  if (!before || now.at <= before.at) {
    const health = connected ? "good" : "lost";
    return { health: { health, kbps: 0 }, starved: false, sourceRate, sounds: connected, pictures: connected };
  }
  const seconds = (now.at - before.at) / 1000;
  const kbps = Math.round(Math.max(0, now.bytesSent - before.bytesSent) / 125 / seconds);
  const rate = Math.max(0, now.picturesSent - before.picturesSent) / seconds;
  const starved = now.cameraOn && now.limitation === "bandwidth" && kbps < now.enoughKbps;
  /** @type {LegHealth} */
  const health = { health: "good", kbps };
  if (now.roundTrip !== null) health.round_trip_ms = Math.round(now.roundTrip * 1000);
  if (now.lost !== null) health.lost_percent = Math.round(Math.min(1, now.lost) * 1000) / 10;
  if (now.cameraOn) health.pictures_per_second = Math.min(240, Math.round(rate));
  health.health = wordFor(health, now, rate, starved);
  return {
    health,
    starved,
    sourceRate,
    sounds: now.bytesReceived > before.bytesReceived,
    pictures: now.picturesReceived > before.picturesReceived,
  };
}

/**
 * @param {LegHealth} health
 * @param {Snapshot} now
 * @param {number} rate
 * @param {boolean} starved
 * @returns {NetworkHealth}
 */
function wordFor({ round_trip_ms = 0, lost_percent = 0, kbps }, now, rate, starved) {
  if (!now.connected) return "lost";
  // A camera in the dark gives few pictures, and a busy processor sends few: neither is the network.
  const share = now.cameraOn && now.sourceRate && now.limitation !== "cpu" ? rate / now.sourceRate : 1;
  /** @param {typeof FAIR} limits */
  const isBeyond = (limits) =>
    lost_percent > limits.lostPercent || round_trip_ms > limits.roundTripMs || share < limits.pictureShare;
  if (isBeyond(POOR) || (starved && kbps < POOR_KBPS)) return "poor";
  return isBeyond(FAIR) || starved ? "fair" : "good";
}

/** The word for a leg, without flicker: a change must be seen three times, a loss once. */
export class SteadyHealth {
  /** @type {NetworkHealth} */
  #word = "good";
  /** @type {NetworkHealth} */
  #next = "good";
  #seen = 0;

  /**
   * @param {NetworkHealth} word
   * @returns {NetworkHealth}
   */
  take(word) {
    this.#seen = word === this.#next ? this.#seen + 1 : 1;
    this.#next = word;
    if (word === "lost" || this.#word === "lost" || this.#seen >= SEEN) this.#word = word;
    return this.#word;
  }
}

/** The worse of two words. @param {NetworkHealth} one @param {NetworkHealth} other */
export function worse(one, other) {
  return WORDS.indexOf(one) > WORDS.indexOf(other) ? one : other;
}

/** Says which samples the server hears of: each change of a word, and one every ten seconds. */
export class HealthReports {
  #words = "";
  #at = -Infinity;

  /**
   * The message that is due, or null.
   *
   * @param {Sample} sample
   * @param {number} now milliseconds
   * @returns {Health|null}
   */
  take({ bridge, peer }, now) {
    const words = `${bridge.health.health} ${peer?.health.health}`;
    if (words === this.#words && now - this.#at < REPORT_MILLISECONDS) return null;
    this.#words = words;
    this.#at = now;
    return peer ? { bridge: bridge.health, peer: peer.health } : { bridge: bridge.health };
  }

  /** The server has forgotten what it heard. */
  forget() {
    this.#words = "";
  }
}

/** Follows one leg over the connections that it has, one after the other. */
class LegWatch {
  #steady = new SteadyHealth();
  /** @type {RTCPeerConnection|null} */
  #pc = null;
  /** @type {Snapshot|null} */
  #before = null;

  /**
   * @param {RTCPeerConnection|null} pc
   * @returns {Promise<Leg>}
   */
  async look(pc) {
    if (pc !== this.#pc) this.#before = null;
    this.#pc = pc;
    const camera = pc?.getTransceivers()[1];
    const stats = pc ? await pc.getStats() : null;
    const now = snapshotOf(stats?.values() ?? [], {
      at: performance.now(),
      connected: pc?.connectionState === "connected",
      cameraOn: Boolean(camera?.sender.track),
      cameraMid: camera?.mid ?? null,
      limits: camera?.sender.getParameters().encodings?.[0],
    });
    const leg = judge(this.#before, now);
    this.#before = now;
    leg.health.health = this.#steady.take(leg.health.health);
    return leg;
  }
}

/** Looks at both legs once a second, until closed. */
export class NetworkSampler {
  #legs;
  #onSample;
  #bridge = new LegWatch();
  #peer = new LegWatch();
  #looking = false;
  /** @type {ReturnType<typeof setInterval>|undefined} */
  #timer;

  /**
   * @param {{bridge: () => RTCPeerConnection|null, peer: () => RTCPeerConnection|null}} legs
   * @param {(sample: Sample) => void} onSample `peer` is null while there is no such connection
   */
  constructor(legs, onSample) {
    this.#legs = legs;
    this.#onSample = onSample;
  }

  /** Idempotent. */
  start() {
    this.#timer ??= setInterval(() => this.#look(), SAMPLE_MILLISECONDS);
  }

  /** Idempotent. `onSample` is not called any more afterwards. */
  close() {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  async #look() {
    // getStats may take long on a busy machine.
    if (this.#looking) return;
    this.#looking = true;
    try {
      const peer = this.#legs.peer();
      const [bridgeLeg, peerLeg] = await Promise.all([this.#bridge.look(this.#legs.bridge()), this.#peer.look(peer)]);
      if (this.#timer !== undefined) this.#onSample({ bridge: bridgeLeg, peer: peer && peerLeg });
    } finally {
      this.#looking = false;
    }
  }
}
