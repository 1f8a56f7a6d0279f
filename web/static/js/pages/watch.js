// The watch page: waits for the debate, plays it, and offers the recording afterwards.

import { Api, ApiError } from "../lib/api.js";
import { isTyping, one, setText, show } from "../lib/dom.js";
import { loadText } from "../lib/i18n.js";
import { Player } from "../lib/player.js";

/** @import { Recording, RoomState } from "../lib/api.js" */
/** @import { PlayerState } from "../lib/player.js" */

const POLL_MILLISECONDS = { waiting: 2000, live: 5000, ended: 2000 };
/** A debate that was never on air has no recording, however long one asks. */
const MOST_POLLS_WITHOUT_RECORDING = 15;
const FIGURES_MILLISECONDS = 500;
/** More than this is behind on purpose or after a pause: below, the player catches up by itself. */
const BEHIND_SECONDS = 6;
const SEEK_SECONDS = 5;
const LAST_WORDS_MILLISECONDS = 3000;
const VOLUME_STEP = 0.1;

const text = await loadText();
const main = one("main");
const figure = one("#player");
const video = one("#programme", HTMLVideoElement);
const volume = one("#volume", HTMLInputElement);
const api = new Api();
const seconds = new Intl.NumberFormat(document.documentElement.lang, {
  minimumFractionDigits: 1,
  maximumFractionDigits: 1,
});

/** @type {{phase: RoomState["phase"], recordings: Recording[], player: PlayerState, away: boolean}} */
const state = {
  phase: /** @type {RoomState["phase"]} */ (main.dataset.state),
  recordings: [],
  player: "loading",
  away: false,
};
/** @type {Player|null} */
let player = null;
let emptyPolls = 0;
/** @type {ReturnType<typeof setTimeout>|undefined} */
let closing;

/**
 * An address of the API on this page's own origin: a proxy may know the server by another name.
 *
 * @param {string} url
 */
function pathOf(url) {
  return new URL(url, location.href).pathname;
}

/** The recording, as far as there is one: the newest. */
function recording() {
  return state.recordings.toSorted((one, other) => other.started_at - one.started_at)[0];
}

/** @param {string} url */
function open(url) {
  player = new Player(video, {
    onState: (playerState) => {
      state.player = playerState;
      render();
    },
  });
  Object.assign(window, { __player: player });
  player.load(pathOf(url));
}

/** @param {RoomState} room */
function take(room) {
  state.recordings = room.recordings;
  if (room.phase === "ended" && player) {
    closing ??= setTimeout(close, LAST_WORDS_MILLISECONDS);
    return;
  }
  state.phase = room.phase;
  if (room.phase === "live" && room.hls && !player) open(room.hls);
  render();
}

/** The viewer is behind the debate: its last words are still to come when it has ended. */
function close() {
  player?.destroy();
  player = null;
  state.phase = "ended";
  render();
}

function isDone() {
  if (state.phase !== "ended") return false;
  const latest = recording();
  if (!latest) return ++emptyPolls >= MOST_POLLS_WITHOUT_RECORDING;
  return latest.state === "ready" || latest.state === "failed";
}

async function poll() {
  try {
    take(await api.room(main.dataset.room ?? ""));
    state.away = false;
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    // The player has its own connection and its own words.
    console.debug("the room does not answer:", error.message);
    state.away = true;
    render();
  }
  if (state.away || !isDone()) setTimeout(poll, POLL_MILLISECONDS[state.phase]);
}

function playerWords() {
  if (state.player === "offline") return text("watch.offline");
  if (state.player === "stalled") return text("watch.stalled");
  return state.player === "loading" ? text("watch.loading") : "";
}

function endedWords() {
  const latest = recording();
  if (latest?.state === "ready") return text("watch.recording_ready");
  if (latest?.state === "failed") return text("watch.recording_failed");
  return latest ? text("watch.recording_finishing") : text("watch.ended");
}

function renderFigures() {
  if (state.phase !== "live") return;
  const latency = player?.latency ?? null;
  const isBehind = video.paused || (latency !== null && latency > BEHIND_SECONDS);
  setText(one("#latency"), latency === null ? "" : text("watch.latency", { seconds: seconds.format(latency) }));
  show(one("#go-live"), isBehind && state.player !== "loading");
  one("#live-badge").dataset.behind = String(isBehind || state.player !== "playing");
}

