// The host console: shows the newest RoomView, and asks before it does what viewers notice.

import { Api, ApiError } from "../lib/api.js";
import { one, setText, show } from "../lib/dom.js";
import { loadText } from "../lib/i18n.js";
import { RoomClient } from "../lib/room-client.js";
import { tokenFromHash } from "../lib/token.js";
import { showLinks } from "./host-links.js";
import { Preview } from "./host-preview.js";
import { OutputDesk } from "./host-outputs.js";
import { renderLevels } from "./host-meters.js";
import { SceneDesk } from "./host-scenes.js";
import { renderSeat, setState } from "./host-seats.js";

/** @import { RoomView, Side } from "../lib/messages.js" */
/** @import { ClientState, RoomError } from "../lib/room-client.js" */
/** @typedef {"waiting"|"rehearsal"|"live"|"ended"} ConsoleState */

/** @type {readonly Side[]} */
const SIDES = ["proposition", "opposition"];
const BROADCAST_TONES = {
  off: "idle",
  starting: "caution",
  on: "good",
  restarting: "fault",
  ending: "caution",
};

const text = await loadText();
const main = one("main");
const roomId = main.dataset.room ?? "";
const token = tokenFromHash();
const api = new Api(token);
const preview = new Preview(text);
const outputs = new OutputDesk(api, roomId, text);
const scenes = new SceneDesk((choice) => act(() => api.chooseScene(roomId, choice)), text);
/** @type {RoomView|null} */
let room = null;
let working = false;
let connected = false;

/** @param {string} words */
function complain(words) {
  setText(one("#host-error"), words);
}

/**
 * Complains about what only another link or a reload mends.
 *
 * @param {string} words
 */
function refuse(words) {
  complain(words);
  setText(one("#action-hint"), "");
}

/**
 * What the console shows: the phase, with a rehearsal told apart from waiting.
 *
 * @param {RoomView} room
 * @returns {ConsoleState}
 */
function consoleState(room) {
  if (room.phase !== "waiting") return room.phase;
  return room.rehearsal ? "rehearsal" : "waiting";
}

/** @param {RoomView} room */
function absentSides(room) {
  const here = new Set(room.participants.map(({ seat }) => seat));
  return SIDES.filter((side) => !here.has(side));
}

/**
 * @param {RoomView} room
 * @param {ConsoleState} state
 */
function hint(room, state) {
  if (working) return text("host.working");
  if (state !== "waiting") return text(`host.hint_${state}`);
  const [first, second] = absentSides(room);
  if (second) return text("host.hint_empty");
  if (first) return text("host.hint_one", { name: room.names[first] });
  return text("host.hint_ready");
}

/**
 * @param {RoomView} room
 * @param {ConsoleState} state
 */
function renderActions(room, state) {
  const idle = connected && !working;
  const rehearse = one("#rehearse", HTMLButtonElement);
  const goLive = one("#go-live", HTMLButtonElement);
  const end = one("#end", HTMLButtonElement);
  show(rehearse, state === "waiting" || state === "rehearsal");
  show(goLive, state === "waiting" || state === "rehearsal");
  show(end, state === "live");
  const toRecordings = one("#to-recordings", HTMLAnchorElement);
  show(toRecordings, state === "ended");
  // With the token, so that the page knows whose recording it is.
  toRecordings.href = `/recordings#${token}`;
  setText(rehearse, text(state === "rehearsal" ? "host.rehearse_stop" : "host.rehearse"));
  rehearse.disabled = !idle || room.broadcast === "ending";
  goLive.disabled = !idle || room.broadcast === "ending";
  end.disabled = !idle;
  setText(one("#action-hint"), connected ? hint(room, state) : text("host.away"));
}

