// The list of recordings; for the host of one of them, what he may do with it.

import { Api, ApiError } from "../lib/api.js";
import { one, setText, show } from "../lib/dom.js";
import { loadText } from "../lib/i18n.js";
import { tokenFromHash } from "../lib/token.js";
import { RecordingPlayer } from "./recordings-player.js";
import { clock, secondsOf } from "./recordings-time.js";

/** @import { Recording, RecordingFile } from "../lib/api.js" */

const REFRESH_MILLISECONDS = 3000;
/** @type {Record<Recording["state"], string>} */
const TONES = { recording: "fault", finishing: "caution", ready: "good", failed: "fault" };
const BYTES_PER_MEGABYTE = 1_000_000;
const SMALL_BYTES = 500_000;

const text = await loadText();
const api = new Api(tokenFromHash());
const list = one("#recordings", HTMLOListElement);
const lang = document.documentElement.lang;
const dates = new Intl.DateTimeFormat(lang, { dateStyle: "medium", timeStyle: "short" });
const numbers = new Intl.NumberFormat(lang, { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const player = new RecordingPlayer(text);
/** @type {Recording[]} */
let recordings = [];
/** @type {Map<string, string>} what is to be said of clips, by recording */
const clips = new Map();

/** @param {number} bytes */
function sizeOf(bytes) {
  if (bytes < SMALL_BYTES) return text("recordings.kilobytes", { size: Math.ceil(bytes / 1000) });
  return text("recordings.megabytes", { size: numbers.format(bytes / BYTES_PER_MEGABYTE) });
}

/** @param {string} words */
const complain = (words) => setText(one("#recordings-error"), words);

/**
 * @param {Element} row
 * @param {string} role
 * @returns {any}
 */
const part = (row, role) => row.querySelector(`[data-role=${role}]`);

/**
 * Asks the server; a refusal is told in its words. What it answered, or null.
 *
 * @template T
 * @param {() => Promise<T>} request
 * @returns {Promise<T|null>}
 */
async function ask(request) {
  try {
    const answer = await request();
    complain("");
    return answer;
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    complain(error.status === 0 ? text("site.unreachable") : error.message);
    return null;
  }
}

async function refresh() {
  recordings = (await ask(() => api.recordings())) ?? recordings;
  render();
}

/** @param {string} id */
const known = (id) => recordings.find((recording) => recording.id === id);

/** @param {Recording} recording */
function remove({ id, title }) {
  const dialog = one("#delete-dialog", HTMLDialogElement);
  setText(one("#delete-question"), text("recordings.delete_question", { title }));
  dialog.returnValue = "";
  const confirmed = async () => {
    await ask(() => api.deleteRecording(id));
    await refresh();
  };
  dialog.addEventListener("close", () => dialog.returnValue === "yes" && confirmed(), { once: true });
  dialog.showModal();
}

/**
 * @param {string} id
 * @param {HTMLElement} row
 */
async function cut(id, row) {
  const [begin, end] = ["clip-begin", "clip-end"].map((role) => secondsOf(part(row, role).value));
  clips.set(id, text("recordings.clip_making"));
  render();
  const made = await ask(() => api.cutClip(id, { begin, end, exact: part(row, "clip-exact").checked }));
  clips.set(id, made ? text("recordings.clip_ready") : "");
  await refresh();
}

/** @param {string} id */
function newRow(id) {
  const { content } = one("#recording-template", HTMLTemplateElement);
  const row = /** @type {HTMLElement} */ (content.firstElementChild?.cloneNode(true));
  row.dataset.recording = id;
  /** @param {(recording: Recording) => unknown} act */
  const with_ = (act) => (/** @type {Event} */ event) => {
    event.preventDefault();
    const recording = known(id);
    if (recording) act(recording);
  };
  for (const role of ["play", "play-button"]) part(row, role).addEventListener("click", with_((it) => player.play(it)));
  part(row, "delete").addEventListener("click", with_(remove));
  part(row, "clip").addEventListener("submit", with_(() => cut(id, row)));
  part(row, "rename").addEventListener("submit", with_(async () => {
    await ask(() => api.changeRecording(id, { title: part(row, "new-title").value.trim() }));
    await refresh();
  }));
  part(row, "access").addEventListener("change", with_(async () => {
    await ask(() => api.changeRecording(id, { access: part(row, "access").value }));
    await refresh();
  }));
  return row;
}

/** @param {RecordingFile} file */
function fileLine(file) {
  const line = document.createElement("li");
  const link = document.createElement("a");
  const { href } = new URL(file.url, location.href);
  link.href = `${href}${href.includes("?") ? "&" : "?"}download=1`;
  link.dataset.kind = file.kind;
  const named = ["isolated", "clip", "clock"].includes(file.kind) ? ` ${file.name}` : "";
  link.textContent = `${text(`recordings.file_${file.kind}`)}${named}`;
  const size = document.createElement("small");
  size.className = "figure";
  size.textContent = sizeOf(file.bytes);
  line.append(link, " ", size);
  return line;
}

/**
 * @param {HTMLElement} row
 * @param {Recording} recording
 */
function renderWords(row, recording) {
  setText(part(row, "title"), recording.title);
  for (const side of /** @type {const} */ (["proposition", "opposition"])) setText(part(row, side), recording.names[side]);
  const when = part(row, "when");
  const date = new Date(recording.started_at * 1000);
  when.dateTime = date.toISOString();
  setText(when, dates.format(date));
  const ready = recording.state === "ready";
  setText(part(row, "length"), ready && recording.duration ? clock(recording.duration) : "");
  setText(part(row, "size"), ready ? sizeOf(recording.bytes) : "");
  const state = part(row, "state");
  state.dataset.tone = TONES[recording.state];
  setText(state, ready ? "" : text(`recordings.state_${recording.state}`));
  show(state, !ready);
  const progress = part(row, "progress");
  show(progress, recording.progress !== null);
  if (recording.progress !== null) progress.value = recording.progress;
  setText(part(row, "reason"), recording.reason ?? "");
}

/**
 * @param {HTMLElement} row
 * @param {Recording} recording
 */
function renderFiles(row, recording) {
  const poster = recording.files.find(({ kind }) => kind === "poster");
  const picture = part(row, "poster");
  if (poster && picture.dataset.src !== poster.url) {
    picture.dataset.src = poster.url;
    picture.src = poster.url;
  }
  show(picture, poster !== undefined);
  const names = recording.files.map(({ url, bytes }) => `${url} ${bytes}`).join();
  const files = part(row, "files");
  if (files.dataset.shown !== names) {
    files.dataset.shown = names;
    files.replaceChildren(...recording.files.map(fileLine));
  }
  const playable = recording.state === "ready";
  show(part(row, "play-button"), playable);
  part(row, "play").disabled = !playable;
  // There it plays by HLS, with the rewind bar, also while the film is being finished.
  part(row, "watch").href = `/watch/${recording.room}`;
  show(part(row, "watch"), recording.access !== "host");
  show(part(row, "downloads"), recording.files.length > 0);
  const chapters = part(row, "chapters");
  show(chapters, recording.chapters.length > 1);
  player.renderChapters(chapters, recording, (at) => player.play(recording, at));
}

/**
 * @param {HTMLElement} row
 * @param {Recording} recording
 */
function renderDesk(row, recording) {
  show(part(row, "manage"), recording.mine);
  const title = part(row, "new-title");
  if (document.activeElement !== title) title.value = recording.title;
  part(row, "access").value = recording.access;
  const done = recording.state === "ready" || recording.state === "failed";
  part(row, "delete").disabled = !done;
  show(part(row, "clip"), recording.state === "ready");
  setText(part(row, "clip-said"), clips.get(recording.id) ?? "");
}

/** Draws the list; rows stay the same elements, so that nobody loses his place. */
function render() {
  const rows = new Map([...list.children].map((row) => [/** @type {HTMLElement} */ (row).dataset.recording, row]));
  const wanted = recordings.map((recording) => {
    const row = /** @type {HTMLElement} */ (rows.get(recording.id) ?? newRow(recording.id));
    row.dataset.state = recording.state;
    renderWords(row, recording);
    renderFiles(row, recording);
    renderDesk(row, recording);
    return row;
  });
  if (wanted.some((row, at) => list.children[at] !== row) || wanted.length !== list.children.length) list.replaceChildren(...wanted);
  list.setAttribute("aria-busy", "false");
  show(one("#empty"), recordings.length === 0);
  show(list, recordings.length > 0);
}

await refresh();
setInterval(() => {
  const making = recordings.some(({ state }) => state === "recording" || state === "finishing");
  if (making && !player.open) refresh();
}, REFRESH_MILLISECONDS);
