"""A look-ahead limiter with a ceiling that is never passed. Pure arithmetic on blocks."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from bridge.broadcast.media.frames import Samples
from bridge.broadcast.media.packets import AUDIO_RATE

CEILING: Final = float(10 ** (-1 / 20))
"""-1 dBFS."""
BLOCK: Final = AUDIO_RATE // 1000
"""Samples over which the gain moves in a straight line: 1 ms."""
_ATTACK: Final = 5
"""Blocks of look-ahead: the gain is down before the peak is there."""
LOOK_AHEAD: Final = _ATTACK * BLOCK
"""Samples by which output trails input."""
_RELEASE: Final = float(1 - np.exp(-1 / 150))
"""Part of the way back to 1 per block: 150 ms, slow enough not to distort a voice."""


class Limiter:
    """Takes whole blocks and gives as many back, `LOOK_AHEAD` samples behind. One thread.

    The gain at a block's edge is low enough for both blocks beside it, so a straight line between
    two edges never lets a sample over the ceiling, and the gain itself never steps.
    """

    def __init__(self) -> None:
        self._waiting: Samples = np.zeros((2, LOOK_AHEAD), np.float32)
        self._needed: NDArray[np.float64] = np.ones(_ATTACK + 1)
        """Highest gain allowed: the last block given back, then the waiting ones."""
        self._gain = 1.0
        """At the edge where the next block begins."""

    def process(self, sound: Samples) -> Samples:
        """Return the next samples, as many as `sound` has: a multiple of BLOCK."""
        peaks = np.abs(sound).reshape(2, -1, BLOCK).max(axis=(0, 2))
        needed = np.concatenate([self._needed, CEILING / np.maximum(peaks, CEILING)])
        held = np.concatenate([self._waiting, sound], axis=1)
        count = sound.shape[1]
        blocks = count // BLOCK
        out = held[:, :count]
        self._waiting, self._needed = held[:, count:].copy(), needed[blocks:]
        if self._gain > 1 - 1e-6 and needed.min() >= 1:
            self._gain = 1.0
            return out
        return out * self._line(_edges(needed, blocks)).astype(np.float32)

    def _line(self, targets: NDArray[np.float64]) -> NDArray[np.float64]:
        """Gain per sample: down to each target at once, back up slowly."""
        gains = [self._gain]
        for target in targets.tolist():
            gains.append(min(target, gains[-1] + (1 - gains[-1]) * _RELEASE))
        self._gain = gains[-1]
        edges = np.array(gains)
        steps = np.arange(BLOCK) / BLOCK
        line: NDArray[np.float64] = edges[:-1, None] + np.diff(edges)[:, None] * steps
        return line.ravel()


def _edges(needed: NDArray[np.float64], blocks: int) -> NDArray[np.float64]:
    """Return the highest gain at the end of each of the next `blocks` blocks.

    `needed[0]` is the block before them. A target further ahead is approached in a straight line
    that begins `_ATTACK` edges before it.
    """
    beside = np.minimum(needed[:-1], needed[1:])[1:]
    padded = np.concatenate([beside, np.ones(_ATTACK)])
    targets = np.ones(blocks)
    for ahead in range(_ATTACK):
        target = padded[ahead : ahead + blocks]
        np.minimum(targets, target + (1 - target) * ahead / _ATTACK, out=targets)
    return targets
