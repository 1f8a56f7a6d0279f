"""Values that travel between the threads of the programme, and pictures seen as arrays."""

from dataclasses import dataclass
from typing import TypeAlias

import av
import numpy as np
from av.video.plane import VideoPlane
from numpy.typing import NDArray

Samples: TypeAlias = NDArray[np.float32]
"""Shape (2, n): left and right, full scale at 1.0, 48 kHz."""
Plane: TypeAlias = NDArray[np.uint8]
"""Shape (height, width)."""
Planes: TypeAlias = tuple[Plane, Plane, Plane]
"""Y, U and V of a 4:2:0 picture; limited range."""


@dataclass(frozen=True, slots=True)
class SourceFrame:
    """A decoded picture and when it was shown."""

    picture: av.VideoFrame
    """yuv420p, any size. Nobody writes into it any more."""
    due: float
    """Seconds on the monotonic clock."""


@dataclass(frozen=True, slots=True)
class TickMedia:
    """What one tick hands to the encoder."""

    number: int
    """Frame number on the grid; numbers of skipped ticks are left out."""
    picture: av.VideoFrame
    sound: tuple[Samples, ...]
    """What is to be heard up to the end of this tick and was not handed over before."""


def view_planes(picture: av.VideoFrame) -> Planes:
    """Y, U and V of a yuv420p picture as arrays that share its memory."""
    y, u, v = (view_plane(plane) for plane in picture.planes)
    return y, u, v


def view_plane(plane: VideoPlane) -> Plane:
    """One plane of 8 bit samples as an array that shares its memory and keeps it alive."""
    rows = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)
    return rows[:, : plane.width]
