"""Laying drawings over pictures, in whole numbers. Programme thread."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bridge.broadcast.media.frames import Plane, Planes
from bridge.broadcast.media.raster import Overlay
from bridge.broadcast.media.scene import Rect

_SPARSE: Final = 0.3
"""Share of a box that is drawn on below which its pixels are blended one by one: a tile's border is
eight boxes, nearly empty, and calls cost more than pixels."""


class Marks:
    """What lies over pictures for long, ready to be laid over each canvas."""

    def __init__(self, overlays: Iterable[Overlay]) -> None:
        every = tuple(overlays)
        sparse = [mark for mark in every if _is_sparse(mark)]
        self._boxes = tuple(mark for mark in every if not _is_sparse(mark))
        self._points = tuple(_points(sparse, plane) for plane in range(3)) if sparse else ()

    def blend(self, canvas: Planes) -> None:
        """Lay them over the canvas."""
        for plane, points in zip(canvas, self._points, strict=False):
            points.blend(plane)
        for mark in self._boxes:
            blend(canvas, mark)


@dataclass(frozen=True, slots=True)
class _Points:
    """Pixels of one plane."""

    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    colour: NDArray[np.uint16]
    transparency: NDArray[np.uint16]

    def blend(self, plane: Plane) -> None:
        plane[self.rows, self.columns] = _over(
            plane[self.rows, self.columns], self.colour, self.transparency
        )


def _is_sparse(mark: Overlay) -> bool:
    return bool((mark.transparency[0] < 255).mean() < _SPARSE)


def _points(marks: Iterable[Overlay], plane: int) -> _Points:
    rows, columns, colours, transparencies = [], [], [], []
    for mark in marks:
        place = places(mark.rect)[plane]
        colour, transparency = mark.colour[plane], mark.transparency[plane]
        drawn = np.nonzero((transparency < 255) | (colour > 0))
        rows.append(drawn[0] + place.y)
        columns.append(drawn[1] + place.x)
        colours.append(colour[drawn])
        transparencies.append(transparency[drawn])
    return _Points(
        np.concatenate(rows),
        np.concatenate(columns),
        np.concatenate(colours),
        np.concatenate(transparencies),
    )


def blend(canvas: Planes, mark: Overlay) -> None:
    """Lay a drawn box over the canvas."""
    for plane, place, colour, transparency in zip(
        canvas, places(mark.rect), mark.colour, mark.transparency, strict=True
    ):
        below = plane[place.y : place.bottom, place.x : place.right]
        below[:] = _over(below, colour, transparency)


def _over(
    below: Plane, colour: NDArray[np.uint16], transparency: NDArray[np.uint16]
) -> NDArray[np.uint16]:
    total: NDArray[np.uint16] = below * transparency
    total += colour
    # Division by 255, rounded, without leaving 16 bits (Blinn, 1994).
    total += 128
    total += total >> 8
    total >>= 8
    return total


def mixed(below: Plane, above: Plane, opacity: float) -> Plane:
    """Return `above` at an opacity of 0 to 1 over `below`."""
    weight = np.uint16(round(opacity * 256))
    total = below * (np.uint16(256) - weight)
    total += above * weight
    total >>= 8
    return total.astype(np.uint8)


def places(rect: Rect) -> tuple[Rect, Rect, Rect]:
    """Return where `rect` lies on Y, U and V."""
    return rect, rect.halved(), rect.halved()
