// Rooms and answers as the server sends them.

/** @import { JoinAck, Participant, RoomView, Side } from "../static/js/lib/messages.js" */

/** @param {Side} seat @param {string} session @returns {Participant} */
export function participant(seat, session) {
  return { seat, session, generation: 1, media: { microphone: true, camera: true, screen: false } };
}

/** @param {Participant[]} participants @param {Partial<RoomView>} [rest] @returns {RoomView} */
export function roomWith(participants, rest = {}) {
  return {
    id: "room",
    motion: "This house would test",
    names: { proposition: "Ada", opposition: "Bo" },
    phase: "waiting",
    participants,
    broadcast: "off",
    rehearsal: false,
    scene: { scene: "auto", transition: "move", note: "" },
    ...rest,
  };
}

/** @param {Side} seat @param {string} session @param {RoomView} [room] @returns {JoinAck} */
export function ackFor(seat, session, room = roomWith([])) {
  return {
    ok: true,
    you: { seat, session, generation: 1 },
    polite: seat === "proposition",
    ice_servers: [{ urls: "stun:stun.example" }],
    room,
  };
}
