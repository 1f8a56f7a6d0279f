"""Where decoded media goes: what the receive path asks of the programme's sources."""

from typing import Protocol

import av
import numpy as np
from numpy.typing import NDArray

from bridge.broadcast.rtc.frames import EncodedFrame


class VideoSink(Protocol):
    """Holds the newest picture."""

    def put(self, picture: av.VideoFrame, now: float) -> None:
        """Show `picture` (yuv420p layout) from `now` on, in monotonic seconds. Decoder thread."""
        ...


class AudioSink(Protocol):
    """Plays samples when they are due and the playout delay has passed."""

    def write(self, due: float, samples: NDArray[np.float32]) -> None:
        """Take samples, shape (2, n), 48 kHz. Decoder thread.

        The first would be heard at `due`, in monotonic seconds, without delay.
        Blocks come in order. Where the next does not begin at the last one's end, nothing was sent.
        """
        ...


class FrameTap(Protocol):
    """Gets a debater's frames as they came, before they are decoded."""

    def take(self, track: str, frame: EncodedFrame, due: float) -> None:
        """Take a frame of `track`; `due` as for AudioSink. Loop-side; never blocks."""
        ...
