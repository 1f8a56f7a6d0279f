// A debater's page: the green room, the stage, and the end.

import { isTyping, one, setText, show } from "../lib/dom.js";
import { loadText } from "../lib/i18n.js";
import { BridgeLink } from "../lib/bridge-link.js";
import { LevelMeter } from "../lib/level-meter.js";
import { Capture, isAvailable } from "../lib/media-devices.js";
import { PeerLink, opponentOf } from "../lib/peer-link.js";
import { RoomClient } from "../lib/room-client.js";
import { seatKey, sideInToken, tokenFromHash } from "../lib/token.js";

/** @import { JoinAck, Kind, RoomView, Signal, SignalFrom } from "../lib/messages.js" */
/** @import { LinkState } from "../lib/offering-link.js" */
/** @import { ClientState, RoomError } from "../lib/room-client.js" */
/** @import { Device } from "../lib/media-devices.js" */

/**
 * Everything that `render` draws, besides the devices.
 *
 * @typedef {{
 *   page: "green-room"|"stage"|"over", client: ClientState|"idle", refusal: string, ending: string,
 *   notice: string, room: RoomView|null, ack: JoinAck|null, peer: LinkState, bridge: LinkState,
 *   received: MediaStreamTrack[],
 * }} State `received` is in the order of the m-lines
 */

const text = await loadText();
const main = one("main");
const token = tokenFromHash();
const ownSide = sideInToken(token);
const preview = one("#preview", HTMLVideoElement);
const self = one("#self", HTMLVideoElement);
const opponentVideo = one("#opponent", HTMLVideoElement);
const button = {
  join: one("[data-testid=join]", HTMLButtonElement),
  mute: one("[data-testid=mute]", HTMLButtonElement),
  camera: one("[data-testid=camera]", HTMLButtonElement),
  share: one("[data-testid=share]", HTMLButtonElement),
  leave: one("[data-testid=leave]", HTMLButtonElement),
};
const select = {
  camera: one("#camera-device", HTMLSelectElement),
  microphone: one("#microphone-device", HTMLSelectElement),
};
/** @type {readonly Device[]} */
const DEVICES = ["camera", "microphone"];

/** @type {State} */
const state = {
  page: main.dataset.state === "over" ? "over" : "green-room",
  client: "idle",
  refusal: token ? "" : text("debate.no_token"),
  ending: text("debate.over"),
  notice: "",
  room: null,
  ack: null,
  peer: "absent",
  bridge: "absent",
  received: [],
};

const meter = new LevelMeter(one("#level", HTMLMeterElement));
const capture = new Capture(onTrack);
const client = new RoomClient({
  token,
  join: () => ({ seat_key: seatKey(main.dataset.room ?? "", token), media: capture.state }),
  onJoined,
  onRoom,
  onSignal,
  onReplaced: () => end(text("debate.replaced")),
  onState: onClientState,
});
const peer = new PeerLink({
  tracks: capture.tracks,
  send: sendSignal,
  onState: (link) => update({ peer: link }),
  onReceivers: (received) => update({ received }),
});
const bridge = new BridgeLink({
  tracks: capture.tracks,
  send: sendSignal,
  onState: (link) => update({ bridge: link }),
});

/** @param {Partial<State>} changes */
function update(changes) {
  Object.assign(state, changes);
  render();
}

/** @param {Signal} signal */
function sendSignal(signal) {
  return client.send("signal", signal);
}

/** @param {JoinAck} ack */
function onJoined(ack) {
  const isFirst = state.page === "green-room";
  state.ack = ack;
  state.page = "stage";
  meter.close();
  onRoom(ack.room);
  if (isFirst && state.page === "stage") main.focus();
}

/** @param {RoomView} room */
function onRoom(room) {
  if (!state.ack || state.page === "over") return;
  update({ room });
  if (room.phase === "ended") {
    end(text("debate.over"));
    return;
  }
  peer.follow(room, state.ack);
  bridge.follow(room, state.ack);
}

/** @param {SignalFrom} signal */
function onSignal(signal) {
  if (signal.from === "bridge") bridge.take(signal);
  else peer.take(signal);
}

/**
 * @param {ClientState} clientState
 * @param {RoomError} [error]
 */
