// A debater's page: the green room, the stage, and the end.

import { isTyping, one, setText, show } from "../lib/dom.js";
import { loadText } from "../lib/i18n.js";
import { BridgeLink } from "../lib/bridge-link.js";
import { LevelMeter } from "../lib/level-meter.js";
import { Capture, isAvailable } from "../lib/media-devices.js";
import { PeerLink, opponentOf } from "../lib/peer-link.js";
import { ReturnPass } from "../lib/return-pass.js";
import { RoomClient } from "../lib/room-client.js";
import { seatKey, sideInToken, tokenFromHash } from "../lib/token.js";
import { Network } from "./debate-network.js";
import { StageView, play } from "./debate-stage.js";

/** @import { JoinAck, Kind, Participant, RoomView, Signal, SignalFrom } from "../lib/messages.js" */
/** @import { Sample } from "../lib/network-health.js" */
/** @import { Pass } from "../lib/return-pass.js" */
/** @import { LinkState } from "../lib/offering-link.js" */
/** @import { ClientState, RoomError } from "../lib/room-client.js" */
/** @import { Device } from "../lib/media-devices.js" */

/**
 * Everything that `render` draws, besides the devices.
 *
 * @typedef {{
 *   page: "green-room"|"stage"|"over", client: ClientState|"idle", refusal: string, ending: string,
 *   notice: string, room: RoomView|null, ack: JoinAck|null, peer: LinkState, bridge: LinkState,
 *   received: MediaStreamTrack[], sample: Sample|null, opponent: Participant|null,
 *   bridgeRefusal: string,
 * }} State `received` is in the order of the m-lines; `opponent` as last seen in the room
 */

const text = await loadText();
const main = one("main");
const token = tokenFromHash();
const ownSide = sideInToken(token);
const preview = one("#preview", HTMLVideoElement);
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
  bridgeRefusal: "",
  sample: null,
  opponent: null,
};

const pass = new ReturnPass(main.dataset.room ?? "", token);
const stage = new StageView(text, askForClick);
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
  onState: (link) => update(link === "connected" ? { bridge: link, bridgeRefusal: "" } : { bridge: link }),
  onRefusal: (bridgeRefusal) => update({ bridgeRefusal }),
});
const network = new Network({
  client,
  peer,
  bridge,
  media: () => capture.state,
  hasBridge: () => state.bridge !== "absent",
  onSample: (sample) => update({ sample }),
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
  if (isFirst) network.start();
  network.joined();
  keepPass();
  // A device may have opened or gone while the join was on its way.
  tellMedia();
  onRoom(ack.room);
  if (isFirst && state.page === "stage") main.focus();
}

/** @param {RoomView} room */
function onRoom(room) {
  if (!state.ack || state.page === "over") return;
  state.opponent = opponentOf(room, state.ack.you.seat) ?? state.opponent;
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
  keepPass();
  if (state.client === "joined") tellMedia();
}

function tellMedia() {
  // Lost on the way: the next join tells it.
  client.send("media", capture.state).catch((error) => console.debug("media not told:", error.message));
}

/** @param {string} words why it is over */
function end(words) {
  // First of all, so that giving the devices back is not told to the room.
  Object.assign(state, { page: "over", ending: words, client: "idle" });
  pass.drop();
  network.close();
  peer.close();
  bridge.close();
  meter.close();
  capture.close();
  client.close();
  update({ peer: "absent", bridge: "absent", received: [] });
}

/** Remembers where a reload comes back to. */
function keepPass() {
  if (state.page !== "stage") return;
  /** @param {Device} device */
  const id = (device) => (capture.tracks[device] ? select[device].value : null);
  pass.keep({ camera: id("camera"), microphone: id("microphone"), muted: capture.muted });
}

/** Some browsers play nothing on a page that was reloaded before it was clicked. */
function askForClick() {
  update({ notice: text("debate.click_to_hear", { name: opponentName() }) });
  const video = one("#opponent", HTMLVideoElement);
  addEventListener("pointerdown", () => video.play().then(() => update({ notice: "" }), console.debug), { once: true });
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

/** The opponent; also one whom the room has forgotten while the server was away, but whom we see. */
function opponent() {
  const found = state.room && state.ack ? opponentOf(state.room, state.ack.you.seat) : null;
  return found ?? (state.peer === "connected" ? state.opponent : null);
}

function opponentName() {
  return (ownSide === "proposition" ? main.dataset.opposition : main.dataset.proposition) ?? "";
}

function renderGreenRoom() {
  play(preview, [state.page === "green-room" ? capture.tracks.camera : null]);
  setText(one("#media-error"), state.refusal || faults());
  const isJoining = state.client !== "idle" && state.client !== "refused";
  button.join.disabled = isJoining || !token;
  setText(button.join, text(isJoining ? "debate.joining" : "debate.join"));
  for (const device of DEVICES) select[device].disabled = select[device].options.length === 0;
}

function renderStage() {
  const own = state.room?.participants.find(({ seat }) => seat === state.ack?.you.seat);
  stage.render({
    ...state,
    live: state.room?.phase === "live",
    name: opponentName(),
    opponent: opponent(),
    ingest: own?.ingest ?? null,
    self: state.page === "stage" ? capture.tracks.camera : null,
    media: capture.state,
    step: network.uplink.step,
  });
  show(button.share, isAvailable() && "getDisplayMedia" in navigator.mediaDevices);
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

/**
 * Back to the stage with the same devices. A camera or microphone that does not come back wants a
 * person: the green room says what is wrong.
 *
 * @param {Pass} kept
 */
async function comeBack({ camera, microphone, muted }) {
  capture.muted = muted;
  if (camera !== null) await capture.open("camera", camera);
  if (microphone !== null) await capture.open("microphone", microphone);
  await refreshDevices();
  if (!faults()) client.start();
}

Object.assign(window, { __debate: { peer: () => peer.pc, bridge: () => bridge.pc, uplink: network.uplink } });
if (ownSide) stage.nameSides(ownSide, { proposition: "", opposition: "", ...main.dataset });
listen();
render();
if (state.page === "green-room" && token) {
  const kept = pass.read();
  if (kept) {
    await comeBack(kept);
  } else {
    await capture.openBoth();
    await refreshDevices();
  }
}
