"""When the programme's ticks are due, and what becomes of late ones. Pure."""

from dataclasses import dataclass
from typing import Final

_LATE: Final = 0.25
"""A tick that begins later than this part of a frame period counts as late."""
_PATIENCE: Final = 0.1
"""Seconds of lateness that are made up for instead of skipped. Composing and encoding take a third
of a tick, so three are caught up within two; a part of 0.4 s and every player's buffer hide it. A
machine that is behind for longer is too slow, and must not be asked for more."""


@dataclass(frozen=True, slots=True)
class Tick:
    """One place on the programme's grid."""

    number: int
    due: float
    """Seconds on the monotonic clock."""


class Timeline:
    """Tick n is due at start + n / fps. Nothing moves it.

    A tick is done though it is up to a tenth of a second late. What is later is skipped, up to the
    newest tick that is due: its number is left unused, and with it its timestamp. Programme thread
    only; counters may be read anywhere.
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
        """Take the next tick, or the newest that is due at `now` when that one is too late."""
        number = self._next
        if now - self.due(number) > _PATIENCE:
            number = max(number, int((now - self.start) * self._fps) - 1)
            while self.due(number + 1) <= now:  # at most twice: the division above may round
                number += 1
        self.skipped += number - self._next
        self.ticks += 1
        if now - self.due(number) > _LATE / self._fps:
            self.late += 1
        self._next = number + 1
        return Tick(number, self.due(number))
