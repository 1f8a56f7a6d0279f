"""Who sits where in each room right now. Plain rules; knows no Socket.IO.

A *connection* is whatever the door calls one peer; a *session* is one joining of a seat.
"""

import secrets
from dataclasses import dataclass, field, replace
from typing import Final

from bridge.errors import ConflictError
from bridge.protocol.messages import (
    BRIDGE_SEAT,
    BroadcastReport,
    Health,
    Join,
    MediaState,
    ParticipantView,
    You,
)
from bridge.protocol.tokens import Grant
from bridge.rooms.model import Role, Side

_SEAT_OF: Final = {
    Role.PROPOSITION: Side.PROPOSITION.value,
    Role.OPPOSITION: Side.OPPOSITION.value,
    Role.BROADCAST: BRIDGE_SEAT,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Occupant:
    """A connection in a seat."""

    room: str
    seat: str
    connection: str
    session: str
    generation: int
    seat_key: str | None
    media: MediaState
    health: Health | None = None

    @property
    def you(self) -> You:
        """What the occupant is told about himself."""
        return You.model_validate(
            {"seat": self.seat, "session": self.session, "generation": self.generation}
        )


@dataclass(slots=True)
class _Seats:
    seats: dict[str, Occupant] = field(default_factory=dict)
    hosts: dict[str, Occupant] = field(default_factory=dict)
    generations: dict[str, int] = field(default_factory=dict)
    report: BroadcastReport | None = None


class Presence:
    """All rooms' seats. Loop-side only."""

    def __init__(self) -> None:
        self._rooms: dict[str, _Seats] = {}
        self._connections: dict[str, Occupant] = {}

    def join(self, connection: str, grant: Grant, join: Join) -> tuple[Occupant, str | None]:
        """Seat a connection; returns also the connection that it replaces, if any.

        Raises ConflictError (`seat_taken`) when another tab or browser sits there: the same invite
        opened twice must not throw out the debater who is on air.
        """
        room = self._rooms.setdefault(grant.room, _Seats())
        if grant.role is Role.HOST:
            return self._seat(room, connection, grant.room, "host", join), None
        seat = _SEAT_OF[grant.role]
        sitting = room.seats.get(seat)
        if sitting is not None and sitting.connection != connection:
            own = grant.role is Role.BROADCAST or (
                join.seat_key is not None and join.seat_key == sitting.seat_key
            )
            if not own:
                message = (
                    "Somebody sits here already. Close the other tab or browser that has this "
                    "link open, or ask the host for your own link."
                )
                raise ConflictError(message, code="seat_taken")
            self._connections.pop(sitting.connection, None)
        occupant = self._seat(room, connection, grant.room, seat, join)
        replaced = sitting.connection if sitting and sitting.connection != connection else None
        return occupant, replaced

    def leave(self, connection: str) -> Occupant | None:
        """Take a connection out of its seat; returns where it sat."""
        occupant = self._connections.pop(connection, None)
        if occupant is None:
            return None
        room = self._rooms[occupant.room]
        room.hosts.pop(connection, None)
        sitting = room.seats.get(occupant.seat)
        if sitting is not None and sitting.connection == connection:
            del room.seats[occupant.seat]
            if occupant.seat == BRIDGE_SEAT:
                room.report = None
        return occupant

    def find(self, connection: str) -> Occupant:
        """Raise ConflictError (`not_joined`) unless the connection has joined."""
        occupant = self._connections.get(connection)
        if occupant is None:
            message = "Join the room first."
            raise ConflictError(message, code="not_joined")
        return occupant

    def address(self, sender: Occupant, seat: str, session: str) -> Occupant:
        """Return who sits in `seat` of the sender's room, in just that session.

        Debaters reach each other and the bridge; the bridge reaches debaters; hosts nobody.
        Raises ConflictError (`not_there`).
        """
        found = self._rooms[sender.room].seats.get(seat)
        allowed = sender.seat not in {"host", seat}
        if not allowed or found is None or found.session != session:
            message = "They are not there, or have joined anew."
            raise ConflictError(message, code="not_there")
        return found

    def set_media(self, connection: str, media: MediaState) -> Occupant:
        """Note what a debater sends."""
        return self._keep(replace(self.find(connection), media=media))

    def set_health(self, connection: str, health: Health) -> Occupant:
        """Note how a debater's uplink does."""
        return self._keep(replace(self.find(connection), health=health))

    def health(self, room: str) -> dict[Side, Health]:
        """Return what the debaters who are there said of their uplinks."""
        seats = self._rooms.get(room)
        sitting = {side: seats.seats.get(side.value) for side in Side} if seats else {}
        return {side: one.health for side, one in sitting.items() if one and one.health}

    def set_report(self, connection: str, report: BroadcastReport) -> Occupant:
        """Note how the broadcast does. Raises ConflictError from anybody else."""
        occupant = self.find(connection)
        if occupant.seat != BRIDGE_SEAT:
            message = "Only the broadcast reports."
            raise ConflictError(message, code="token_role")
        self._rooms[occupant.room].report = report
        return occupant

    def forget_report(self, room: str) -> None:
        """Drop what a broadcast said that has died since."""
        if room in self._rooms:
            self._rooms[room].report = None

    def report(self, room: str) -> BroadcastReport | None:
        """Return the broadcast's newest report."""
        seats = self._rooms.get(room)
        return seats.report if seats else None

    def bridge_session(self, room: str) -> str | None:
        """Session of the hidden peer."""
        seats = self._rooms.get(room)
        bridge = seats.seats.get(BRIDGE_SEAT) if seats else None
        return bridge.session if bridge else None

    def participants(self, room: str) -> tuple[ParticipantView, ...]:
        """Return the debaters who are there; never the bridge."""
        seats = self._rooms.get(room)
        if seats is None:
            return ()
        ingests = seats.report.ingests if seats.report else {}
        return tuple(
            ParticipantView(
                seat=side,
                session=one.session,
                generation=one.generation,
                media=one.media,
                ingest=ingests[side].state if side in ingests else None,
            )
            for side in Side
            if (one := seats.seats.get(side.value)) is not None
        )

    def connections(self, room: str) -> dict[str, Occupant]:
        """Return everybody in a room by connection."""
        seats = self._rooms.get(room)
        if seats is None:
            return {}
        return {one.connection: one for one in (*seats.seats.values(), *seats.hosts.values())}

    def _keep(self, occupant: Occupant) -> Occupant:
        self._connections[occupant.connection] = occupant
        seats = self._rooms[occupant.room].seats
        if occupant.seat in seats:
            seats[occupant.seat] = occupant
        return occupant

    def _seat(self, room: _Seats, connection: str, room_id: str, seat: str, join: Join) -> Occupant:
        generation = room.generations[seat] = room.generations.get(seat, 0) + 1
        occupant = Occupant(
            room=room_id,
            seat=seat,
            connection=connection,
            session=secrets.token_urlsafe(12),
            generation=generation,
            seat_key=join.seat_key,
            media=join.media,
        )
        self._connections[connection] = occupant
        if seat == "host":
            room.hosts[connection] = occupant
        else:
            room.seats[seat] = occupant
        return occupant
