"""When the programme's ticks are due, and what becomes of late ones. Pure."""

from dataclasses import dataclass
from typing import Final

_LATE: Final = 0.25
"""A tick that begins later than this part of a frame period counts as late."""


@dataclass(frozen=True, slots=True)
class Tick:
    """One place on the programme's grid."""

    number: int
    due: float
    """Seconds on the monotonic clock."""


class Timeline:
    """Tick n is due at start + n / fps. Nothing moves it.

    A tick that would begin only when the next one is due already is skipped: its number is left
    unused, and with it its timestamp. Programme thread only; counters may be read anywhere.
    """

    def __init__(self, start: float, fps: int) -> None:
        self.start = start
        self._fps = fps
        self._next = 0
        self.ticks = 0
        """Begun."""
        self.late = 0
        """Begun, but more than a quarter of a period behind."""
        self.skipped = 0
        """Never begun."""

    def due(self, number: int) -> float:
        """Seconds on the monotonic clock at which tick `number` is due."""
        return self.start + number / self._fps

    def wait(self, now: float) -> float:
        """Seconds until the next tick is due; not positive when it is due already."""
        return self.due(self._next) - now

    def begin(self, now: float) -> Tick:
        """Take the newest tick that is due at `now`, or the next one when none is."""
        number = max(self._next, int((now - self.start) * self._fps) - 1)
        while self.due(number + 1) <= now:  # at most twice: the division above may round
            number += 1
        self.skipped += number - self._next
        self.ticks += 1
        if now - self.due(number) > _LATE / self._fps:
            self.late += 1
        self._next = number + 1
        return Tick(number, self.due(number))
