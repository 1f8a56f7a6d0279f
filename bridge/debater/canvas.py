"""Pictures as planes of 4:2:0 video: rasterised once, copied ever after."""

from dataclasses import dataclass
from typing import cast

import numpy as np
import numpy.typing as npt
import resvg_py
from av import VideoFrame
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter

from bridge.debater.face import Box
from bridge.settings import web_folder

Plane = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Planes:
    """A yuv420p picture, BT.601 limited range: `u` and `v` have half the rows and columns."""

    y: Plane
    u: Plane
    v: Plane

    def rows(self, first: int, last: int) -> "Planes":
        """View of rows `first` up to, not including, `last`; both even."""
        half = slice(first // 2, last // 2)
        return Planes(self.y[first:last], self.u[half], self.v[half])


def rasterise(svg: str, *, text: bool = False) -> Planes:
    """Draw an SVG of even size. `text` loads fonts, which costs 50 ms; needed only where text is.

    The project's own Inter first, then whatever the system has, for scripts that Inter lacks.
    """
    fonts = [str(path) for path in sorted((web_folder() / "fonts").glob("*.otf"))] if text else []
    png = resvg_py.svg_to_bytes(svg_string=svg, font_files=fonts, skip_system_fonts=not text)
    decoder = VideoCodecContext.create("png", "r")
    picture = next(iter(decoder.decode(Packet(bytes(png)))))
    stacked = to_limited_range(VideoReformatter(), picture).to_ndarray()
    return planes_of(cast("Plane", stacked))


def to_limited_range(
    reformatter: VideoReformatter, picture: VideoFrame, width: int = 0, height: int = 0
) -> VideoFrame:
    """Return `picture` as VP8 is understood by every browser: yuv420p, BT.601, limited range.

    Width and height 0 keep the picture's own. Without asking, swscale keeps a PNG's full range.
    """
    return reformatter.reformat(
        picture,
        width or picture.width,
        height or picture.height,
        "yuv420p",
        dst_colorspace=Colorspace.ITU601,
        dst_color_range=ColorRange.MPEG,
    )


def planes_of(stacked: Plane) -> Planes:
    """Return views of what PyAV stacks in one array of shape (3 * height / 2, width)."""
    width = stacked.shape[1]
    height = stacked.shape[0] * 2 // 3
    chroma = stacked[height:].reshape(2, height // 2, width // 2)
    return Planes(stacked[:height], chroma[0], chroma[1])


class Canvas:
    """One picture that is painted anew for every frame; the encoder reads it in place.

    Encoder thread only.
    """

    def __init__(self, ground: Planes) -> None:
        height, width = ground.y.shape
        stacked = np.empty((height * 3 // 2, width), np.uint8)
        self._planes = planes_of(stacked)
        self.frame = VideoFrame.from_numpy_buffer(stacked, format="yuv420p")
        self.paste(ground)

    @property
    def luma(self) -> Plane:
        """The luma plane, to write into."""
        return self._planes.y

    def paste(self, patch: Planes, left: int = 0, top: int = 0) -> None:
        """Copy `patch` with its corner at an even `left` and `top`."""
        height, width = patch.y.shape
        self._planes.y[top : top + height, left : left + width] = patch.y
        rows, columns = slice(top // 2, (top + height) // 2), slice(left // 2, (left + width) // 2)
        self._planes.u[rows, columns] = patch.u
        self._planes.v[rows, columns] = patch.v

    def cut(self, box: Box) -> Plane:
        """View of the luma inside `box`."""
        return self._planes.y[box.top : box.top + box.height, box.left : box.left + box.width]
