"""Paints one source into its tile: its picture, or a slate, rounded, with its badges."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bridge.broadcast.media.artwork import Artwork
from bridge.broadcast.media.blending import blend, mixed, places
from bridge.broadcast.media.frames import Plane, Planes
from bridge.broadcast.media.scaler import Scaler, darken
from bridge.broadcast.media.scene import SCREEN, Badge, Rect, Tile
from bridge.broadcast.media.sources import SourceStatus, SourceView

_FROZEN_LIGHT: Final = 0.5
"""What is left of a picture's light when it is marked as frozen."""
_WITH_SOUND: Final = {SourceStatus.LIVE, SourceStatus.FROZEN, SourceStatus.CAMERA_OFF}


class TilePainter:
    """Paints one source; keeps what it scaled until the source or the tile differs. One thread."""

    def __init__(self, source: str, tile: Tile, artwork: Artwork) -> None:
        self.source = source
        """Of the views."""
        self.tile = tile
        self._slates: Mapping[SourceStatus, Planes] = {
            status: planes
            for (name, status), planes in artwork.slates.items()
            if name == tile.source
        }
        self._badges = {
            badge: mark for (name, badge), mark in artwork.badges.items() if name == tile.source
        }
        self._scaler = Scaler()
        self._shown: tuple[object, Tile] | None = None
        self._content: tuple[Rect, Planes] | None = None
        self._dimmed: tuple[Rect, Planes] | None = None

    def paint(self, canvas: Planes, view: SourceView) -> None:
        """Draw the picture of `view`, or the slate for its status, and its badges."""
        self.paint_at(canvas, view, self.tile)
        for badge in _badges(view):
            if (mark := self._badges.get(badge)) is not None:
                blend(canvas, mark)

    def paint_at(self, canvas: Planes, view: SourceView, tile: Tile, opacity: float = 1.0) -> None:
        """Do the same, without badges, where `tile` says: on the way from scene to scene."""
        content = self._fill(view, tile)
        if content is None:
            return
        rect, planes = content
        corners = _corners(tile.rect.width, tile.rect.height, tile.radius)
        corners_at = places(tile.rect)
        hidden = [
            corner.take(plane, place)
            for corner, plane, place in zip(corners, canvas, corners_at, strict=True)
        ]
        for plane, part, place in zip(canvas, planes, places(rect), strict=True):
            below = plane[place.y : place.bottom, place.x : place.right]
            below[:] = part if opacity >= 1 else mixed(below, part, opacity)
        for corner, plane, place, below in zip(corners, canvas, corners_at, hidden, strict=True):
            corner.give_back(plane, place, below)

    def forget(self) -> None:
        """Let go of the picture: something else is shown."""
        self._shown = self._content = self._dimmed = None

    def _fill(self, view: SourceView, tile: Tile) -> tuple[Rect, Planes] | None:
        """Return what goes where; None: nothing, the artwork is seen."""
        if view.picture is None:
            # A shared screen that has just ended stays until the cut: no hole in between.
            if self.tile.source != SCREEN:
                self._fill_with_slate(view.status, tile)
            return self._content
        if self._shown is None or self._shown[0] is not view.picture or self._shown[1] != tile:
            self._shown = view.picture, tile
            self._content = self._scaler.scale(view.picture, tile.rect, tile.fit)
            self._dimmed = None
        if view.status is not SourceStatus.FROZEN or self._content is None:
            return self._content
        if self._dimmed is None:
            rect, planes = self._content
            self._dimmed = rect, darken(planes, _FROZEN_LIGHT)
        return self._dimmed

    def _fill_with_slate(self, status: SourceStatus, tile: Tile) -> None:
        slate = self._slates.get(status) or self._slates.get(SourceStatus.ABSENT)
        if self._shown is not None and self._shown[0] is slate and self._shown[1] == tile:
            return
        self.forget()
        if slate is None:
            return
        fits = slate[0].shape == (tile.rect.height, tile.rect.width)
        self._shown = slate, tile
        self._content = tile.rect, slate if fits else self._scaler.resize(slate, tile.rect)


def _badges(view: SourceView) -> Iterator[Badge]:
    if view.status is SourceStatus.FROZEN:
        yield Badge.FROZEN
    # Where no sound comes anyway it would only be one more thing to read.
    if view.muted and view.status in _WITH_SOUND:
        yield Badge.MUTED


@dataclass(frozen=True, slots=True)
class _Corners:
    """The pixels of one plane that the rounding of a tile hides, wholly or in part."""

    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    """From the tile's own corner."""
    weight: NDArray[np.uint16]
    """0 to 255: how much of the picture is seen."""

    def take(self, plane: Plane, place: Rect) -> NDArray[np.uint8]:
        """Return what is there before the picture is painted."""
        return plane[self.rows + place.y, self.columns + place.x]

    def give_back(self, plane: Plane, place: Rect, below: NDArray[np.uint8]) -> None:
        """Bring it back there."""
        rows, columns = self.rows + place.y, self.columns + place.x
        # Rounded when divided: 127 is half of 255.
        kept = below * (255 - self.weight) + np.uint16(127)
        plane[rows, columns] = (plane[rows, columns] * self.weight + kept) // 255


@lru_cache(maxsize=256)
def _corners(width: int, height: int, radius: int) -> tuple[_Corners, _Corners, _Corners]:
    """For Y, U and V."""
    side = min(radius + (radius & 1), width, height)
    centre = np.arange(side, dtype=np.float32) + 0.5
    away = np.maximum(radius - centre, 0)
    luma = np.clip(radius - np.hypot(away[:, None], away) + 0.5, 0, 1) if radius else away[:, None]
    chroma = luma.reshape(side // 2, 2, side // 2, 2).mean(axis=(1, 3)) if radius else luma
    first = _four_corners(luma, width, height)
    second = _four_corners(chroma, width // 2, height // 2)
    return first, second, second


def _four_corners(cover: NDArray[np.float32], width: int, height: int) -> _Corners:
    """From the cover of the upper left corner."""
    rows, columns = np.nonzero(cover < 1) if cover.size else (np.zeros(0, int), np.zeros(0, int))
    weight = np.rint(cover[rows, columns] * 255).astype(np.uint16)
    right, bottom = width - 1 - columns, height - 1 - rows
    return _Corners(
        np.concatenate([rows, rows, bottom, bottom]),
        np.concatenate([columns, right, columns, right]),
        np.tile(weight, 4),
    )