/** @param {RoomView} room */
function renderBroadcast(room) {
  const { programme, restarts } = room.host ?? {};
  setState(one("#broadcast-state"), BROADCAST_TONES[room.broadcast], text(`host.broadcast_${room.broadcast}`));
  const key = restarts ? "host.figures_restarts" : "host.figures";
  const figures = programme ? text(key, { ...programme, restarts }) : "";
  const { viewers = 0, viewers_latency: latency = null } = room.host ?? {};
  const audience = viewers > 0 ? text(latency === null ? "host.viewers" : "host.viewers_behind", { viewers, seconds: (latency ?? 0).toFixed(1) }) : "";
  setText(one("#programme-figures"), [figures, audience].filter(Boolean).join(" · "));
}

/** @param {ConsoleState} state */
function renderPhase(state) {
  main.dataset.state = state;
  const phase = one("#phase");
  setState(phase, state === "rehearsal" ? "caution" : "idle", text(`host.phase_${state}`));
  show(phase, state !== "live");
  show(one("#on-air"), state === "live");
  show(one("#clock"), state === "live");
}

function render() {
  if (room === null) return;
  const state = consoleState(room);
  renderPhase(state);
  for (const side of SIDES) renderSeat(room, side, text);
  renderActions(room, state);
  renderBroadcast(room);
  outputs.render(room.host, { live: state === "live", over: state === "ended" });
  scenes.render(room, connected && state !== "ended");
  if (!room.host?.programme) renderLevels(null, SIDES, text);
  preview.follow(room.broadcast === "on" ? room.host?.preview_url : undefined, state === "ended");
}

function tickClock() {
  if (room?.phase !== "live" || !room.started_at) return;
  const seconds = Math.max(0, Math.floor(Date.now() / 1000 - room.started_at));
  /** @param {number} number */
  const two = (number) => String(number).padStart(2, "0");
  const clock = `${Math.floor(seconds / 3600)}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
  setText(one("#clock"), clock);
}

/**
 * Asks the server for one change; buttons wait, and a refusal is told in the server's words.
 *
 * @param {() => Promise<unknown>} request
 */
async function act(request) {
  working = true;
  complain("");
  render();
  try {
    await request();
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    complain(error.status === 0 ? text("site.unreachable") : error.message);
  } finally {
    working = false;
    render();
  }
}

/** @param {RoomView} room */
function goLiveWarning(room) {
  const [first, second] = absentSides(room);
  if (second) return text("host.go_live_nobody");
  return first ? text("host.go_live_absent", { name: room.names[first] }) : "";
}

/**
 * @param {HTMLDialogElement} dialog
 * @param {() => void} onYes
 */
function ask(dialog, onYes) {
  dialog.returnValue = "";
  dialog.addEventListener("close", () => dialog.returnValue === "yes" && onYes(), { once: true });
  dialog.showModal();
}

async function loadLinks() {
  showLinks(await api.links(roomId), text);
}

/**
 * @param {ClientState} state
 * @param {RoomError} [error]
 */
function onState(state, error) {
  connected = state === "joined";
  render();
  if (state === "refused") refuse(text("host.refused", { detail: error?.message ?? "" }));
}

function listen() {
  one("#rehearse").addEventListener("click", () =>
    act(() => (main.dataset.state === "rehearsal" ? api.stop(roomId) : api.rehearse(roomId))),
  );
  one("#go-live").addEventListener("click", () => {
    setText(one("#go-live-warning"), room ? goLiveWarning(room) : "");
    ask(one("#go-live-dialog", HTMLDialogElement), () => act(() => api.start(roomId)));
  });
  one("#end").addEventListener("click", () =>
    ask(one("#end-dialog", HTMLDialogElement), () => act(() => api.stop(roomId))),
  );
  setInterval(tickClock, 250);
}

function start() {
  listen();
  const client = new RoomClient({
    token,
    join: () => ({}),
    onJoined: (ack) => {
      room = ack.room;
      render();
    },
    onRoom: (newest) => {
      room = newest;
      render();
    },
    onSignal: () => {},
    onLevels: (levels) => renderLevels(levels, SIDES, text),
    onReplaced: () => {
      onState("refused");
      refuse(text("host.replaced"));
    },
    onState,
  });
  client.start();
  return act(loadLinks);
}

if (token) await start();
else refuse(text("host.no_token"));
