"""One source's way through the mixer: measured, levelled, let through or not, placed."""

from math import cos, pi, sin, sqrt
from typing import Final

import numpy as np

from bridge.broadcast.media.floor import Floor
from bridge.broadcast.media.frames import Samples
from bridge.broadcast.media.leveller import SideLeveller
from bridge.broadcast.media.levels import Level, measure
from bridge.broadcast.media.loudness import LoudnessMeter
from bridge.broadcast.media.ramp import Ramp
from bridge.broadcast.media.sources import AudioSource

_SPREAD: Final = 0.1
"""How far the outermost sources are from the middle; 1 would be one loudspeaker alone."""


class Strip:
    """Programme thread, except `floor`'s state. `place`: -1 left, 0 middle, 1 right."""

    def __init__(self, source: AudioSource, place: float = 0.0) -> None:
        self.name = source.name
        self.floor = Floor()
        self._source = source
        self._meter = LoudnessMeter()
        self._leveller = SideLeveller()
        self._ramp = Ramp(self._leveller.gain)
        self._pan = _pan(place)

    def read(self, start: float, count: int) -> tuple[Samples, Level]:
        """Return what goes into the sum from [start, start + count / 48000), and its level."""
        sound = self._source.read(start, count)
        for energy in self._meter.add(sound):
            self._leveller.hear(energy)
        peak, rms = measure(sound)
        gain = self._leveller.gain
        level = Level(
            peak, rms, self._meter.short_term, gain, self._leveller.voiced, self.floor.state
        )
        # Both lines must move on, also where there is nothing to hear.
        line = self._ramp.line(gain, count) * self.floor.line(count)
        return sound * line * self._pan, level


def spread(count: int, *, placed: bool) -> tuple[float, ...]:
    """Return a place for each of `count` sources, from left to right; all in the middle or not."""
    if not placed or count < 2:
        return (0.0,) * count
    return tuple(_SPREAD * (2 * index / (count - 1) - 1) for index in range(count))


def _pan(place: float) -> Samples:
    """Return the gains of left and right: constant power, 1 and 1 in the middle.

    BS.1770 adds the powers of both channels, and debaters' microphones are the same in both: so
    nobody is louder or softer for his place.
    """
    if place == 0:
        return np.ones((2, 1), np.float32)
    angle = pi / 4 * (1 + place)
    return np.array([[sqrt(2) * cos(angle)], [sqrt(2) * sin(angle)]], np.float32)
