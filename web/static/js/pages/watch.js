// The watch page: waits for the debate, plays it live or from any moment on, and afterwards the whole.

import { Api, ApiError } from "../lib/api.js";
import { one, setText, show } from "../lib/dom.js";
import { loadText } from "../lib/i18n.js";
import { Player } from "../lib/player.js";
import { ServerClock } from "../lib/server-clock.js";
import { Heartbeat } from "./watch-heartbeat.js";
import { Transport } from "./watch-transport.js";

/** @import { Recording, RoomState } from "../lib/api.js" */
/** @import { PlayerState, Programme } from "../lib/player.js" */

const POLL_MILLISECONDS = { waiting: 2000, live: 5000, ended: 2000 };
/** A debate that was never on air has no recording, however long one asks. */
const MOST_POLLS_WITHOUT_RECORDING = 15;
const LAST_WORDS_MILLISECONDS = 3000;

const text = await loadText();
const main = one("main");
const room = main.dataset.room ?? "";
const video = one("#programme", HTMLVideoElement);
const api = new Api();
const clock = new ServerClock(() => api.time());

/**
 * @type {{
 *   phase: RoomState["phase"], vod: boolean, recordings: Recording[], player: PlayerState, away: boolean,
 *   viewers: number,
 * }} `vod`: the whole of the ended debate is there
 */
const state = {
  phase: /** @type {RoomState["phase"]} */ (main.dataset.state),
  vod: false,
  recordings: [],
  player: "loading",
  away: false,
  viewers: 0,
};
/** @type {Player|null} */
let player = null;
let emptyPolls = 0;
/** @type {ReturnType<typeof setTimeout>|undefined} */
let closing;

const transport = new Transport(one("#player"), video, text, () => player);
const heartbeat = new Heartbeat({
  beat: (viewer, latency) => api.watching(room, viewer, latency),
  leave: (viewer) => api.notWatching(room, viewer),
  latency: () => player?.latency ?? null,
  onCount: (viewers) => {
    state.viewers = viewers;
    render();
  },
});

/**
 * An address of the API on this page's own origin: a proxy may know the server by another name.
 *
 * @param {string|null} url
 */
function pathOf(url) {
  return url && new URL(url, location.href).pathname;
}

/** The recording, as far as there is one: the newest. */
function recording() {
  return state.recordings.toSorted((one, other) => other.started_at - one.started_at)[0];
}

/** @param {Programme} programme */
function open(programme) {
  player = new Player(video, {
    clock,
    onState: (playerState) => {
      state.player = playerState;
      render();
      // Either the debate has ended or the server goes away for a moment: the room tells.
      if (playerState === "finished") ask();
    },
  });
  Object.assign(window, { __player: player });
  player.load(programme);
}

/** @param {RoomState} now */
function take(now) {
  state.recordings = now.recordings;
  /** @type {Programme} */
  const programme = { dvr: pathOf(now.dvr), vod: pathOf(now.vod) };
  if (now.started_at) programme.begin = now.started_at * 1000;
  player?.update(programme);
  state.vod = now.vod !== null;
  if (now.phase === "ended" && state.phase === "live" && player) {
    if (state.player !== "finished") {
      closing ??= setTimeout(close, LAST_WORDS_MILLISECONDS);
      return;
    }
    close();
  }
  state.phase = now.phase;
  if (now.phase === "live" && now.hls && !player) {
    open({ ...programme, live: pathOf(now.hls) });
    heartbeat.start();
  }
  if (now.phase === "ended" && now.vod && !player) open(programme);
  render();
}

/** The viewer is behind the debate: its last words are still to come when it has ended. */
function close() {
  clearTimeout(closing);
  player?.destroy();
  player = null;
  heartbeat.stop();
  state.phase = "ended";
  render();
}

function isDone() {
  if (state.phase !== "ended") return false;
  const latest = recording();
  if (!latest) return ++emptyPolls >= MOST_POLLS_WITHOUT_RECORDING;
  return latest.state === "ready" || latest.state === "failed";
}

async function ask() {
  try {
    take(await api.room(room));
    state.away = false;
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    // The player has its own connection and its own words.
    console.debug("the room does not answer:", error.message);
    state.away = true;
    render();
  }
}

async function poll() {
  await ask();
  if (state.away || !isDone()) setTimeout(poll, POLL_MILLISECONDS[state.phase]);
}

function endedWords() {
  const latest = recording();
  if (latest?.state === "ready") return text("watch.recording_ready");
  if (state.vod) return text("watch.ended_whole");
  if (latest?.state === "failed") return text("watch.recording_failed");
  return latest ? text("watch.recording_finishing") : text("watch.ended");
}

function renderRecording() {
  const latest = recording();
  const file = latest?.state === "ready" ? latest.files[0] : undefined;
  const recorded = one("#recording", HTMLVideoElement);
  const download = one("#recording-download", HTMLAnchorElement);
  setText(one("#ended-text"), endedWords());
  show(recorded, file !== undefined && !player);
  show(download, file !== undefined);
  if (!file) return;
  const path = pathOf(file.url) ?? "";
  download.href = `${path}?download=1`;
  if (!player && !recorded.hasAttribute("src")) recorded.src = path;
}

function render() {
  main.dataset.state = state.phase;
  show(one("#waiting"), state.phase === "waiting");
  show(one("#player"), state.phase === "live" || player !== null);
  show(one("#ended"), state.phase === "ended");
  transport.render(state.player, state.phase === "live" ? state.viewers : 0);
  if (state.phase === "ended") renderRecording();
}

video.addEventListener("ended", () => closing && close());
clock.start();
render();
await poll();
