// Types of PROTOCOL.md, and the fixed order of what a debater sends.

/**
 * @typedef {"proposition"|"opposition"} Side
 * @typedef {Record<Side, string>} Names
 * @typedef {"waiting"|"live"|"ended"} Phase
 * @typedef {{microphone: boolean, camera: boolean, screen: boolean}} MediaState
 * @typedef {{seat: Side, session: string, generation: number, media: MediaState}} Participant
 * @typedef {"preparing"|"live"|"degraded"|"retrying"|"rejected"|"stopped"} OutputState
 * @typedef {"absent"|"connecting"|"receiving"|"frozen"} IngestState
 * @typedef {{state: OutputState, detail: string, sent_bytes: number}} DestinationReport
 * @typedef {{id: string, label: string, report: DestinationReport}} Destination
 * @typedef {{state: OutputState, bytes: number, detail: string}} RecordingReport
 * @typedef {{ticks: number, skipped: number, late: number}} ProgrammeReport
 * @typedef {{
 *   preview_url?: string, destinations: Destination[], ingests: Partial<Record<Side, IngestState>>,
 *   programme?: ProgrammeReport, recording?: RecordingReport, restarts: number,
 * }} HostView
 * @typedef {{
 *   id: string, motion: string, names: Names, phase: Phase, started_at?: number,
 *   participants: Participant[], broadcast: "off"|"starting"|"on"|"restarting"|"ending",
 *   rehearsal: boolean, bridge_session?: string, host?: HostView,
 * }} RoomView
 * @typedef {{seat: Side|"host", session: string, generation: number}} You
 * @typedef {{ok: true, you: You, polite: boolean, ice_servers: RTCIceServer[], room: RoomView}} JoinAck
 * @typedef {{type: "offer"|"answer", sdp: string}} Description
 * @typedef {{description: Description, candidate?: undefined}
 *   | {candidate: RTCIceCandidateInit, description?: undefined}} Step one step of a negotiation
 * @typedef {Step & {to: Side|"bridge", session: string, link: string}} Signal
 * @typedef {Step & {from: Side|"bridge", session: string, link: string}} SignalFrom
 * @typedef {"microphone"|"camera"|"screen"} Kind
 * @typedef {Record<Kind, MediaStreamTrack|null>} Tracks
 */

/**
 * The m-lines of every connection, in order.
 *
 * @type {readonly Kind[]}
 */
export const KINDS = ["microphone", "camera", "screen"];
