"""SVG to pixels, and pixels to what the compositor copies and blends. Pure, slow, holds the GIL."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

import av
import numpy as np
import resvg_py
from numpy.typing import NDArray

from bridge.broadcast.media.frames import Plane, Planes
from bridge.broadcast.media.scene import Rect
from bridge.errors import ThemeError

Rgba: TypeAlias = NDArray[np.uint8]
"""Shape (height, width, 4), alpha not multiplied in."""
_Real: TypeAlias = NDArray[np.float32]

_RED, _GREEN, _BLUE = 0.2126, 0.7152, 0.0722
"""Luma weights of ITU-R BT.709."""
_LUMA: Final = np.array([_RED, _GREEN, _BLUE])
_TO_YUV: Final = np.array(
    [
        _LUMA * 219 / 255,
        (np.array([0, 0, 1]) - _LUMA) * 112 / 255 / (1 - _BLUE),
        (np.array([1, 0, 0]) - _LUMA) * 112 / 255 / (1 - _RED),
    ]
).astype(np.float32)
_ZERO: Final = np.array([16, 128, 128], np.float32)
_MERGE: Final = 8
"""Boxes that are closer than this many pixels are blended as one."""
_BLOCK: Final = 16
"""Side of the squares in which a box is looked at for emptiness: that of a frame, for instance."""
_DENSE: Final = 0.5
"""Share of squares with something in them above which a box is blended whole."""


@dataclass(frozen=True, slots=True)
class Overlay:
    """A box that lies over pictures: result = below * (255 - alpha) / 255 + colour / 255."""

    rect: Rect
    colour: tuple[NDArray[np.uint16], ...]
    """Y, U, V times alpha (0 to 255)."""
    transparency: tuple[NDArray[np.uint16], ...]
    """255 - alpha, for luma and for each chroma plane."""

    def faded(self, opacity: float) -> "Overlay":
        """Return the same at a part, 0 to 1, of its opacity."""
        weight = round(opacity * 256)
        return Overlay(
            self.rect,
            tuple(
                (plane.astype(np.uint32) * weight >> 8).astype(np.uint16) for plane in self.colour
            ),
            tuple(
                (255 - ((255 - plane).astype(np.uint32) * weight >> 8)).astype(np.uint16)
                for plane in self.transparency
            ),
        )


def rasterise(svg: str, fonts: list[Path], *, only_bundled: bool) -> Rgba:
    """Draw SVG at the size its root names. Raises ThemeError.

    The system's fonts are looked at only for characters that ours lack: reading them takes long,
    and pictures should not depend on what else is installed.
    """
    try:
        png = resvg_py.svg_to_bytes(
            svg_string=svg,
            skip_system_fonts=only_bundled,
            font_files=[str(path) for path in fonts],
            font_family="Inter",
            sans_serif_family="Inter",
        )
    except ValueError as error:
        message = f"the drawing cannot be rasterised: {error}"
        raise ThemeError(message) from error
    decoder = av.CodecContext.create("png", "r")
    (picture,) = decoder.decode(av.Packet(bytes(png)))
    return picture.to_ndarray().astype(np.uint8, copy=False)


def to_planes(rgba: Rgba) -> Planes:
    """Convert to BT.709 limited range 4:2:0, over black."""
    rgb, alpha = rgba[..., :3], rgba[..., 3:]
    y, u, v = _to_yuv(rgb if (alpha == 255).all() else rgb * (alpha / np.float32(255)))
    return _quantise(y), _quantise(_halve(u)), _quantise(_halve(v))


def overlay(rgba: Rgba, rect: Rect, place: Rect) -> Overlay:
    """Take `rect` of a drawing for `place` on the canvas."""
    part = rgba[rect.y : rect.bottom, rect.x : rect.right]
    alpha = part[..., 3].astype(np.float32)
    y, u, v = _to_yuv(part[..., :3].astype(np.float32))
    halved = np.rint(_halve(alpha))
    # Colour is weighted by alpha before it is averaged, or edges would take on invisible colour.
    colour = (np.rint(alpha) * y, _halve(alpha * u), _halve(alpha * v))
    return Overlay(
        place,
        tuple(np.rint(plane).astype(np.uint16) for plane in colour),
        tuple((255 - plane).astype(np.uint16) for plane in (alpha, halved, halved)),
    )


def lay_over(below: Rgba, above: Rgba) -> Rgba:
    """Compose two drawings; where there is nothing above, the lower one is as it was."""
    rows = np.flatnonzero(above[..., 3].any(axis=1))
    if rows.size == 0:
        return below
    band = slice(rows[0], rows[-1] + 1)
    low, high = below[band].astype(np.float32), above[band].astype(np.float32)
    over, under = high[..., 3:] / 255, low[..., 3:] / 255
    alpha = over + under * (1 - over)
    colour = high[..., :3] * over + low[..., :3] * under * (1 - over)
    composed = below.copy()
    composed[band, :, :3] = np.rint(colour / np.maximum(alpha, 1 / 255))
    composed[band, :, 3:] = np.rint(alpha * 255)
    return composed


def find_boxes(mask: NDArray[np.bool_], within: Rect) -> Iterator[Rect]:
    """Yield even rectangles inside `within` that hold all of `mask` there, none over another.

    Cut at empty lanes; what then is mostly empty, such as a frame, is cut in strips.
    """
    part = mask[within.y : within.bottom, within.x : within.right]
    rows = _runs(np.any(part, axis=1))
    for top, bottom in rows:
        columns = _runs(np.any(part[top:bottom], axis=0))
        for left, right in columns:
            rect = Rect(within.x + left, within.y + top, right - left, bottom - top)
            if len(rows) == len(columns) == 1:
                yield from _strips(mask, rect)
            else:
                yield from find_boxes(mask, rect)


def _strips(mask: NDArray[np.bool_], rect: Rect) -> Iterator[Rect]:
    """Yield `rect`, or the strips of squares in it that are not empty."""
    part = mask[rect.y : rect.bottom, rect.x : rect.right]
    rows, columns = -(-rect.height // _BLOCK), -(-rect.width // _BLOCK)
    padded = np.zeros((rows * _BLOCK, columns * _BLOCK), bool)
    padded[: rect.height, : rect.width] = part
    squares = np.asarray(padded.reshape(rows, _BLOCK, columns, _BLOCK).any(axis=(1, 3)))
    if squares.mean() > _DENSE:
        yield rect
        return
    # Runs of squares in a row; one that has the same place as one of the row above lengthens it.
    open_runs: dict[tuple[int, int], int] = {}
    for row in range(rows + 1):
        runs = set(_edges(squares[row])) if row < rows else set()
        for (left, right), top in list(open_runs.items()):
            if (left, right) not in runs:
                del open_runs[left, right]
                strip = Rect(
                    rect.x + left * _BLOCK, rect.y + top * _BLOCK,
                    (right - left) * _BLOCK, (row - top) * _BLOCK,
                )  # fmt: skip
                clipped = strip.intersection(rect)
                if clipped is not None:
                    yield clipped
        for run in runs:
            open_runs.setdefault(run, row)


def _edges(occupied: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """[begin, end) of each run of True."""
    steps = np.flatnonzero(np.diff(np.r_[False, occupied, False]))
    return list(zip(steps[::2].tolist(), steps[1::2].tolist(), strict=True))


def _runs(occupied: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Even [begin, end) of where something is, joined over gaps smaller than `_MERGE`."""
    places = np.flatnonzero(occupied)
    if places.size == 0:
        return []
    gaps = np.flatnonzero(np.diff(places) > _MERGE)
    begins = places[np.r_[0, gaps + 1]] & ~1
    ends = (places[np.r_[gaps, places.size - 1]] + 2) & ~1
    return list(zip(begins.tolist(), ends.tolist(), strict=True))


def _to_yuv(rgb: NDArray[np.number]) -> tuple[_Real, _Real, _Real]:
    """BT.709 limited range, not yet rounded, chroma at full size; `rgb` is 0 to 255."""
    # Not as a matrix product: OpenBLAS would start threads that stay.
    red, green, blue = (rgb[..., channel].astype(np.float32) for channel in range(3))
    y, u, v = (
        red * to_red + green * to_green + blue * to_blue + zero
        for (to_red, to_green, to_blue), zero in zip(_TO_YUV, _ZERO, strict=True)
    )
    return y, u, v


def _halve(plane: _Real) -> _Real:
    """Average squares of 2x2."""
    rows = plane[::2] + plane[1::2]
    return (rows[:, ::2] + rows[:, 1::2]) * np.float32(0.25)


def _quantise(plane: _Real) -> Plane:
    return np.ascontiguousarray(np.rint(plane).clip(0, 255).astype(np.uint8))
