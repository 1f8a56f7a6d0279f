"""A room and the people in it."""

import secrets
from dataclasses import dataclass
from enum import StrEnum

from bridge.errors import ConflictError


class Side(StrEnum):
    """The two debaters. The value is also the seat's address in signalling."""

    PROPOSITION = "proposition"
    OPPOSITION = "opposition"

    @property
    def other(self) -> "Side":
        """The opponent."""
        return Side.OPPOSITION if self is Side.PROPOSITION else Side.PROPOSITION

    @property
    def polite(self) -> bool:
        """Who yields when both offer at once (W3C perfect negotiation): the proposition."""
        return self is Side.PROPOSITION


class Role(StrEnum):
    """What a token lets its bearer be."""

    HOST = "host"
    PROPOSITION = "proposition"
    OPPOSITION = "opposition"
    BROADCAST = "broadcast"

    @property
    def side(self) -> Side | None:
        """The debater's side, None for host and broadcast."""
        return Side(self.value) if self.value in set(Side) else None


class Phase(StrEnum):
    """Where a debate is."""

    WAITING = "waiting"
    """Made; nothing on air. A rehearsal, which only the host sees, does not change it."""
    LIVE = "live"
    ENDED = "ended"


_NEXT = {Phase.WAITING: {Phase.LIVE, Phase.ENDED}, Phase.LIVE: {Phase.ENDED}, Phase.ENDED: set()}


@dataclass(frozen=True, slots=True)
class Destination:
    """Where the programme is pushed by RTMP."""

    id: str
    url: str
    """Complete, with the stream key: a secret."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """One debate."""

    id: str
    motion: str
    proposition: str
    """The debater's name."""
    opposition: str
    phase: Phase = Phase.WAITING
    created_at: float
    """Seconds since the epoch, as all `_at`."""
    started_at: float | None = None
    ended_at: float | None = None
    destinations: tuple[Destination, ...] = ()
    isolated: bool = False
    """Whether each debater's own tracks are kept beside the recording."""

    def name(self, side: Side) -> str:
        """Return the debater's name."""
        return self.proposition if side is Side.PROPOSITION else self.opposition

    def check_step(self, phase: Phase) -> None:
        """Raise ConflictError unless the room may go on to `phase` from where it is."""
        if phase in _NEXT[self.phase]:
            return
        message = {
            Phase.LIVE: "This debate is on air already.",
            Phase.ENDED: "This debate has ended. Create a new one to go live again.",
            Phase.WAITING: "This debate is not on air.",
        }[self.phase]
        raise ConflictError(message, code=f"room_{self.phase}")


# Without 0/o, 1/l/i and vowels: read aloud without mistakes, and never a word.
_ALPHABET = "23456789bcdfghjkmnpqrstvwxz"


def new_room_id() -> str:
    """Ten readable characters, 47 bits: not guessable by trial over HTTP."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(10))
