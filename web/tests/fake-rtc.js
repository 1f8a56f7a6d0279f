// A double of RTCPeerConnection: the signalling states of W3C, and nothing of the network.

// Node has none; a connection only names its streams.
globalThis.MediaStream ??= /** @type {any} */ (class {});

/** @typedef {{type: string, sdp: string}} Sdp */

export class FakeTrack {
  contentHint = "";
  enabled = true;
  stopped = false;

  /** @param {string} kind @param {number} [height] of a picture of 16:9 */
  constructor(kind, height) {
    this.kind = kind;
    this.height = height;
  }

  getSettings() {
    return { width: this.height && (this.height * 16) / 9, height: this.height };
  }

  stop() {
    this.stopped = true;
  }
}

class FakeSender {
  /** @type {any} */
  track = null;
  /** Whether parameters are refused. */
  refuses = false;
  parameters = { encodings: [/** @type {Record<string, number>} */ ({})] };

  /** @param {any} track */
  async replaceTrack(track) {
    this.track = track;
  }

  getParameters() {
    return structuredClone(this.parameters);
  }

  /** @param {any} parameters */
  async setParameters(parameters) {
    if (this.refuses) throw new DOMException("not now", "InvalidModificationError");
    this.parameters = parameters;
  }
}

class FakeTransceiver {
  direction = "recvonly";
  sender = new FakeSender();
  receiver;

  /** @param {string} kind */
  constructor(kind) {
    this.receiver = { track: new FakeTrack(kind) };
  }
}

export class FakePeerConnection {
  signalingState = "stable";
  connectionState = "new";
  /** @type {any} */ localDescription = null;
  /** @type {any} */ remoteDescription = null;
  /** @type {any[]} */ candidates = [];
  /** @type {FakeTransceiver[]} */ transceivers = [];
  /** @type {any} */ onnegotiationneeded = null;
  /** @type {any} */ onicecandidate = null;
  /** @type {any} */ onconnectionstatechange = null;
  /** How often each was closed. */
  closings = 0;
  /** Set to hold back setRemoteDescription until it resolves. @type {Promise<void>|null} */
  gate = null;

  /** @param {any} configuration */
  constructor(configuration) {
    this.configuration = configuration;
  }

  /** @param {any} trackOrKind @param {any} options */
  addTransceiver(trackOrKind, { direction }) {
    const isTrack = typeof trackOrKind !== "string";
    const transceiver = new FakeTransceiver(isTrack ? trackOrKind.kind : trackOrKind);
    transceiver.direction = direction;
    transceiver.sender.track = isTrack ? trackOrKind : null;
    this.transceivers.push(transceiver);
    if (this.transceivers.length === 1) queueMicrotask(() => this.onnegotiationneeded?.());
    return transceiver;
  }

  getTransceivers() {
    return [...this.transceivers];
  }

  async setLocalDescription() {
    await null;
    this.#refuseWhenClosed();
    const type = this.signalingState === "have-remote-offer" ? "answer" : "offer";
    this.signalingState = type === "answer" ? "stable" : "have-local-offer";
    const description = { type, sdp: `${type} of us` };
    this.localDescription = { ...description, toJSON: () => description };
  }

  /** @param {Sdp} description */
  async setRemoteDescription(description) {
    await this.gate;
    this.#refuseWhenClosed();
    if (description.sdp === "nonsense") throw new DOMException("not SDP", "OperationError");
    if (description.type === "answer" && this.signalingState !== "have-local-offer") {
      throw new DOMException("no offer to answer", "InvalidStateError");
    }
    // An offer over ours is the implicit rollback.
    this.signalingState = description.type === "offer" ? "have-remote-offer" : "stable";
    this.remoteDescription = description;
    if (description.type === "offer" && this.transceivers.length === 0) {
      this.transceivers = ["audio", "video", "video"].map((kind) => new FakeTransceiver(kind));
    }
  }

  /** @param {any} candidate */
  async addIceCandidate(candidate) {
    if (!this.remoteDescription) throw new DOMException("no description", "InvalidStateError");
    this.candidates.push(candidate);
    // A name whose look-up never ends.
    if (candidate.candidate.includes(".local")) await new Promise(() => {});
  }

  close() {
    this.closings += 1;
    this.signalingState = "closed";
    this.connectionState = "closed";
  }

  /** @param {string} state */
  becomes(state) {
    this.connectionState = state;
    this.onconnectionstatechange?.();
  }

  #refuseWhenClosed() {
    if (this.signalingState === "closed") throw new DOMException("closed", "InvalidStateError");
  }
}

/** Lets everything that waits for no clock run. */
export async function settle() {
  for (let turn = 0; turn < 20; turn += 1) await null;
}

/** A place where connections are made and signals are kept. */
export class Bench {
  /** @type {FakePeerConnection[]} */ connections = [];
  /** @type {any[]} */ signals = [];
  /** @type {string[]} */ states = [];
  /** @type {any[]} */ received = [];
  /** @type {any} */ tracks = { microphone: null, camera: null, screen: null };

  /** @returns {any} */
  get options() {
    return {
      tracks: this.tracks,
      send: async (/** @type {any} */ signal) => this.signals.push(signal),
      onState: (/** @type {string} */ state) => this.states.push(state),
      onReceivers: (/** @type {any[]} */ tracks) => (this.received = tracks),
      create: (/** @type {any} */ configuration) => {
        const pc = new FakePeerConnection(configuration);
        this.connections.push(pc);
        return pc;
      },
    };
  }

  /** The newest connection. @returns {FakePeerConnection} */
  get pc() {
    return /** @type {FakePeerConnection} */ (this.connections.at(-1));
  }
}
