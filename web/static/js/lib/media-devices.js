// The debater's own devices: opens, mutes, replaces and gives them back.

/** @import { Kind, MediaState, Tracks } from "./messages.js" */

/** @typedef {"camera"|"microphone"} Device */
/** @typedef {"insecure"|"denied"|"missing"|"busy"|"failed"} Fault why a device gave nothing */

/** @type {Record<Device, MediaTrackConstraints>} */
const CONSTRAINTS = {
  camera: { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30, max: 30 } },
  microphone: { echoCancellation: true, noiseSuppression: true, autoGainControl: true },
};
/** @type {Record<Kind, string>} */
const CONTENT_HINTS = { camera: "motion", microphone: "speech", screen: "detail" };
/** @type {Record<string, Fault>} */
const FAULTS = {
  NotAllowedError: "denied",
  SecurityError: "denied",
  NotFoundError: "missing",
  OverconstrainedError: "missing",
  NotReadableError: "busy",
  AbortError: "busy",
};

/**
 * What a rejection of getUserMedia means.
 *
 * @param {unknown} error
 * @returns {Fault}
 */
export function faultOf(error) {
  const name = error instanceof Error ? error.name : "";
  return FAULTS[name] ?? "failed";
}

/**
 * Browsers hide devices from pages that did not come over HTTPS.
 *
 * @returns {boolean}
 */
export function isAvailable() {
  return navigator.mediaDevices !== undefined;
}

/** At most one track of each kind. What a device gives after a newer wish, or after `close`, is stopped. */
export class Capture {
  #onTrack;
  #closed = false;
  #muted = false;
  /** How often each kind was asked for. @type {Record<Kind, number>} */
  #wishes = { microphone: 0, camera: 0, screen: 0 };
  /**
   * The tracks at this moment: one object for good, which the links read.
   *
   * @type {Tracks}
   */
  tracks = { microphone: null, camera: null, screen: null };
  /** Why the last opening gave nothing. @type {Partial<Record<Device, Fault>>} */
  faults = {};

  /** @param {(kind: Kind, track: MediaStreamTrack|null) => void} onTrack at each change of a track */
  constructor(onTrack) {
    this.#onTrack = onTrack;
  }

  /** @returns {MediaState} */
  get state() {
    const { microphone, camera, screen } = this.tracks;
    return { microphone: microphone !== null && !this.#muted, camera: camera !== null, screen: screen !== null };
  }

  get muted() {
    return this.#muted;
  }

  set muted(muted) {
    this.#muted = muted;
    if (this.tracks.microphone) this.tracks.microphone.enabled = !muted;
  }

  /**
   * The devices there are; without labels until one was allowed.
   *
   * @param {Device} device
   */
  async list(device) {
    if (!isAvailable()) return [];
    const kind = device === "camera" ? "videoinput" : "audioinput";
    return (await navigator.mediaDevices.enumerateDevices()).filter((found) => found.kind === kind);
  }

  /** Opens both with one question; where one is missing or refused, the other alone. */
  async openBoth() {
    if (!isAvailable()) {
      this.faults = { camera: "insecure", microphone: "insecure" };
      return;
    }
    const camera = ++this.#wishes.camera;
    const microphone = ++this.#wishes.microphone;
    let stream;
    try {
      stream = await navigator.mediaDevices.getUserMedia({
        video: CONSTRAINTS.camera,
        audio: CONSTRAINTS.microphone,
      });
    } catch {
      // Which of the two it was is not told.
      await Promise.all([this.open("camera"), this.open("microphone")]);
      return;
    }
    this.faults = {};
    this.#keep("camera", camera, stream.getVideoTracks()[0]);
    this.#keep("microphone", microphone, stream.getAudioTracks()[0]);
  }

  /**
   * Opens one device in place of the present one. Never rejects: see `faults`.
   *
   * @param {Device} device
   * @param {string} [id] "" or none: the browser's choice
   */
  async open(device, id = "") {
    if (!isAvailable()) {
      this.faults[device] = "insecure";
      return;
    }
    const wish = ++this.#wishes[device];
    const wanted = { ...CONSTRAINTS[device], ...(id && { deviceId: { exact: id } }) };
    // Some systems give a camera to one opening only.
    this.#drop(device);
    try {
      const stream = await navigator.mediaDevices.getUserMedia(
        device === "camera" ? { video: wanted } : { audio: wanted },
      );
      if (wish === this.#wishes[device]) delete this.faults[device];
      this.#keep(device, wish, stream.getTracks()[0]);
    } catch (error) {
      if (wish === this.#wishes[device]) this.faults[device] = faultOf(error);
    }
  }

  /** Asks for a screen. Rejects when the browser does, also when the person changes their mind. */
  async openScreen() {
    const wish = ++this.#wishes.screen;
    // More than the bridge decodes; a larger screen is sent smaller.
    const video = { frameRate: { max: 30 }, width: { max: 1920 }, height: { max: 1080 } };
    const stream = await navigator.mediaDevices.getDisplayMedia({ video, audio: false });
    this.#keep("screen", wish, stream.getVideoTracks()[0]);
  }

  /**
   * Gives a device back, also one that is being opened.
   *
   * @param {Kind} kind
   */
  stop(kind) {
    this.#wishes[kind] += 1;
    this.#drop(kind);
  }

  /** Gives everything back. Idempotent. */
  close() {
    this.#closed = true;
    for (const kind of /** @type {const} */ (["microphone", "camera", "screen"])) this.stop(kind);
  }

  /**
   * @param {Kind} kind
   * @param {number} wish
   * @param {MediaStreamTrack|undefined} track
   */
  #keep(kind, wish, track) {
    if (!track) return;
    if (this.#closed || wish !== this.#wishes[kind]) {
      track.stop();
      return;
    }
    this.tracks[kind]?.stop();
    track.contentHint = CONTENT_HINTS[kind];
    if (kind === "microphone") track.enabled = !this.#muted;
    // Unplugged, or "stop sharing" of the browser; our own stop() makes no event.
    track.addEventListener("ended", () => this.tracks[kind] === track && this.stop(kind));
    this.tracks[kind] = track;
    this.#onTrack(kind, track);
  }

  /** @param {Kind} kind */
  #drop(kind) {
    const track = this.tracks[kind];
    if (!track) return;
    this.tracks[kind] = null;
    track.stop();
    this.#onTrack(kind, null);
  }
}
