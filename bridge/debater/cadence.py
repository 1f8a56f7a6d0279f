"""When the next picture and the next sound are due."""

from dataclasses import dataclass
from enum import Enum
from fractions import Fraction
from typing import Final

from bridge.debater.source import FPS, SOUND_SECONDS

PICTURE_SECONDS: Final = Fraction(1, FPS)
_LATE_SECONDS: Final = 0.25
"""Further behind than this (a suspended machine, a starved core) numbers are left out."""


class Medium(Enum):
    """What is due."""

    PICTURE = "picture"
    SOUND = "sound"


@dataclass(frozen=True, slots=True)
class Due:
    """The next thing to be made."""

    medium: Medium
    number: int
    """On its own grid from time 0: timestamps follow from it, so a gap stays a gap."""
    wait: float
    """Seconds until then; not positive: now."""


class Cadence:
    """Both grids on one clock, which is what keeps lips and voice together. One thread only."""

    def __init__(self) -> None:
        self._next = {Medium.PICTURE: 0, Medium.SOUND: 0}
        self.skipped = 0

    def next(self, elapsed: float) -> Due:
        """Return what is due next when `elapsed` seconds have passed, and count it as made."""
        # The sound first when both are due: it is quick, and a late sound is heard.
        medium = min(Medium.SOUND, Medium.PICTURE, key=self._time_of_next)
        period = _PERIOD[medium]
        if elapsed - self._time_of_next(medium) > _LATE_SECONDS:
            on_time = int(elapsed / period)
            self.skipped += on_time - self._next[medium]
            self._next[medium] = on_time
        number = self._next[medium]
        self._next[medium] = number + 1
        return Due(medium, number, float(number * period) - elapsed)

    def _time_of_next(self, medium: Medium) -> Fraction:
        return self._next[medium] * _PERIOD[medium]


_PERIOD: Final = {Medium.PICTURE: PICTURE_SECONDS, Medium.SOUND: SOUND_SECONDS}
