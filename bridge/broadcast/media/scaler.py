"""Brings a picture of any size to the size of its tile."""

from typing import Final

import av
import numpy as np
from av.video.reformatter import ColorRange, Interpolation, VideoReformatter

from bridge.broadcast.media.frames import Plane, Planes, view_plane, view_planes
from bridge.broadcast.media.scene import Fit, Rect

_INTERPOLATION: Final = Interpolation.BICUBIC
_LEAST_SHOWN: Final = 0.6
"""Part of a picture that covering must leave: of a phone held upright it would leave a band, and a
face seldom fits into it."""
_SPARE: Final = 4
"""Pixels that senders round by, or give to be on the safe side: cut off, not scaled away."""
_BACKDROP: Final = (24, 16)
"""Luma samples that a backdrop is made of; enlarged they are a blur."""
_BACKDROP_LIGHT: Final = 0.35


class Scaler:
    """Crops and scales for one source. One thread only.

    Each plane is scaled by itself, as a grey picture, because a grey picture may point anywhere
    into another one: cropping costs nothing, and no pixel is scaled only to be cut off. One
    `VideoReformatter` per plane and purpose is kept, since PyAV 18 never frees those behind
    `VideoFrame.reformat` before their frame (PyAV issue 2320).
    """

    def __init__(self) -> None:
        self._picture = _PlaneScalers()
        self._shrinking, self._enlarging = _PlaneScalers(), _PlaneScalers()
        self._to_420 = VideoReformatter()

    def scale(self, picture: av.VideoFrame, tile: Rect, how: Fit) -> tuple[Rect, Planes]:
        """Return where on the canvas the picture goes, and its planes in that size.

        Covering always fills the tile: beside a picture of quite another shape there is a dim blur
        of it. The planes may be parts of the picture itself: they are not to be written to.
        """
        source = view_planes(self._as_limited_420(picture))
        crop, place = fit(picture.width, picture.height, tile, how)
        scaled = self._picture.scale(source, crop, place)
        if how is Fit.CONTAIN or place == tile:
            return place, scaled
        backdrop = self._backdrop(source, tile)
        inside = Rect(place.x - tile.x, place.y - tile.y, place.width, place.height)
        for below, plane, part in zip(
            backdrop, scaled, (inside, inside.halved(), inside.halved()), strict=True
        ):
            below[part.y : part.bottom, part.x : part.right] = plane
        return tile, backdrop

    def resize(self, planes: Planes, tile: Rect) -> Planes:
        """Return all of a drawing in the size of `tile`."""
        height, width = planes[0].shape
        return self._picture.scale(planes, Rect(0, 0, width, height), tile)

    def _backdrop(self, source: Planes, tile: Rect) -> Planes:
        """Fill the tile with a blur: shrunk to a few samples and enlarged again."""
        height, width = source[0].shape
        crop = cover(width, height, tile)
        few = Rect(0, 0, *_BACKDROP)
        y, u, v = self._shrinking.scale(source, crop, few)
        dim = darken((y, u, v), _BACKDROP_LIGHT)
        return self._enlarging.scale(dim, few, tile)

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


class _PlaneScalers:
    """Scales the three planes of 4:2:0 pictures."""

    def __init__(self) -> None:
        self._reformatters = [VideoReformatter() for _ in range(3)]

    def scale(self, source: Planes, crop: Rect, to: Rect) -> Planes:
        """Return `crop` of `source` in the size of `to`."""
        parts = zip(
            self._reformatters,
            source,
            (crop, crop.halved(), crop.halved()),
            (to, to.halved(), to.halved()),
            strict=True,
        )
        y, u, v = (_scale(scaler, plane, part, size) for scaler, plane, part, size in parts)
        return y, u, v


def darken(planes: Planes, light: float) -> Planes:
    """Return the picture at a part of its light, limited range; its colour pales with it."""
    bases = (16, 128, 128)
    levels = np.arange(256, dtype=np.float32)
    y, u, v = (
        np.rint(base + (levels - base) * light).astype(np.uint8)[plane]
        for plane, base in zip(planes, bases, strict=True)
    )
    return y, u, v


def fit(width: int, height: int, tile: Rect, how: Fit) -> tuple[Rect, Rect]:
    """Return which part of a picture is shown, and where on the canvas. Both even. Pure.

    A picture that covering would leave less than 60 % of is shown whole all the same.
    """
    ratio = (width * tile.height) / (height * tile.width)
    if how is Fit.COVER and min(ratio, 1 / ratio) >= _LEAST_SHOWN:
        return cover(width, height, tile), tile
    scale = min(tile.width / width, tile.height / height)
    return _whole(width, height), _centred(width * scale, height * scale, tile)


def cover(width: int, height: int, tile: Rect) -> Rect:
    """Return the middle part of a picture that has the tile's proportions. Even.

    A picture that is a little too large for the tile is cut to it, pixel by pixel.
    """
    scale = max(tile.width / width, tile.height / height)
    more_across, more_down = tile.width / scale - tile.width, tile.height / scale - tile.height
    if 0 <= max(more_across, more_down) <= _SPARE and min(width, height) >= 2 * _SPARE:
        scale = 1.0
    return _centred(tile.width / scale, tile.height / scale, _whole(width, height))


def _whole(width: int, height: int) -> Rect:
    return Rect(0, 0, max(2, width & ~1), max(2, height & ~1))


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
