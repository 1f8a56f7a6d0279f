// Destinations and recording, as the broadcast reports them.

import { one, setText, show } from "../lib/dom.js";

/** @import { Text } from "../lib/i18n.js" */
/** @import { Destination, HostView, OutputState, RecordingReport } from "../lib/messages.js" */

/** @type {Record<OutputState, string>} */
const TONES = {
  preparing: "caution",
  live: "good",
  degraded: "caution",
  retrying: "fault",
  rejected: "fault",
  stopped: "idle",
};
const BYTES_PER_MEGABYTE = 1_000_000;

/**
 * @param {number} bytes
 * @param {Text} text
 */
function megabytes(bytes, text) {
  const format = new Intl.NumberFormat(document.documentElement.lang, {
    minimumFractionDigits: 1,
    maximumFractionDigits: 1,
  });
  return text("host.megabytes", { size: format.format(bytes / BYTES_PER_MEGABYTE) });
}

/** @param {HTMLElement} list */
function rowsOf(list) {
  return /** @type {HTMLElement[]} */ ([...list.children]);
}

/**
 * @param {HTMLElement} list
 * @param {string} id
 */
function destinationRow(list, id) {
  const known = rowsOf(list).find((row) => row.dataset.destination === id);
  if (known) return known;
  const { content } = one("#destination-template", HTMLTemplateElement);
  const row = /** @type {HTMLElement} */ (content.firstElementChild?.cloneNode(true));
  row.dataset.destination = id;
  list.append(row);
  return row;
}

/**
 * @param {Destination[]} destinations
 * @param {Text} text
 */
function renderDestinations(destinations, text) {
  const list = one("#destinations");
  const ids = new Set(destinations.map(({ id }) => id));
  for (const row of rowsOf(list)) if (!ids.has(row.dataset.destination ?? "")) row.remove();
  for (const { id, label, report } of destinations) {
    const row = destinationRow(list, id);
    /** @param {string} role */
    const part = (role) => /** @type {HTMLElement} */ (row.querySelector(`[data-role=${role}]`));
    setText(part("label"), label);
    setText(part("state"), text(`host.output_${report.state}`));
    part("state").dataset.tone = TONES[report.state];
    setText(part("bytes"), report.sent_bytes > 0 ? megabytes(report.sent_bytes, text) : "");
    setText(part("detail"), report.detail);
    show(part("detail"), report.detail !== "");
  }
  show(one("#no-destinations"), destinations.length === 0);
}

/**
 * @param {RecordingReport|undefined} recording
 * @param {Text} text
 */
function renderRecording(recording, text) {
  const state = one("#recording-state");
  state.dataset.tone = recording ? TONES[recording.state] : "idle";
  setText(state, text(recording ? `host.recording_${recording.state}` : "host.recording_off"));
  setText(one("#recording-bytes"), recording?.bytes ? megabytes(recording.bytes, text) : "");
  setText(one("#recording-detail"), recording ? recording.detail : text("host.recording_hint"));
}

/**
 * Draws `RoomView.host`; rows stay the same elements, so that screen readers keep their place.
 *
 * @param {HostView|undefined} host
 * @param {Text} text
 */
export function renderOutputs(host, text) {
  renderDestinations(host?.destinations ?? [], text);
  renderRecording(host?.recording, text);
}
