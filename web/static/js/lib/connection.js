// One RTCPeerConnection of a link: perfect negotiation, candidates, sender limits, and its end.

import { KINDS } from "./messages.js";

/** @import { Description, Kind, Step, Tracks } from "./messages.js" */

/**
 * @typedef {{
 *   iceServers: RTCIceServer[],
 *   offers: boolean,
 *   polite: boolean,
 *   direction: "sendrecv"|"sendonly",
 *   camera: CameraLimits,
 *   tracks: Tracks,
 *   patience: number,
 *   send: (step: Step) => void,
 *   onConnected: () => void,
 *   onReceivers: (tracks: MediaStreamTrack[]) => void,
 *   onLost: (reason: string) => void,
 *   create?: (configuration: RTCConfiguration) => RTCPeerConnection,
 * }} ConnectionOptions `offers`: makes the first offer. `patience`: milliseconds it may be
 *   disconnected. `tracks` is read whenever transceivers are made. `onReceivers` gets the opponent's
 *   tracks in the order of the m-lines. `onLost` is called at most once.
 * @typedef {{maxBitrate: number, maxFramerate: number, height?: number}} CameraLimits bits per
 *   second, pictures per second, lines
 */

/** An offer nobody answers leaves ICE in "new" for ever, and aiortc's ICE never fails by itself. */
const CONNECT_MILLISECONDS = 15_000;
const MAX_EARLY_CANDIDATES = 64;

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
  /** @type {RTCIceCandidateInit[]} */
  #earlyCandidates = [];
  /** @type {RTCRtpTransceiver[]} In the order of KINDS; empty before the first offer has come. */
  #transceivers = [];
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #deadline;

  /** @param {ConnectionOptions} options */
  constructor(options) {
    this.#options = options;
    const create = options.create ?? ((configuration) => new RTCPeerConnection(configuration));
    const pc = (this.#pc = create({ iceServers: options.iceServers, bundlePolicy: "max-bundle" }));
    pc.onnegotiationneeded = () => this.#offer();
    pc.onicecandidate = ({ candidate }) => {
      // The empty candidate only says that there are no more.
      if (candidate?.candidate) this.#send({ candidate: candidate.toJSON() });
    };
    pc.onconnectionstatechange = () => this.#watch();
    this.#deadline = setTimeout(() => this.#lose("no connection in time"), CONNECT_MILLISECONDS);
    if (options.offers) this.#addTransceivers();
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
      if (!this.#closed && kind === "camera" && track) await this.#limitCamera();
    } catch (error) {
      if (!this.#closed) console.warn(`${kind} not replaced:`, nameOf(error));
    }
  }

  /** Idempotent. Nothing is called any more afterwards. */
  close() {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#deadline);
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
    if (!this.#closed) await this.#limitCamera();
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

  async #limitCamera() {
    const { maxBitrate, maxFramerate, height } = this.#options.camera;
    const sender = this.#transceivers[KINDS.indexOf("camera")]?.sender;
    /** @type {(RTCRtpSendParameters & {degradationPreference?: string})|undefined} */
    const parameters = sender?.getParameters();
    const [encoding] = parameters?.encodings ?? [];
    if (!sender || !parameters || !encoding) return;
    encoding.maxBitrate = maxBitrate;
    encoding.maxFramerate = maxFramerate;
    const captured = sender.track?.getSettings().height;
    if (height && captured) encoding.scaleResolutionDownBy = Math.max(1, captured / height);
    // Rather a softer face than one that stutters.
    parameters.degradationPreference = "maintain-framerate";
    try {
      await sender.setParameters(parameters);
    } catch (error) {
      // Two changes at once: the later one sets its own limits.
      if (!this.#closed) console.warn("camera not limited:", nameOf(error));
    }
  }

  #watch() {
    const state = this.#pc.connectionState;
    if (state === "connected") {
      clearTimeout(this.#deadline);
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