function renderPlayer() {
  const isSilent = video.muted || video.volume === 0;
  setText(one("#player-status"), playerWords());
  one("#play").dataset.on = String(!video.paused);
  one("#mute").setAttribute("aria-pressed", String(isSilent));
  show(one("#unmute"), video.muted);
  volume.value = String(isSilent ? 0 : video.volume);
  renderFigures();
}

function renderRecording() {
  const latest = recording();
  const file = latest?.state === "ready" ? latest.files[0] : undefined;
  const recorded = one("#recording", HTMLVideoElement);
  const download = one("#recording-download", HTMLAnchorElement);
  setText(one("#ended-text"), endedWords());
  show(recorded, file !== undefined);
  show(download, file !== undefined);
  if (!file || recorded.hasAttribute("src")) return;
  recorded.src = pathOf(file.url);
  download.href = `${pathOf(file.url)}?download=1`;
}

function render() {
  main.dataset.state = state.phase;
  show(one("#waiting"), state.phase === "waiting");
  show(figure, state.phase === "live");
  show(one("#ended"), state.phase === "ended");
  if (state.phase === "live") renderPlayer();
  if (state.phase === "ended") renderRecording();
}

function togglePlay() {
  if (!video.paused) video.pause();
  else player?.goLive();
}

function toggleSound() {
  video.muted = !video.muted;
  if (!video.muted && video.volume === 0) video.volume = 1;
}

/** @param {number} wanted */
function setVolume(wanted) {
  video.volume = Math.min(1, Math.max(0, wanted));
  video.muted = video.volume === 0;
}

async function toggleFullscreen() {
  try {
    if (document.fullscreenElement) await document.exitFullscreen();
    else if (figure.requestFullscreen) await figure.requestFullscreen();
    else Reflect.get(video, "webkitEnterFullscreen")?.call(video);
  } catch (error) {
    console.debug("no full screen:", error);
  }
}

async function togglePictureInPicture() {
  try {
    if (document.pictureInPictureElement) await document.exitPictureInPicture();
    else await video.requestPictureInPicture();
  } catch (error) {
    console.debug("no picture in picture:", error);
  }
}

/** @type {Record<string, () => void>} */
const KEYS = {
  " ": togglePlay,
  k: togglePlay,
  m: toggleSound,
  f: toggleFullscreen,
  ArrowLeft: () => player?.seekBy(-SEEK_SECONDS),
  ArrowRight: () => player?.seekBy(SEEK_SECONDS),
  ArrowUp: () => setVolume(video.volume + VOLUME_STEP),
  ArrowDown: () => setVolume(video.volume - VOLUME_STEP),
};

/** @param {KeyboardEvent} event */
function onKey(event) {
  if (state.phase !== "live" || event.shiftKey || isTyping(event)) return;
  const { key, target } = event;
  const action = KEYS[key.length === 1 ? key.toLowerCase() : key];
  const focused = target instanceof Element ? target : null;
  // The space bar presses a focused button, and up and down scroll the page outside the player.
  const isTaken =
    (key === " " && focused?.closest("button, a")) ||
    ((key === "ArrowUp" || key === "ArrowDown") && !figure.contains(focused) && !document.fullscreenElement);
  if (!action || isTaken || (event.repeat && !key.startsWith("Arrow"))) return;
  event.preventDefault();
  action();
}

function listen() {
  one("#play").addEventListener("click", togglePlay);
  video.addEventListener("click", togglePlay);
  one("#mute").addEventListener("click", toggleSound);
  one("#unmute").addEventListener("click", toggleSound);
  one("#go-live").addEventListener("click", () => player?.goLive());
  one("#fullscreen").addEventListener("click", toggleFullscreen);
  one("#pip").addEventListener("click", togglePictureInPicture);
  video.addEventListener("ended", () => closing && close());
  volume.addEventListener("input", () => setVolume(Number(volume.value)));
  for (const event of ["play", "pause", "volumechange"]) video.addEventListener(event, render);
  document.addEventListener("keydown", onKey);
  setInterval(renderFigures, FIGURES_MILLISECONDS);
}

show(one("#pip"), document.pictureInPictureEnabled === true);
listen();
render();
await poll();
