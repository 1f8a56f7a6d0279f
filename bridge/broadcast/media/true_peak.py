"""How high sound goes between its samples: 4 times oversampling, after ITU-R BS.1770-4 annex 2."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from bridge.broadcast.media.frames import Samples
from bridge.broadcast.media.loudness import BLOCK

_HALF: Final = (
    (0.0017089843750, 0.0109863281250, -0.0196533203125, 0.0332031250000,
     -0.0594482421875, 0.1373291015625, 0.9721679687500, -0.1022949218750,
     0.0476074218750, -0.0266113281250, 0.0148925781250, -0.0083007812500),
    (-0.0291748046875, 0.0292968750000, -0.0517578125000, 0.0891113281250,
     -0.1665039062500, 0.4650878906250, 0.7797851562500, -0.2003173828125,
     0.1015625000000, -0.0582275390625, 0.0330810546875, -0.0189208984375),
)  # fmt: skip
"""Phases 0 and 1; 3 and 2 are the same, backwards."""
_PHASES: Final = np.array([*_HALF, *(phase[::-1] for phase in _HALF)], np.float32)
_TAPS: Final = _PHASES.shape[1]
MARGIN: Final = _TAPS // 2
"""Samples on each side of a block that have a say in what is between its own."""
WINDOW: Final = BLOCK + 2 * MARGIN
GAIN: Final = float(np.abs(_PHASES).sum(axis=1).max())
"""Between samples that are at most 1 nothing is higher than this (6.1 dB)."""
_AT_ONCE: Final = 20
"""Windows in one product: small enough for OpenBLAS to wake no other thread."""


def _band() -> Samples:
    """Return the matrix from the samples of a window to all points between them."""
    places = WINDOW - _TAPS + 1
    band = np.zeros((WINDOW, places * len(_PHASES)), np.float32)
    for place in range(places):
        begin = place * len(_PHASES)
        band[place : place + _TAPS, begin : begin + len(_PHASES)] = _PHASES.T
    return band


_BAND: Final = _band()


def true_peaks(windows: Samples) -> NDArray[np.float32]:
    """Return the highest point between the samples of the block inside each window.

    `windows` has shape (n, WINDOW): a block, and MARGIN samples before and behind it. From the
    middle between the last sample before and the block's first one to that on the other side.
    """
    peaks = np.empty(len(windows), np.float32)
    for at in range(0, len(windows), _AT_ONCE):
        piece = slice(at, at + _AT_ONCE)
        np.abs(windows[piece] @ _BAND).max(axis=1, out=peaks[piece])
    return peaks
