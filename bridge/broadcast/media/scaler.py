"""Brings a picture of any size to the size of its tile."""

from typing import Final

import av
from av.video.reformatter import ColorRange, Interpolation, VideoReformatter

from bridge.broadcast.media.frames import Plane, Planes, view_plane, view_planes
from bridge.broadcast.media.scene import Fit, Rect

_INTERPOLATION: Final = Interpolation.BICUBIC


class Scaler:
    """Crops and scales for one tile. One thread only.

    Each plane is scaled by itself, as a grey picture, because a grey picture may point anywhere
    into another one: cropping costs nothing, and no pixel is scaled only to be cut off. One
    `VideoReformatter` per plane is kept, since PyAV 18 never frees those behind
    `VideoFrame.reformat` before their frame (PyAV issue 2320).
    """

    def __init__(self, tile: Rect, fit: Fit) -> None:
        self._tile = tile
        self._fit = fit
        self._reformatters = [VideoReformatter() for _ in range(3)]
        self._to_420 = VideoReformatter()

    def scale(self, picture: av.VideoFrame) -> tuple[Rect, Planes]:
        """Return where on the canvas the picture goes, and its planes in that size."""
        source = view_planes(self._as_limited_420(picture))
        crop, place = fit(picture.width, picture.height, self._tile, self._fit)
        parts = zip(
            self._reformatters,
            source,
            (crop, crop.halved(), crop.halved()),
            (place, place.halved(), place.halved()),
            strict=True,
        )
        y, u, v = (_scale(scaler, plane, part, to) for scaler, plane, part, to in parts)
        return place, (y, u, v)

    def _as_limited_420(self, picture: av.VideoFrame) -> av.VideoFrame:
        full = picture.color_range == ColorRange.JPEG or picture.format.name == "yuvj420p"
        if picture.format.name == "yuv420p" and not full:
            return picture
        return self._to_420.reformat(
            picture,
            format="yuv420p",
            src_color_range=ColorRange.JPEG if full else ColorRange.MPEG,
            dst_color_range=ColorRange.MPEG,
            threads=1,
        )


def fit(width: int, height: int, tile: Rect, how: Fit) -> tuple[Rect, Rect]:
    """Return which part of a picture is shown, and where on the canvas. Both even. Pure."""
    whole = Rect(0, 0, max(2, width & ~1), max(2, height & ~1))
    if how is Fit.COVER:
        scale = max(tile.width / width, tile.height / height)
        return _centred(tile.width / scale, tile.height / scale, whole), tile
    scale = min(tile.width / width, tile.height / height)
    return whole, _centred(width * scale, height * scale, tile)


def _centred(width: float, height: float, within: Rect) -> Rect:
    """Return the even rectangle of about that size in the middle of `within`."""
    w = min(within.width, max(2, round(width / 2) * 2))
    h = min(within.height, max(2, round(height / 2) * 2))
    x = within.x + ((within.width - w) // 2 & ~1)
    y = within.y + ((within.height - h) // 2 & ~1)
    return Rect(x, y, w, h)


def _scale(scaler: VideoReformatter, plane: Plane, part: Rect, to: Rect) -> Plane:
    cropped = plane[part.y : part.bottom, part.x : part.right]
    if cropped.shape == (to.height, to.width):
        return cropped
    grey = av.VideoFrame.from_numpy_buffer(cropped, format="gray")
    scaled = scaler.reformat(
        grey, width=to.width, height=to.height, interpolation=_INTERPOLATION, threads=1
    )
    return view_plane(scaled.planes[0])
