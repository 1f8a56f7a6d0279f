"""Sums the sources' sound at the programme's sample positions, as loud as a programme should be."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np

from bridge.broadcast.media.floor import FloorState
from bridge.broadcast.media.frames import Samples
from bridge.broadcast.media.leveller import ProgrammeLeveller
from bridge.broadcast.media.levels import Level
from bridge.broadcast.media.limiter import LOOK_AHEAD, Limiter
from bridge.broadcast.media.loudness import BLOCK, MOST_BLOCKS, LoudnessMeter
from bridge.broadcast.media.packets import AUDIO_RATE
from bridge.broadcast.media.ramp import Ramp
from bridge.broadcast.media.sources import AudioSource
from bridge.broadcast.media.strip import Strip, spread


class Mixer:
    """Continuous sound whatever the sources do. Programme thread, except where said.

    Sample n of the mix is what the sources have at start + n / 48000: the limiter looks 6 ms ahead,
    and the sources are read that much earlier to make up for it. Each source is brought to -18
    LUFS while it speaks, the programme to -16 LUFS integrated, never above -2 dBTP. `placed`:
    the first source is a little to the left, the last one to the right.
    """

    def __init__(self, sources: Sequence[AudioSource], *, placed: bool = True) -> None:
        places = spread(len(sources), placed=placed)
        self._strips = tuple(map(Strip, sources, places))
        self._floors = {strip.name: strip.floor for strip in self._strips}
        self._master = _Master()
        self._start = 0.0
        self._read = 0
        self._ready: Samples = np.zeros((2, 0), np.float32)
        self._levels = MappingProxyType({strip.name: Level() for strip in self._strips})

    def start(self, at: float) -> None:
        """Let sample 0 be at `at`, seconds on the monotonic clock. Once."""
        self._start = at
        # The look-ahead is filled here, so that what comes out first is sample 0.
        self._master.process(self._sum(LOOK_AHEAD))

    def mix(self, count: int) -> Samples:
        """Return the next `count` samples."""
        pieces = [self._ready]
        missing = count - self._ready.shape[1]
        while missing > 0:
            size = min(-(-missing // BLOCK), MOST_BLOCKS) * BLOCK
            pieces.append(self._master.process(self._sum(size)))
            missing -= size
        ready = np.concatenate(pieces, axis=1)
        mixed, self._ready = ready[:, :count], ready[:, count:]
        return mixed

    def set_floor(self, name: str, state: FloorState) -> None:
        """Let the source called `name` be heard, ducked or silent within 50 ms. Any thread."""
        self._floors[name].state = state

    @property
    def levels(self) -> Mapping[str, Level]:
        """Each source's level in the last tick. Any thread; a new mapping each time."""
        return self._levels

    def _sum(self, count: int) -> Samples:
        start = self._start + self._read / AUDIO_RATE
        self._read += count
        total = np.zeros((2, count), np.float32)
        levels = {}
        for strip in self._strips:
            sound, levels[strip.name] = strip.read(start, count)
            total += sound
        self._levels = MappingProxyType(levels)
        return total


class _Master:
    """What happens to the sum. `LOOK_AHEAD` samples behind."""

    def __init__(self) -> None:
        self._meter = LoudnessMeter()
        self._leveller = ProgrammeLeveller()
        self._ramp = Ramp(self._leveller.gain)
        self._limiter = Limiter()

    def process(self, total: Samples) -> Samples:
        """Return the next samples of the programme, as many as `total` has."""
        for energy in self._meter.add(total):
            self._leveller.hear(energy)
        line = self._ramp.line(self._leveller.gain, total.shape[1])
        return self._limiter.process(total * line)
