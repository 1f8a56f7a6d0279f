// One RTCPeerConnection of a link: perfect negotiation, candidates, sender limits, and its end.

import { KINDS } from "./messages.js";
import { encodingFor } from "./wanted-encoding.js";

/** @import { Description, Kind, Step, Tracks, Wanted } from "./messages.js" */

/**
 * @typedef {{
 *   iceServers: RTCIceServer[],
 *   offers: boolean,
 *   polite: boolean,
 *   direction: "sendrecv"|"sendonly",
 *   camera: CameraLimits,
 *   wanted?: Wanted,
 *   priority: "high"|"low",
 *   tracks: Tracks,
 *   patience: number,
 *   send: (step: Step) => void,
 *   onConnected: () => void,
 *   onReceivers: (tracks: MediaStreamTrack[]) => void,
 *   onLost: (reason: string) => void,
 *   create?: (configuration: RTCConfiguration) => RTCPeerConnection,
 * }} ConnectionOptions `offers`: makes the first offer. `patience`: milliseconds it may be
 *   disconnected. `wanted`, if there, decides the size and rates of pictures in place of `camera`.
 *   `priority` is that of the pictures; sound is always high. `tracks` is read
 *   whenever transceivers are made. `onReceivers` gets the opponent's
 *   tracks in the order of the m-lines. `onLost` is called at most once.
 * @typedef {{maxBitrate: number, maxFramerate: number, height?: number, off?: boolean}} CameraLimits
 *   bits per second, pictures per second, lines; `off`: no picture of the camera at all
 */

/** An offer nobody answers leaves ICE in "new" for ever, and aiortc's ICE never fails by itself. */
const CONNECT_MILLISECONDS = 15_000;
const MAX_EARLY_CANDIDATES = 64;
/** How long a new connection, or size, may take to find out what the network carries. */
const SETTLE_MILLISECONDS = 1500;
/** How often captured sizes are looked at: no event tells of a turned phone or a window that grows. */
const LOOK_MILLISECONDS = 1000;

/** @param {unknown} error */
function nameOf(error) {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}

export class Connection {
  #options;
  #pc;
  #closed = false;
  #makingOffer = false;
  #ignoringOffer = false;
  #settingAnswer = false;
  #hasRemote = false;
  #speakerStream = new MediaStream();
  #screenStream = new MediaStream();
  #camera;
  #wanted;
  /** One change after the other: a browser refuses two at once. */
  #limiting = Promise.resolve();
  /** @type {RTCIceCandidateInit[]} */
  #earlyCandidates = [];
  /** @type {RTCRtpTransceiver[]} In the order of KINDS; empty before the first offer has come. */
  #transceivers = [];
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #deadline;
  #settled = false;
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #settling;
  /** Sizes that were captured when senders were last limited. */
  #captured = "";
  /** @type {ReturnType<typeof setInterval>|undefined} */
  #looking;

