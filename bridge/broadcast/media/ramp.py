"""Gains that move in straight lines from where they were."""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Line: TypeAlias = NDArray[np.float32] | float
"""A gain for each sample, or one for all of them."""


class Ramp:
    """A gain that is told in dB from time to time and never steps. One thread."""

    def __init__(self, decibels: float) -> None:
        self._gain = to_gain(decibels)

    def line(self, decibels: float, count: int) -> Line:
        """Return the gain of the next `count` samples, at the last of which it is `decibels`."""
        begin, self._gain = self._gain, to_gain(decibels)
        if begin == self._gain:
            return begin
        steps = np.arange(1, count + 1, dtype=np.float32) / count
        return (begin + (self._gain - begin) * steps).astype(np.float32)


def to_gain(decibels: float) -> float:
    """Return the factor."""
    return float(10 ** (decibels / 20))
