"""Where sound can be cut or repeated without being heard: at a place that looks alike.

Speech is nearly periodic: leave out or repeat one or two periods, with a cross-fade, and nobody
hears it, while the pitch stays. The same idea as in WSOLA (Verhelst and Roelands, 1993).
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from bridge.broadcast.media.packets import AUDIO_RATE

SPLICE: Final = AUDIO_RATE // 100
"""Samples that are compared and cross-faded: 10 ms, a period of the deepest voices."""
LEAST_LAG: Final = AUDIO_RATE // 400
"""2.5 ms, a period of the highest voices."""
MOST_LAG: Final = AUDIO_RATE // 50
"""20 ms."""
_SILENT: Final = 1e-3
"""RMS, -60 dBFS: any place is alike."""
_ALIKE: Final = 0.6
"""Correlation from which on a splice is not heard."""
_AS_GOOD: Final = 0.05
"""Correlation that a longer step may cost."""


def find_lag(
    here: NDArray[np.float32], there: NDArray[np.float32], *, backwards: bool
) -> int | None:
    """Return how many samples into `there` the sound looks like `here`; None: nowhere.

    `here` is mono, `SPLICE` long; `there` is longer, by as much as the lag may be. Of several
    places the farthest is taken: the last one, or with `backwards` the first.
    """
    energy = float(np.dot(here, here))
    if energy < SPLICE * _SILENT**2:
        # What begins to sound there is not to be lost.
        quiet = float(np.dot(there, there)) < there.size * _SILENT**2
        farthest = 0 if backwards else there.size - here.size
        return farthest if quiet else None
    squares = np.concatenate(([0.0], np.cumsum(np.square(there, dtype=np.float64))))
    energies = squares[here.size :] - squares[: -here.size]
    likeness = np.correlate(there, here, "valid") / np.sqrt(energy * np.maximum(energies, 1e-12))
    alike = np.flatnonzero(likeness >= max(_ALIKE, float(likeness.max()) - _AS_GOOD))
    if alike.size == 0:
        return None
    return int(alike[0 if backwards else -1])
