// The two debaters as the host sees them: who is here, what they send, and how it arrives.

import { one, setText, show } from "../lib/dom.js";

/** @import { Text } from "../lib/i18n.js" */
/** @import { Health, HostView, IngestReport, LegHealth, MediaState, NetworkHealth, Participant, RoomView, Side } from "../lib/messages.js" */

const INGEST_TONES = { absent: "idle", connecting: "caution", receiving: "good", frozen: "fault" };

/**
 * @param {HTMLElement} element
 * @param {string} tone
 * @param {string} words
 */
export function setState(element, tone, words) {
  element.dataset.tone = tone;
  setText(element, words);
}

/**
 * What arrives, as the last part of a key. Who is here and sent nothing for a while is coming back.
 *
 * @param {IngestReport|undefined} report
 * @param {Participant|undefined} participant
 */
export function ingestWord(report, participant) {
  const state = report?.state ?? "absent";
  return state === "absent" && participant && report ? "reconnecting" : state;
}

/** @param {MediaState} media */
export function cameraWord({ camera, screen }) {
  if (camera) return screen ? "screen" : "on";
  return screen ? "screen_only" : "camera_off";
}

/**
 * One word for a debater: of what viewers get, and before air of what the opponent gets.
 *
 * @param {Health|undefined} health
 * @param {IngestReport|undefined} report
 * @returns {NetworkHealth|null} null: nobody has measured anything
 */
export function healthWord(health, report) {
  if (!report) return health?.peer?.health ?? null;
  if (report.state === "frozen") return "lost";
  return health?.bridge.health ?? null;
}

/**
 * The figures under the light: what the bridge measures itself counts, then what the browser says.
 *
 * @param {LegHealth|undefined} leg
 * @param {IngestReport|undefined} report
 * @param {Text} text
 */
function figures(leg, report, text) {
  const measured = report?.state === "receiving" ? report : leg;
  if (!measured) return "";
  const round_trip = measured.round_trip_ms ?? leg?.round_trip_ms;
  const format = new Intl.NumberFormat(document.documentElement.lang, { maximumFractionDigits: 1 });
  /** @type {[string, number|undefined][]} */
  const found = [
    ["round_trip", round_trip === undefined ? undefined : Math.round(round_trip)],
    ["lost", measured.lost_percent],
    ["kbps", Math.round(measured.kbps)],
    ["pictures", measured.pictures_per_second === undefined ? undefined : Math.round(measured.pictures_per_second)],
  ];
  return found
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => text(`host.figure_${name}`, { value: format.format(Number(value)) }))
    .join(" · ");
}

/**
 * @param {(role: string) => HTMLElement} part
 * @param {HostView|undefined} host
 * @param {Side} side
 * @param {Text} text
 */
function renderLight(part, host, side, text) {
  const [health, report] = [host?.health[side], host?.ingests[side]];
  const word = healthWord(health, report);
  const light = part("network");
  light.dataset.health = word ?? "none";
  setText(light, text(`host.connection_${word ?? "none"}`));
  const leg = report ? health?.bridge : health?.peer;
  setText(part("figures"), figures(leg, report, text));
  const toPeer = report ? health?.peer?.health : undefined;
  const isBad = toPeer !== undefined && toPeer !== "good";
  setText(part("peer"), isBad ? text(`host.peer_${toPeer}`) : "");
  show(part("peer"), isBad);
}

/**
 * @param {RoomView} room
 * @param {Side} side
 * @param {Text} text
 */
export function renderSeat(room, side, text) {
  const participant = room.participants.find(({ seat }) => seat === side);
  /** @param {string} role */
  const part = (role) => one(`#seat-${side} [data-role=${role}]`);
  const report = room.host?.ingests[side];
  const word = ingestWord(report, participant);
  const tone = word === "reconnecting" ? "fault" : INGEST_TONES[word];
  const isHere = participant !== undefined;
  setState(part("presence"), isHere ? "good" : "idle", text(isHere ? "host.presence_here" : "host.presence_absent"));
  setState(part("ingest"), tone, text(`host.ingest_${word}`));
  if (participant) {
    const { microphone } = participant.media;
    const camera = cameraWord(participant.media);
    setState(part("microphone"), microphone ? "good" : "caution", text(microphone ? "host.media_on" : "host.media_muted"));
    setState(part("camera"), camera.startsWith("camera") ? "caution" : "good", text(`host.media_${camera}`));
  } else {
    for (const device of ["microphone", "camera"]) setState(part(device), "idle", "–");
  }
  renderLight(part, isHere ? room.host : undefined, side, text);
}
