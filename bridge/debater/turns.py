"""Who speaks when, so that two headless debaters agree without a word between them.

Wall-clock time is cut into slots of eight seconds: even ones are the proposition's, odd ones the
opposition's. A speaker begins a little into his slot and runs a little over its end, as people do.
"""

from dataclasses import dataclass
from typing import Final

from bridge.rooms.model import Side

SLOT_SECONDS: Final = 8.0
LEAD_IN_SECONDS: Final = 0.3
OVERRUN_SECONDS: Final = 0.6
"""With the lead-in of the other side 0.3 s of both at once."""
SPEECH_SECONDS: Final = SLOT_SECONDS - LEAD_IN_SECONDS + OVERRUN_SECONDS
"""How long a turn is spoken."""


@dataclass(frozen=True, slots=True)
class Turn:
    """A moment inside a turn."""

    number: int
    """Counts this side's turns since the epoch."""
    position: float
    """Seconds since the first word; from 0 to SPEECH_SECONDS."""


def turn_of(side: Side, wall: float) -> Turn | None:
    """Return where in his turn `side` is at `wall` (seconds since the epoch); None: he listens."""
    offset = 0.0 if side is Side.PROPOSITION else SLOT_SECONDS
    since_word = wall - offset - LEAD_IN_SECONDS
    number, position = divmod(since_word, 2 * SLOT_SECONDS)
    return Turn(int(number), position) if position < SPEECH_SECONDS else None
