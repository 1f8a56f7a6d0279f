// Types of PROTOCOL.md, and the fixed order of what a debater sends.

/**
 * @typedef {"proposition"|"opposition"} Side
 * @typedef {Record<Side, string>} Names
 * @typedef {"waiting"|"live"|"ended"} Phase
 * @typedef {{microphone: boolean, camera: boolean, screen: boolean}} MediaState
 * @typedef {{
 *   seat: Side, session: string, generation: number, media: MediaState, ingest?: IngestState,
 * }} Participant `ingest` is missing while there is no broadcast
 * @typedef {"preparing"|"live"|"degraded"|"retrying"|"rejected"|"stopped"} OutputState
 * @typedef {"absent"|"connecting"|"receiving"|"frozen"} IngestState
 * @typedef {{
 *   state: IngestState, round_trip_ms?: number, kbps: number, pictures_per_second: number,
 *   lost_percent: number, concealed_ms: number,
 * }} IngestReport what the bridge gets of a debater, over the last second
 * @typedef {"good"|"fair"|"poor"|"lost"} NetworkHealth
 * @typedef {{
 *   health: NetworkHealth, round_trip_ms?: number, lost_percent?: number, kbps: number,
 *   pictures_per_second?: number,
 * }} LegHealth one of a debater's two connections, by the browser's `getStats`
 * @typedef {{bridge: LegHealth, peer?: LegHealth}} Health `peer` is missing without an opponent
 * @typedef {{state: OutputState, detail: string, sent_bytes: number, retries: number, next_try_at?: number}} DestinationReport
 * @typedef {{id: string, label: string, address: string, warning?: string, report: DestinationReport}} Destination
 * @typedef {{state: OutputState, bytes: number, detail: string}} RecordingReport
 * @typedef {{ticks: number, skipped: number, late: number}} ProgrammeReport
 * @typedef {{
 *   preview_url?: string, destinations: Destination[], ingests: Partial<Record<Side, IngestReport>>,
 *   health: Partial<Record<Side, Health>>,
 *   programme?: ProgrammeReport, recording?: RecordingReport, restarts: number, viewers?: number, viewers_latency?: number|null,
 *   shown?: {scene: string, side?: Side}, relief?: number,
 * }} HostView
 * @typedef {{peak: number, short_term: number, gain: number, voiced: boolean, floor: string}} LevelReport
 *   dBFS and LUFS as he sends it, and the dB by which the programme raises it
 * @typedef {{sides: Partial<Record<Side, LevelReport>>}} Levels
 * @typedef {{
 *   id: string, motion: string, names: Names, phase: Phase, started_at?: number,
 *   participants: Participant[], broadcast: "off"|"starting"|"on"|"restarting"|"ending",
 *   rehearsal: boolean, bridge_session?: string, host?: HostView,
 *   scene: {scene: string, side?: Side, transition: string, note?: string},
 * }} RoomView
 * @typedef {{seat: Side|"host", session: string, generation: number}} You
 * @typedef {{ok: true, you: You, polite: boolean, ice_servers: RTCIceServer[], room: RoomView}} JoinAck
 * @typedef {{type: "offer"|"answer", sdp: string}} Description
 * @typedef {{
 *   description?: Description, candidate?: RTCIceCandidateInit, rejoin?: undefined,
 *   refusal?: undefined, wanted?: undefined,
 * }} Step one step of a negotiation: a description or a candidate
 * @typedef {{
 *   rejoin: true, refusal?: undefined, description?: undefined, candidate?: undefined, wanted?: undefined,
 * }} Rejoin the bridge gets nothing on this link any more
 * @typedef {{
 *   refusal: {code: string, message: string}, rejoin?: undefined, description?: undefined,
 *   candidate?: undefined, wanted?: undefined,
 * }} Refusal the bridge cannot take the link's offer
 * @typedef {{
 *   width: number, height: number, fit: "cover"|"contain", frameRate: number, bitRate: number,
 * }} WantedPicture pixels of a tile, pictures and bits per second
 * @typedef {{camera?: WantedPicture, screen?: WantedPicture}} Wanted what the programme shows of a
 *   debater; a picture that is missing is not shown
 * @typedef {{
 *   wanted: Wanted, rejoin?: undefined, refusal?: undefined, description?: undefined,
 *   candidate?: undefined,
 * }} Wish how large the bridge can show what comes on this link
 * @typedef {Step & {to: Side|"bridge", session: string, link: string}} Signal
 * @typedef {(Step|Rejoin|Refusal|Wish) & {from: Side|"bridge", session: string, link: string}} SignalFrom
 * @typedef {"microphone"|"camera"|"screen"} Kind
 * @typedef {Record<Kind, MediaStreamTrack|null>} Tracks
 */

/**
 * The m-lines of every connection, in order.
 *
 * @type {readonly Kind[]}
 */
export const KINDS = ["microphone", "camera", "screen"];
