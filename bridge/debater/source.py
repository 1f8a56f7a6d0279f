"""What a debater shows and says."""

from fractions import Fraction
from typing import Final, Protocol

from av import VideoFrame

from bridge.debater.voice import Samples

FPS: Final = 30
SOUND_SAMPLES: Final = 960
"""Samples of one piece of sound: 20 ms at 48 kHz, one Opus packet."""
SOUND_SECONDS: Final = Fraction(1, 50)


class Source(Protocol):
    """Pictures and sounds on one time line that begins at 0. Encoder thread only.

    Both are asked for in rising order, but numbers may be left out.
    """

    width: int
    height: int

    def begin(self, wall: float) -> None:
        """Time 0 will be at `wall`, in seconds since the epoch. Once, before all else."""
        ...

    def picture(self, number: int) -> VideoFrame:
        """Picture for the time `number / FPS`, yuv420p; valid until the next call."""
        ...

    def sound(self, number: int) -> Samples:
        """SOUND_SAMPLES mono samples from the time `number * SOUND_SECONDS` on."""
        ...

    def close(self) -> None:
        """Let go of files; idempotent."""
        ...
