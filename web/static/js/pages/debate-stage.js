// The stage of a debater: pictures, words, and the light of the network.

import { one, setText, show } from "../lib/dom.js";
import { worse } from "../lib/network-health.js";

/** @import { Text } from "../lib/i18n.js" */
/** @import { IngestState, MediaState, NetworkHealth, Participant, Side } from "../lib/messages.js" */
/** @import { Sample } from "../lib/network-health.js" */
/** @import { LinkState } from "../lib/offering-link.js" */
/** @import { ClientState } from "../lib/room-client.js" */

/**
 * @typedef {{
 *   client: ClientState|"idle", live: boolean, name: string, opponent: Participant|null,
 *   peer: LinkState, bridge: LinkState, ingest: IngestState|null, sample: Sample|null,
 *   received: MediaStreamTrack[], self: MediaStreamTrack|null, media: MediaState, notice: string,
 *   step: number, bridgeRefusal: string,
 * }} Stage what is drawn. `name` is the opponent's; `ingest` how the bridge gets us; `received` is in
 *   the order of the m-lines; `step` of what we send to the opponent
 */

const BRIDGE_TONES = {
  absent: "idle",
  connecting: "caution",
  connected: "good",
  seen: "good",
  seen_muted: "good",
  heard: "good",
  dark: "caution",
  frozen: "fault",
  frozen_test: "fault",
};
const SPEAK_MILLISECONDS = 10_000;

/**
 * Gives a video these tracks; the same ones again change nothing.
 *
 * @param {HTMLVideoElement} video
 * @param {(MediaStreamTrack|null|undefined)[]} wanted
 * @param {() => void} [onBlocked] the browser wants a click before it plays
 */
export function play(video, wanted, onBlocked) {
  const tracks = wanted.filter((track) => track !== null && track !== undefined);
  const shown = video.srcObject instanceof MediaStream ? video.srcObject.getTracks() : [];
  if (tracks.length === shown.length && tracks.every((track) => shown.includes(track))) return;
  video.srcObject = tracks.length > 0 ? new MediaStream(tracks) : null;
  if (tracks.length === 0) return;
  video.play().catch((error) => {
    if (error.name === "NotAllowedError") onBlocked?.();
    // Overtaken by the next change of tracks.
    else console.debug("not playing:", error.name);
  });
}

/**
 * What is the matter with the opponent's picture, as the last part of a key; "" when nothing is.
 *
 * @param {Stage} stage
 */
export function opponentState({ opponent, peer, sample }) {
  if (!opponent) return "absent";
  if (peer !== "connected") return "connecting";
  if (sample?.peer && !sample.peer.sounds) return "reconnecting";
  const { camera, screen, microphone } = opponent.media;
  if (!camera && !screen) return microphone ? "no_camera" : "dark";
  if (sample?.peer && !sample.peer.pictures) return "sound_only";
  return microphone ? "" : "muted";
}

/**
 * Whether viewers see this debater, as the last part of a key.
 *
 * @param {Stage} stage
 */
export function bridgeState({ client, live, bridge, ingest, media }) {
  if (bridge === "absent") return "absent";
  if (client === "joined" && ingest === "frozen") return live ? "frozen" : "frozen_test";
  if (bridge === "connecting") return "connecting";
  if (client === "joined" && ingest !== null && ingest !== "receiving") return "connecting";
  if (!live) return "connected";
  const isSeen = media.camera || media.screen;
  if (media.microphone) return isSeen ? "seen" : "heard";
  return isSeen ? "seen_muted" : "dark";
}

/**
 * The one word for the debater: of what viewers get, or else of what the opponent gets.
 *
 * @param {Stage} stage
 * @returns {NetworkHealth|null} null: nothing is connected that could be judged
 */
export function healthWord({ client, bridge, peer, ingest, sample }) {
  if (client === "away") return "lost";
  if (!sample) return null;
  if (bridge === "absent") return peer === "connected" ? (sample.peer?.health.health ?? null) : null;
  const word = sample.bridge.health.health;
  return ingest === "frozen" ? worse(word, "lost") : word;
}

