"""Who has the floor: a gain for each side that opens and closes without a click."""

from enum import StrEnum
from typing import Final

import numpy as np

from bridge.broadcast.media.packets import AUDIO_RATE
from bridge.broadcast.media.ramp import Line

RAMP: Final = AUDIO_RATE // 20
"""Samples from one state to the other: 50 ms."""


class FloorState(StrEnum):
    """How much of a side is heard."""

    OPEN = "open"
    DUCKED = "ducked"
    """-15 dB: there, but under who has the floor."""
    CLOSED = "closed"
    """Not at all."""


_GAINS: Final = {FloorState.OPEN: 1.0, FloorState.DUCKED: 10 ** (-15 / 20), FloorState.CLOSED: 0.0}


class Floor:
    """The gain of one side. `line` on the programme thread, the rest on any."""

    def __init__(self) -> None:
        self.state = FloorState.OPEN
        """What is asked for; reached 50 ms after the next sample. Set from any thread."""
        self._towards = self.state
        self._from = 1.0
        self._gone = RAMP

    def line(self, count: int) -> Line:
        """Return the gain of the next `count` samples; a number where it stays the same."""
        state = self.state
        if state is not self._towards:
            self._from = self._at(self._gone)
            self._towards, self._gone = state, 0
        if self._gone >= RAMP:
            return _GAINS[state]
        places = np.minimum(np.arange(self._gone + 1, self._gone + count + 1), RAMP)
        self._gone += count
        return (self._from + (_GAINS[state] - self._from) * places / RAMP).astype(np.float32)

    def _at(self, place: int) -> float:
        return self._from + (_GAINS[self._towards] - self._from) * min(place, RAMP) / RAMP