  /** @param {ConnectionOptions} options */
  constructor(options) {
    this.#options = options;
    this.#camera = options.camera;
    this.#wanted = options.wanted;
    const create = options.create ?? ((configuration) => new RTCPeerConnection(configuration));
    const pc = (this.#pc = create({ iceServers: options.iceServers, bundlePolicy: "max-bundle" }));
    pc.onnegotiationneeded = () => this.#offer();
    pc.onicecandidate = ({ candidate }) => {
      // The empty candidate only says that there are no more.
      if (candidate?.candidate) this.#send({ candidate: candidate.toJSON() });
    };
    pc.onconnectionstatechange = () => this.#watch();
    this.#deadline = setTimeout(() => this.#lose("no connection in time"), CONNECT_MILLISECONDS);
    this.#looking = setInterval(() => this.#follow(), LOOK_MILLISECONDS);
    if (options.offers) this.#addTransceivers();
    this.#limitSenders();
  }

  /** The W3C object, for figures; closed when this is. */
  get pc() {
    return this.#pc;
  }

  get isConnected() {
    return !this.#closed && this.#pc.connectionState === "connected";
  }

  /**
   * Takes one step of the other side. Never rejects: what cannot be used is said in the console, a
   * description that the browser refuses ends the connection.
   *
   * @param {Step} step
   */
  async take(step) {
    if (this.#closed) return;
    if (step.candidate) {
      this.#takeCandidate(step.candidate);
      return;
    }
    if (!step.description) return;
    try {
      await this.#takeDescription(step.description);
    } catch (error) {
      this.#lose(nameOf(error));
    }
  }

  /**
   * Sends another track, or null for none; without negotiation.
   *
   * @param {Kind} kind
   * @param {MediaStreamTrack|null} track
   */
  async replaceTrack(kind, track) {
    const transceiver = this.#transceivers[KINDS.indexOf(kind)];
    if (this.#closed || !transceiver) return;
    try {
      await transceiver.sender.replaceTrack(track);
      await this.#limitSenders();
    } catch (error) {
      if (!this.#closed) console.warn(`${kind} not replaced:`, nameOf(error));
    }
  }

  /**
   * Sends the camera within other limits from now on; without negotiation.
   *
   * @param {CameraLimits} camera
   */
  async limit(camera) {
    this.#camera = camera;
    await this.#limitSenders();
  }

  /**
   * Sends pictures for other tiles from now on; without negotiation.
   *
   * @param {Wanted} wanted
   */
  async want(wanted) {
    this.#wanted = wanted;
    // Before it is connected, that will say when.
    if (this.#settling !== undefined) this.#settleSoon();
    await this.#limitSenders();
  }

  #follow() {
    if (this.#wanted && this.#captured !== this.#capturedNow()) this.#limitSenders();
  }

  #capturedNow() {
    const sizes = this.#transceivers.map(({ sender }) => {
      const { width, height } = sender.track?.getSettings() ?? {};
      return `${width}x${height}`;
    });
    return sizes.join();
  }

  /** Idempotent. Nothing is called any more afterwards. */
  close() {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#deadline);
    clearTimeout(this.#settling);
    clearInterval(this.#looking);
    this.#pc.onnegotiationneeded = null;
    this.#pc.onicecandidate = null;
    this.#pc.onconnectionstatechange = null;
    this.#pc.close();
  }

  #addTransceivers() {
    const { tracks, direction } = this.#options;
    this.#transceivers = KINDS.map((kind, index) =>
      this.#pc.addTransceiver(tracks[kind] ?? (kind === "microphone" ? "audio" : "video"), {
        direction,
        streams: [this.#streamOf(index)],
      }),
    );
    this.#tellReceivers();
  }

  /** The offer has made the transceivers; this side only says what it sends on them. */
  async #adoptTransceivers() {
    const { tracks, direction } = this.#options;
    this.#transceivers = this.#pc.getTransceivers().slice(0, KINDS.length);
    const replacing = this.#transceivers.map((transceiver, index) => {
      transceiver.direction = direction;
      transceiver.sender.setStreams?.(this.#streamOf(index));
      return transceiver.sender.replaceTrack(tracks[/** @type {Kind} */ (KINDS[index])]);
    });
    this.#tellReceivers();
    await Promise.all(replacing);
  }

  /**
   * Microphone and camera are one stream: only then does the receiver keep the lips in step.
   *
   * @param {number} index of the m-line
   */
  #streamOf(index) {
    return KINDS[index] === "screen" ? this.#screenStream : this.#speakerStream;
  }

  #tellReceivers() {
    this.#options.onReceivers(this.#transceivers.map(({ receiver }) => receiver.track));
  }

  async #offer() {
    try {
      this.#makingOffer = true;
      await this.#pc.setLocalDescription();
      this.#sendLocalDescription();
    } catch (error) {
      this.#lose(nameOf(error));
    } finally {
      this.#makingOffer = false;
    }
  }

  #sendLocalDescription() {
    const description = this.#pc.localDescription;
    if (this.#closed || !description) return;
    this.#send({ description: /** @type {Description} */ (description.toJSON()) });
  }

  /** @param {Description} description */
  async #takeDescription(description) {
    const isOffer = description.type === "offer";
    const isReady = !this.#makingOffer && (this.#pc.signalingState === "stable" || this.#settingAnswer);
    this.#ignoringOffer = isOffer && !isReady && !this.#options.polite;
    if (this.#ignoringOffer) return;
    // The answer to an offer that was rolled back for the other side's.
    if (!isOffer && this.#pc.signalingState === "stable") return;
    this.#settingAnswer = !isOffer;
    try {
      await this.#pc.setRemoteDescription(description);
    } finally {
      this.#settingAnswer = false;
    }
    if (this.#closed) return;
    this.#hasRemote = true;
    for (const candidate of this.#earlyCandidates.splice(0)) this.#takeCandidate(candidate);
    if (isOffer) await this.#answer();
    await this.#limitSenders();
  }

  async #answer() {
    if (this.#transceivers.length === 0) await this.#adoptTransceivers();
    if (this.#closed) return;
    await this.#pc.setLocalDescription();
    this.#sendLocalDescription();
  }

  /**
   * Not awaited: a name that must be looked up would hold back all candidates behind it.
   *
   * @param {RTCIceCandidateInit} candidate
   */
  #takeCandidate(candidate) {
    if (!candidate.candidate) return;
    if (!this.#hasRemote) {
      if (this.#earlyCandidates.length < MAX_EARLY_CANDIDATES) this.#earlyCandidates.push(candidate);
      else console.warn("too many candidates before the description, one dropped");
      return;
    }
    this.#pc.addIceCandidate(candidate).catch((error) => {
      if (!this.#ignoringOffer && !this.#closed) console.warn("candidate not used:", nameOf(error));
    });
  }

  #limitSenders() {
    this.#limiting = this.#limiting.then(async () => {
      this.#captured = this.#capturedNow();
      for (const [index, { sender }] of this.#transceivers.entries()) {
        if (!this.#closed) await this.#limit(sender, /** @type {Kind} */ (KINDS[index]));
      }
    });
    return this.#limiting;
  }

  /**
   * @param {RTCRtpSender} sender
   * @param {Kind} kind
   */
  async #limit(sender, kind) {
    /** @type {RTCRtpSendParameters & {degradationPreference?: string}} */
    const parameters = sender.getParameters();
    // There is none before an answer has come, in some browsers.
    const [encoding] = parameters.encodings ?? [];
    if (!encoding) return;
    const priority = kind === "microphone" ? "high" : this.#options.priority;
    Object.assign(encoding, { priority, networkPriority: priority });
    if (kind !== "microphone") encoding.maxBitrate = this.#camera.maxBitrate;
    // A sender without a picture would get half of what the camera starts with.
    if (kind === "screen") encoding.active = sender.track !== null;
    if (kind === "camera") {
      const { maxFramerate, height, off } = this.#camera;
      Object.assign(encoding, { maxFramerate, active: !off });
      const captured = sender.track?.getSettings().height;
      if (height && captured) encoding.scaleResolutionDownBy = Math.max(1, captured / height);
      // Rather a softer face than one that stutters. But Chrome makes the first picture of a size
      // small, before it knows what it may send, and then keeps it so for a minute: not at first.
      parameters.degradationPreference = this.#settled ? "maintain-framerate" : "maintain-resolution";
    }
    if (this.#wanted && kind !== "microphone") {
      Object.assign(encoding, encodingFor(sender.track?.getSettings() ?? {}, this.#wanted[kind]));
    }
    try {
      await sender.setParameters(parameters);
    } catch (error) {
      if (!this.#closed) console.warn(`${kind} not limited:`, nameOf(error));
    }
  }

  #settleSoon() {
    clearTimeout(this.#settling);
    this.#settled = false;
    this.#settling = setTimeout(() => {
      this.#settled = true;
      this.#limitSenders();
    }, SETTLE_MILLISECONDS);
  }

  #watch() {
    const state = this.#pc.connectionState;
    if (state === "connected") {
      clearTimeout(this.#deadline);
      if (this.#settling === undefined) this.#settleSoon();
      this.#options.onConnected();
    } else if (state === "disconnected") {
      clearTimeout(this.#deadline);
      this.#deadline = setTimeout(() => this.#lose("disconnected"), this.#options.patience);
    } else if (state === "failed") {
      this.#lose("failed");
    }
  }

  /** @param {string} reason */
  #lose(reason) {
    if (this.#closed) return;
    this.close();
    this.#options.onLost(reason);
  }

  /** @param {Step} step */
  #send(step) {
    if (!this.#closed) this.#options.send(step);
  }
}
