"""A look-ahead limiter with a ceiling that is never passed. Pure arithmetic on blocks."""

from typing import Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from bridge.broadcast.media.frames import Samples
from bridge.broadcast.media.loudness import BLOCK
from bridge.broadcast.media.true_peak import GAIN, MARGIN, WINDOW, true_peaks

CEILING: Final = float(10 ** (-2 / 20))
"""-2 dBTP: AAC moves peaks (of limited voices by up to 0.4 dB at 128 kb/s, 0.7 dB at 96, measured),
and what viewers decode is to stay below -1 dBTP."""
_ATTACK: Final = 5
"""Blocks of look-ahead: the gain is down before the peak is there."""
LOOK_AHEAD: Final = (_ATTACK + 1) * BLOCK
"""Samples by which output trails input. One block more than the attack: a peak between two samples
is known only when some samples behind it are there."""
_RELEASE: Final = float(1 - np.exp(-1 / 150))
"""Part of the way back to 1 per block: 150 ms, slow enough not to distort a voice."""


class Limiter:
    """Takes whole blocks and gives as many back, `LOOK_AHEAD` samples behind. One thread.

    The gain at a block's edge is low enough for both blocks beside it, so a straight line between
    two edges never lets a sample over the ceiling, and the gain itself never steps. Points between
    samples are found as BS.1770-4 does; the line bends them by a few thousandths of a dB.
    """

    def __init__(self) -> None:
        self._waiting: Samples = np.zeros((2, LOOK_AHEAD), np.float32)
        self._needed: NDArray[np.float64] = np.ones(_ATTACK + 1)
        """Highest gain allowed: the last block given back, then the waiting ones but the newest."""
        self._gain = 1.0
        """At the edge where the next block begins."""

    def process(self, sound: Samples) -> Samples:
        """Return the next samples, as many as `sound` has: a multiple of BLOCK."""
        count = sound.shape[1]
        blocks = count // BLOCK
        held = np.concatenate([self._waiting, sound], axis=1)
        peaks = _peaks(held[:, LOOK_AHEAD - BLOCK - MARGIN :], blocks)
        needed = np.concatenate([self._needed, CEILING / np.maximum(peaks, CEILING)])
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


def _peaks(sound: Samples, blocks: int) -> NDArray[np.float64]:
    """Return how high each block goes; the first begins MARGIN samples into `sound`."""
    windows = sliding_window_view(sound, WINDOW, axis=1)[:, : blocks * BLOCK : BLOCK]
    peaks: NDArray[np.float64] = np.abs(windows).max(axis=(0, 2)).astype(np.float64)
    # Nearly always nothing is that high, and the filter is not needed.
    near = np.flatnonzero(peaks * GAIN > CEILING)
    if near.size:
        between = true_peaks(windows[:, near].reshape(-1, WINDOW)).reshape(2, -1).max(axis=0)
        inside = windows[:, near, MARGIN:-MARGIN]
        peaks[near] = np.maximum(between, np.abs(inside).max(axis=(0, 2)))
    return peaks


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