/** Draws a `Stage`, and speaks of the network at most every ten seconds. */
export class StageView {
  #text;
  #onBlocked;
  #opponent = one("#opponent", HTMLVideoElement);
  #self = one("#self", HTMLVideoElement);
  #spokenAt = -Infinity;

  /**
   * @param {Text} text
   * @param {() => void} onBlocked the browser wants a click before the opponent is heard
   */
  constructor(text, onBlocked) {
    this.#text = text;
    this.#onBlocked = onBlocked;
  }

  /**
   * Says which side is whose: words on both pages, the side's colour on the pictures.
   *
   * @param {Side} side one's own
   * @param {Record<Side, string>} names
   */
  nameSides(side, names) {
    const other = side === "proposition" ? "opposition" : "proposition";
    for (const words of [one("#your-side"), one("#stage-side")]) {
      setText(words, this.#text(`debate.you_are_${side}`, { name: names[side] }));
      words.dataset.side = side;
    }
    setText(one("#opponent-name"), names[other]);
    one(".stage-self").dataset.side = side;
    one(".stage-opponent").dataset.side = other;
  }

  /** @param {Stage} stage */
  render(stage) {
    const text = this.#text;
    const state = opponentState(stage);
    const [sound, camera, screen] = stage.received;
    const picture = stage.opponent?.media.screen ? screen : stage.opponent?.media.camera ? camera : null;
    // Words, never the last picture that came.
    const isShown = state === "" || state === "muted";
    play(this.#opponent, stage.opponent ? [sound, isShown ? picture : null] : [], this.#onBlocked);
    play(this.#self, [stage.self]);
    const message = one("#opponent-status");
    setText(message, state ? text(`debate.opponent_${state}`, { name: stage.name }) : "");
    message.dataset.over = String(state === "muted");
    this.#renderBridge(bridgeState(stage), stage.bridgeRefusal);
    setText(one("#stage-status"), this.#words(stage));
    show(one("#on-air"), stage.live);
    this.#renderControls(stage);
    this.#renderLight(stage);
  }

  /**
   * @param {ReturnType<typeof bridgeState>} state
   * @param {string} refusal why the bridge took the last offer not, "" if it did
   */
  #renderBridge(state, refusal) {
    const words = one("#bridge-status");
    const isRefused = state === "connecting" && refusal !== "";
    words.dataset.tone = isRefused ? "fault" : BRIDGE_TONES[state];
    setText(words, this.#text(isRefused ? "debate.bridge_refused" : `debate.bridge_${state}`, { detail: refusal }));
  }

  /** @param {Stage} stage */
  #words({ client, notice, media }) {
    if (client === "away" || client === "connecting") return this.#text("debate.away");
    return notice || (media.microphone ? "" : this.#text("debate.you_are_muted"));
  }

  /** @param {Stage} stage */
  #renderControls({ media }) {
    /** @type {[string, boolean][]} */
    const pressed = [
      ["mute", !media.microphone],
      ["camera", !media.camera],
      ["share", media.screen],
    ];
    for (const [control, isPressed] of pressed) {
      one(`[data-testid=${control}]`).setAttribute("aria-pressed", String(isPressed));
    }
    one(".stage-self").dataset.muted = String(!media.microphone);
  }

  /** @param {Stage} stage */
  #renderLight(stage) {
    const word = healthWord(stage);
    const light = one("#network");
    show(light, word !== null);
    if (word === null) return;
    light.dataset.health = word;
    const words = this.#text(`network.${word}`);
    setText(light, words);
    setText(one("#network-advice"), this.#advice(stage, word));
    const now = performance.now();
    const announcement = one("#network-announcement");
    // Nothing to say about a connection that is good from the start.
    if (now - this.#spokenAt < SPEAK_MILLISECONDS || (word === "good" && !announcement.textContent)) return;
    if (announcement.textContent !== words) this.#spokenAt = now;
    setText(announcement, words);
  }

  /**
   * @param {Stage} stage
   * @param {NetworkHealth} word
   */
  #advice({ step, client }, word) {
    if (client === "away" || word === "lost") return "";
    if (word === "poor") return this.#text("network.advice");
    return step > 0 ? this.#text("network.viewers_first") : "";
  }
}
