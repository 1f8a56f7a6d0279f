"""Sums the sources' sound at the programme's sample positions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from bridge.broadcast.media.frames import Samples
from bridge.broadcast.media.limiter import BLOCK, LOOK_AHEAD, Limiter
from bridge.broadcast.media.packets import AUDIO_RATE
from bridge.broadcast.media.sources import AudioSource

_FLOOR: Final = -100.0
"""dBFS of silence."""


@dataclass(frozen=True, slots=True)
class Level:
    """How loud a source was in the last tick, in dBFS, both channels together."""

    peak: float = _FLOOR
    rms: float = _FLOOR


class Mixer:
    """Continuous sound whatever the sources do. Programme thread, except `levels`.

    Sample n of the mix is what the sources have at start + n / 48000: the limiter looks 5 ms ahead,
    and the sources are read that much earlier to make up for it.
    """

    def __init__(self, sources: Sequence[AudioSource]) -> None:
        self._sources = tuple(sources)
        self._limiter = Limiter()
        self._start = 0.0
        self._read = 0
        self._ready: Samples = np.zeros((2, 0), np.float32)
        self._levels = {source.name: Level() for source in self._sources}

    def start(self, at: float) -> None:
        """Let sample 0 be at `at`, seconds on the monotonic clock. Once."""
        self._start = at
        # The look-ahead is filled here, so that what comes out first is sample 0.
        self._limiter.process(self._sum(LOOK_AHEAD))

    def mix(self, count: int) -> Samples:
        """Return the next `count` samples, limited to -1 dBFS."""
        missing = count - self._ready.shape[1]
        if missing > 0:
            blocks = -(-missing // BLOCK)
            more = self._limiter.process(self._sum(blocks * BLOCK))
            self._ready = np.concatenate([self._ready, more], axis=1)
        mixed, self._ready = self._ready[:, :count], self._ready[:, count:]
        return mixed

    @property
    def levels(self) -> Mapping[str, Level]:
        """Each source's level in the last tick. Any thread; a new mapping each time."""
        return self._levels

    def _sum(self, count: int) -> Samples:
        start = self._start + self._read / AUDIO_RATE
        self._read += count
        total = np.zeros((2, count), np.float32)
        levels = {}
        for source in self._sources:
            sound = source.read(start, count)
            total += sound
            levels[source.name] = measure(sound)
        self._levels = levels
        return total


def measure(sound: Samples) -> Level:
    """Return peak and RMS; full scale is 1.0, and a full-scale square wave has 0 dBFS RMS."""
    flat = sound.ravel()
    if flat.size == 0:
        return Level()
    return Level(
        _decibels(float(np.abs(flat).max())),
        _decibels(float(np.dot(flat, flat) / flat.size) ** 0.5),
    )


def _decibels(value: float) -> float:
    return max(_FLOOR, 20 * float(np.log10(value))) if value > 0 else _FLOOR
