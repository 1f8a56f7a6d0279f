"""Puts the sources' pictures into the artwork, one canvas per tick. Programme thread only."""

from collections.abc import Iterator, Mapping
from typing import Final

import av
import numpy as np
from av.video.reformatter import ColorPrimaries, ColorRange, ColorTrc
from numpy.typing import NDArray

from bridge.broadcast.media.artwork import Artwork, Overlay
from bridge.broadcast.media.frames import Plane, Planes, view_planes
from bridge.broadcast.media.scaler import Scaler, darken
from bridge.broadcast.media.scene import Badge, Rect, Scene, Tile
from bridge.broadcast.media.sources import SourceStatus, SourceView

_SPC_BT709 = 1
"""AVCOL_SPC_BT709: ITU-T H.273 MatrixCoefficients 1."""
_NOTHING = SourceView(SourceStatus.ABSENT)
_WITH_SOUND: Final = {SourceStatus.LIVE, SourceStatus.FROZEN, SourceStatus.CAMERA_OFF}
_FROZEN_LIGHT: Final = 0.5
"""What is left of a picture's light when it is marked as frozen."""


class Compositor:
    """Composes canvases from one piece of artwork."""

    def __init__(self, artwork: Artwork) -> None:
        self._artwork = artwork
        self._painters = [_TilePainter(tile, artwork) for tile in artwork.scene.tiles]

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the canvas."""
        return self._artwork.scene.width, self._artwork.scene.height

    @property
    def scene(self) -> Scene:
        """What is where."""
        return self._artwork.scene

    def forget(self) -> None:
        """Let go of all pictures: another scene is shown."""
        for painter in self._painters:
            painter.forget()

    def compose(self, views: Mapping[str, SourceView]) -> av.VideoFrame:
        """Return a new yuv420p picture, tagged BT.709 limited; a source without a view is absent.

        The artwork's planes are copied whole: 80 us at 720p, less than finding out what changed.
        """
        canvas = av.VideoFrame(*self.size, "yuv420p")
        canvas.colorspace = _SPC_BT709
        canvas.color_range = ColorRange.MPEG
        canvas.color_primaries = ColorPrimaries.BT709
        canvas.color_trc = ColorTrc.BT709
        planes = view_planes(canvas)
        for plane, base in zip(planes, self._artwork.base, strict=True):
            plane[:] = base
        for painter in self._painters:
            painter.paint(planes, views.get(painter.source, _NOTHING))
        for overlay in self._artwork.overlays:
            _blend(planes, overlay)
        return canvas


class _TilePainter:
    """Fills one tile; keeps what it scaled until the source has another picture."""

    def __init__(self, tile: Tile, artwork: Artwork) -> None:
        self.source = tile.source
        self._tile = tile
        self._slates = artwork.slates
        self._badges = artwork.badges
        self._scaler = Scaler(tile.rect, tile.fit)
        self._corners = _corners(tile, artwork.base)
        self._picture: av.VideoFrame | None = None
        self._scaled: tuple[Rect, Planes] | None = None
        self._dimmed: tuple[Rect, Planes] | None = None

    def paint(self, canvas: Planes, view: SourceView) -> None:
        """Draw the picture of `view`, or the slate for its status, and its badges."""
        content = self._content(view)
        if content is None:
            return
        rect, planes = content
        for plane, part, place in zip(canvas, planes, _places(rect), strict=True):
            plane[place.y : place.bottom, place.x : place.right] = part
        for plane, corner in zip(canvas, self._corners, strict=True):
            corner.restore(plane)
        for badge in _badges(view):
            if (overlay := self._badges.get((self.source, badge))) is not None:
                _blend(canvas, overlay)

    def _content(self, view: SourceView) -> tuple[Rect, Planes] | None:
        if view.picture is None:
            self.forget()
            slate = self._slates.get((self.source, view.status))
            return None if slate is None else (self._tile.rect, slate)
        if self._scaled is None or view.picture is not self._picture:
            self._picture, self._scaled = view.picture, self._scaler.scale(view.picture)
            self._dimmed = None
        if view.status is not SourceStatus.FROZEN:
            return self._scaled
        if self._dimmed is None:
            rect, planes = self._scaled
            self._dimmed = rect, darken(planes, _FROZEN_LIGHT)
        return self._dimmed

    def forget(self) -> None:
        """Let go of the picture."""
        self._picture = self._scaled = self._dimmed = None


def _badges(view: SourceView) -> Iterator[Badge]:
    if view.status is SourceStatus.FROZEN:
        yield Badge.FROZEN
    # Where no sound comes anyway it would only be one more thing to read.
    if view.muted and view.status in _WITH_SOUND:
        yield Badge.MUTED


class _Corner:
    """The pixels of one plane that the rounding of a tile hides, wholly or in part."""

    def __init__(self, cover: NDArray[np.float32], place: Rect, base: Plane) -> None:
        rows, columns = np.nonzero(cover < 1)
        self._rows, self._columns = rows + place.y, columns + place.x
        self._weight = np.rint(cover[rows, columns] * 255).astype(np.uint16)
        # Rounded when divided: 127 is half of 255.
        self._base = base[self._rows, self._columns] * (255 - self._weight) + np.uint16(127)

    def restore(self, plane: Plane) -> None:
        """Bring the artwork back there."""
        picture = plane[self._rows, self._columns]
        plane[self._rows, self._columns] = (picture * self._weight + self._base) // 255


def _corners(tile: Tile, base: Planes) -> list[_Corner]:
    cover = _rounded(tile.rect.width, tile.rect.height, tile.radius)
    chroma = cover.reshape(tile.rect.height // 2, 2, tile.rect.width // 2, 2).mean(axis=(1, 3))
    covers = (cover, chroma, chroma)
    return [
        _Corner(mask, place, plane)
        for mask, place, plane in zip(covers, _places(tile.rect), base, strict=True)
    ]


def _rounded(width: int, height: int, radius: int) -> NDArray[np.float32]:
    """How much of each pixel a rounded rectangle covers, 0 to 1."""
    x = np.arange(width, dtype=np.float32) + 0.5
    y = np.arange(height, dtype=np.float32)[:, None] + 0.5
    across = np.maximum(np.maximum(radius - x, x - (width - radius)), 0)
    down = np.maximum(np.maximum(radius - y, y - (height - radius)), 0)
    distance = np.hypot(across, down)
    cover: NDArray[np.float32] = np.clip(radius - distance + 0.5, 0, 1)
    return cover if radius else np.ones((height, width), np.float32)


def _places(rect: Rect) -> tuple[Rect, Rect, Rect]:
    """Return where `rect` lies on Y, U and V."""
    return rect, rect.halved(), rect.halved()


def _blend(canvas: Planes, overlay: Overlay) -> None:
    for plane, place, colour, transparency in zip(
        canvas, _places(overlay.rect), overlay.colour, overlay.transparency, strict=True
    ):
        below = plane[place.y : place.bottom, place.x : place.right]
        mixed = below * transparency
        mixed += colour
        # Division by 255, rounded, without leaving 16 bits (Blinn, 1994).
        mixed += 128
        mixed += mixed >> 8
        mixed >>= 8
        below[:] = mixed