function onClientState(clientState, error) {
  if (clientState !== "refused") {
    update({ client: clientState });
    return;
  }
  const refusal = text("debate.refused", { detail: error?.message ?? "" });
  if (error?.code === "room_ended") end(text("debate.over"));
  else if (state.page === "stage") end(refusal);
  else update({ client: "refused", refusal });
}

/**
 * @param {Kind} kind
 * @param {MediaStreamTrack|null} track
 */
function onTrack(kind, track) {
  peer.replaceTrack(kind, track);
  bridge.replaceTrack(kind, track);
  if (kind === "microphone" && state.page === "green-room") meter.measure(track);
  mediaChanged();
}

function mediaChanged() {
  render();
  if (state.client !== "joined") return;
  // Lost on the way: the next join tells it.
  client.send("media", capture.state).catch((error) => console.debug("media not told:", error.message));
}

/** @param {string} words why it is over */
function end(words) {
  // First of all, so that giving the devices back is not told to the room.
  Object.assign(state, { page: "over", ending: words, client: "idle" });
  peer.close();
  bridge.close();
  meter.close();
  capture.close();
  client.close();
  update({ peer: "absent", bridge: "absent", received: [] });
}

/** @param {Device} device */
function faultWords(device) {
  const fault = capture.faults[device];
  return fault && fault !== "insecure" ? text(`debate.${device}_${fault}`) : "";
}

/** What is wrong with camera and microphone, in words. */
function faults() {
  if (!isAvailable()) return text("debate.insecure");
  return DEVICES.map(faultWords).filter(Boolean).join(" ");
}

/**
 * Gives a video these tracks; the same ones again change nothing.
 *
 * @param {HTMLVideoElement} video
 * @param {(MediaStreamTrack|null|undefined)[]} wanted
 */
function play(video, wanted) {
  const tracks = wanted.filter((track) => track !== null && track !== undefined);
  const shown = video.srcObject instanceof MediaStream ? video.srcObject.getTracks() : [];
  if (tracks.length === shown.length && tracks.every((track) => shown.includes(track))) return;
  video.srcObject = tracks.length > 0 ? new MediaStream(tracks) : null;
  // Overtaken by the next change of tracks.
  if (tracks.length > 0) video.play().catch((error) => console.debug("not playing:", error.name));
}

function opponent() {
  return state.room && state.ack ? opponentOf(state.room, state.ack.you.seat) : null;
}

function opponentName() {
  return (ownSide === "proposition" ? main.dataset.opposition : main.dataset.proposition) ?? "";
}

/** Says which side is whose: words on both pages, the side's colour on the pictures. */
function nameSides() {
  if (!ownSide) return;
  const name = main.dataset[ownSide] ?? "";
  setText(one("#your-side"), text(`debate.you_are_${ownSide}`, { name }));
  setText(one("#stage-side"), text(`debate.you_are_${ownSide}`, { name }));
  setText(one("#opponent-name"), opponentName());
  one(".stage-self").dataset.side = ownSide;
  one(".stage-opponent").dataset.side = ownSide === "proposition" ? "opposition" : "proposition";
  one("#your-side").dataset.side = ownSide;
  one("#stage-side").dataset.side = ownSide;
}

function opponentWords() {
  const participant = opponent();
  const name = opponentName();
  if (!participant) return text("debate.opponent_absent", { name });
  if (state.peer !== "connected") return text("debate.opponent_connecting", { name });
  const { camera, screen, microphone } = participant.media;
  if (!camera && !screen) return text("debate.opponent_no_camera", { name });
  return microphone ? "" : text("debate.opponent_muted", { name });
}

function stageWords() {
  if (state.client === "away" || state.client === "connecting") return text("debate.away");
  if (state.notice) return state.notice;
  return capture.state.microphone ? "" : text("debate.you_are_muted");
}

function renderGreenRoom() {
  play(preview, [state.page === "green-room" ? capture.tracks.camera : null]);
  setText(one("#media-error"), state.refusal || faults());
  const isJoining = state.client !== "idle" && state.client !== "refused";
  button.join.disabled = isJoining || !token;
  setText(button.join, text(isJoining ? "debate.joining" : "debate.join"));
  for (const device of DEVICES) select[device].disabled = select[device].options.length === 0;
}

