// Watches over a debater's connections: tells the server how they do, lets viewers come first, and
// comes back after a sleep or on another network.

import { Interruptions } from "../lib/interruptions.js";
import { HealthReports, NetworkSampler } from "../lib/network-health.js";
import { UplinkPriority } from "../lib/uplink-priority.js";

/** @import { BridgeLink } from "../lib/bridge-link.js" */
/** @import { Interruption } from "../lib/interruptions.js" */
/** @import { MediaState } from "../lib/messages.js" */
/** @import { Sample } from "../lib/network-health.js" */
/** @import { PeerLink } from "../lib/peer-link.js" */
/** @import { RoomClient } from "../lib/room-client.js" */

/** Nothing from the opponent for this long after a sleep: the connection is dead, whatever it says. */
const SILENT_MILLISECONDS = 2000;

/**
 * @typedef {{
 *   client: RoomClient, peer: PeerLink, bridge: BridgeLink, media: () => MediaState,
 *   hasBridge: () => boolean, onSample: (sample: Sample) => void,
 * }} Watched `hasBridge`: there is a broadcast to be in
 */

export class Network {
  #watched;
  #reports = new HealthReports();
  #sampler;
  #interruptions;
  #heardAt = -Infinity;
  #hadPeer = false;
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #listening;
  uplink;

  /** @param {Watched} watched */
  constructor(watched) {
    this.#watched = watched;
    const { bridge, peer } = watched;
    this.uplink = new UplinkPriority((limits, step) => {
      console.info(`the opponent gets step ${step} of our picture`);
      peer.limit(limits);
    });
    this.#sampler = new NetworkSampler({ bridge: () => bridge.pc, peer: () => peer.pc }, (sample) => this.#take(sample));
    this.#interruptions = new Interruptions((what) => this.#interrupted(what));
  }

  start() {
    this.#sampler.start();
    this.#interruptions.start();
  }

  /** A new session: the server knows nothing of it yet. */
  joined() {
    this.#reports.forget();
  }

  /** Idempotent. */
  close() {
    clearTimeout(this.#listening);
    this.#sampler.close();
    this.#interruptions.close();
  }

  /** @param {Sample} sample */
  #take(sample) {
    const now = performance.now();
    if (sample.peer?.sounds) this.#heardAt = now;
    this.#hadPeer = sample.peer !== null;
    this.uplink.take(this.#watched.hasBridge() ? sample.bridge : null, now);
    this.#watched.onSample(sample);
    const health = this.#reports.take(sample, now);
    if (!health) return;
    this.#watched.client.send("health", health).catch((error) => {
      this.#reports.forget();
      console.debug("health not told:", error.message);
    });
  }

  /** @param {Interruption} what */
  async #interrupted(what) {
    console.info(`interrupted: ${what}`);
    const { client, media } = this.#watched;
    if (what === "network") {
      client.reconnect();
      return;
    }
    if (!(await client.verify("media", media())) || !this.#hadPeer) return;
    // The bridge says itself when it gets nothing; the opponent cannot.
    const since = performance.now();
    clearTimeout(this.#listening);
    this.#listening = setTimeout(() => {
      if (this.#hadPeer && this.#heardAt < since) client.reconnect();
    }, SILENT_MILLISECONDS);
  }
}
