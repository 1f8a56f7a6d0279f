"""What the meters show of each source."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from bridge.broadcast.media.floor import FloorState
from bridge.broadcast.media.frames import Samples
from bridge.broadcast.media.loudness import SILENCE

_BOTTOM: Final = -100.0
"""dBFS of silence."""


@dataclass(frozen=True, slots=True)
class Level:
    """How a source sounds by itself, and what is done to it."""

    peak: float = _BOTTOM
    """dBFS in the last tick, as the source came in. Both channels together, as all that follows."""
    rms: float = _BOTTOM
    """dBFS, likewise."""
    short_term: float = SILENCE
    """LUFS of the last 3 s, as the source came in."""
    gain: float = 0.0
    """dB by which the leveller raises it; `short_term + gain` is about -18 in a speech."""
    voiced: bool = False
    """Whether there was a voice in the last 100 ms; no hold-over between words."""
    floor: FloorState = FloorState.OPEN


def measure(sound: Samples) -> tuple[float, float]:
    """Return peak and RMS in dBFS; a full-scale square wave has 0 dBFS RMS."""
    flat = sound.ravel()
    if flat.size == 0:
        return _BOTTOM, _BOTTOM
    return (
        _decibels(float(np.abs(flat).max())),
        _decibels(float(np.dot(flat, flat) / flat.size) ** 0.5),
    )


def _decibels(value: float) -> float:
    return max(_BOTTOM, 20 * float(np.log10(value))) if value > 0 else _BOTTOM