function renderControls() {
  const { microphone, camera, screen } = capture.state;
  button.mute.setAttribute("aria-pressed", String(!microphone));
  button.camera.setAttribute("aria-pressed", String(!camera));
  button.share.setAttribute("aria-pressed", String(screen));
  show(button.share, isAvailable() && "getDisplayMedia" in navigator.mediaDevices);
}

function renderStage() {
  const [sound, camera, screen] = state.received;
  const media = opponent()?.media;
  const picture = media?.screen ? screen : media?.camera ? camera : null;
  play(opponentVideo, media ? [sound, picture] : []);
  play(self, [state.page === "stage" ? capture.tracks.camera : null]);
  setText(one("#opponent-status"), opponentWords());
  setText(one("#bridge-status"), text(`debate.bridge_${state.bridge}`));
  setText(one("#stage-status"), stageWords());
  show(one("#on-air"), state.room?.phase === "live");
  renderControls();
}

function render() {
  main.dataset.state = state.page;
  main.dataset.peer = state.peer;
  main.dataset.bridge = state.bridge;
  for (const page of ["green-room", "stage", "over"]) show(one(`#${page}`), page === state.page);
  renderGreenRoom();
  renderStage();
  setText(one("#over-text"), state.ending);
}

/** @param {Device} device */
async function fillDevices(device) {
  const found = await capture.list(device);
  const present = capture.tracks[device]?.getSettings().deviceId;
  const options = found
    .filter(({ deviceId }) => deviceId !== "")
    .map(({ deviceId, label }, index) => {
      const words = label || text(`debate.${device}_number`, { number: index + 1 });
      return new Option(words, deviceId, false, deviceId === present);
    });
  select[device].replaceChildren(...options);
}

async function refreshDevices() {
  await Promise.all(DEVICES.map(fillDevices));
  render();
}

/** @param {Device} device */
async function choose(device) {
  await capture.open(device, select[device].value);
  if (state.page === "green-room") await refreshDevices();
}

function toggleMicrophone() {
  if (capture.tracks.microphone) {
    capture.muted = !capture.muted;
    mediaChanged();
    return;
  }
  capture.muted = false;
  reopen("microphone");
}

function toggleCamera() {
  if (capture.tracks.camera) capture.stop("camera");
  else reopen("camera");
}

/** @param {Device} device */
async function reopen(device) {
  await capture.open(device, select[device].value);
  if (state.page === "stage") update({ notice: faultWords(device) });
}

async function toggleScreen() {
  if (capture.tracks.screen) {
    capture.stop("screen");
    return;
  }
  try {
    await capture.openScreen();
    update({ notice: "" });
  } catch (error) {
    // Closing the browser's own question is an answer, not a fault.
    if (error instanceof DOMException && error.name === "NotAllowedError") return;
    console.warn("no screen:", error);
    update({ notice: text("debate.screen_failed") });
  }
}

async function leave() {
  button.leave.disabled = true;
  try {
    await client.send("leave", {});
  } catch (error) {
    console.debug("left without an answer:", error);
  }
  end(text("debate.left"));
}

/** @param {KeyboardEvent} event */
function onKey(event) {
  if (state.page !== "stage" || event.repeat || isTyping(event)) return;
  const key = event.key.toLowerCase();
  if (key === "m") toggleMicrophone();
  else if (key === "v") toggleCamera();
}

function listen() {
  button.join.addEventListener("click", () => {
    state.refusal = "";
    client.start();
  });
  button.mute.addEventListener("click", toggleMicrophone);
  button.camera.addEventListener("click", toggleCamera);
  button.share.addEventListener("click", toggleScreen);
  button.leave.addEventListener("click", leave);
  for (const device of DEVICES) select[device].addEventListener("change", () => choose(device));
  document.addEventListener("keydown", onKey);
  if (!isAvailable()) return;
  navigator.mediaDevices.addEventListener("devicechange", () => {
    if (state.page === "green-room") refreshDevices();
  });
}

Object.assign(window, { __debate: { peer: () => peer.pc, bridge: () => bridge.pc } });
nameSides();
listen();
render();
if (state.page === "green-room" && token) {
  await capture.openBoth();
  await refreshDevices();
}
