"""Rasterises a theme into planes that the compositor only has to copy and blend.

Takes about 0.1 s per drawing, with the GIL held by resvg: before going on air.
"""

import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

import av
import numpy as np
import resvg_py
from numpy.typing import NDArray

from bridge.broadcast.media.frames import Plane, Planes
from bridge.broadcast.media.layout import Layout, split_layers
from bridge.broadcast.media.scene import Rect, Scene, Tile
from bridge.broadcast.media.sources import SourceStatus
from bridge.broadcast.media.theme import Caption, Theme, parse_svg
from bridge.errors import ThemeError

Rgba: TypeAlias = NDArray[np.uint8]
"""Shape (height, width, 4), alpha not multiplied in."""
_Real: TypeAlias = NDArray[np.float32]

_RED, _GREEN, _BLUE = 0.2126, 0.7152, 0.0722
"""Luma weights of ITU-R BT.709."""
_MERGE: Final = 8
"""Boxes that are closer than this many pixels are blended as one."""


@dataclass(frozen=True, slots=True)
class Overlay:
    """A box that lies over pictures: result = below * (255 - alpha) / 255 + colour / 255."""

    rect: Rect
    colour: tuple[NDArray[np.uint16], ...]
    """Y, U, V times alpha (0 to 255)."""
    transparency: tuple[NDArray[np.uint16], ...]
    """255 - alpha, for luma and for each chroma plane."""


@dataclass(frozen=True, slots=True)
class Artwork:
    """Everything drawn that the programme shows. Read-only."""

    scene: Scene
    base: Planes
    """The canvas without pictures."""
    overlays: tuple[Overlay, ...]
    """Only where they lie over tiles; elsewhere they are in `base` already."""
    slates: Mapping[tuple[str, SourceStatus], Planes]
    """By source and reason (ABSENT, CAMERA_OFF), the size of its tile."""


def draw_artwork(theme: Theme, caption: Caption, canvas: tuple[int, int]) -> Artwork:
    """Draw `theme` for a canvas of that width and height. Raises ThemeError."""
    svg = theme.draw(caption)
    layout = split_layers(svg, canvas, theme.manifest.sides)
    only_bundled = theme.covers("".join((caption.motion, *caption.names.values())))
    base = rasterise(layout.base, theme.font_files, only_bundled=only_bundled)
    overlays: tuple[Overlay, ...] = ()
    if layout.above is not None:
        above = rasterise(layout.above, theme.font_files, only_bundled=only_bundled)
        base = _lay_over(base, above)
        overlays = tuple(
            _overlay(above, rect)
            for tile in layout.scene.tiles
            for rect in find_boxes(above[..., 3] > 0, tile.rect)
        )
    return Artwork(
        scene=layout.scene,
        base=to_planes(base),
        overlays=overlays,
        slates=dict(_draw_slates(theme, caption, layout, only_bundled=only_bundled)),
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
    alpha = rgba[..., 3:].astype(np.float32) / np.float32(255)
    y, u, v = _to_yuv(rgba[..., :3] * alpha)
    return _quantise(y), _quantise(_halve(u)), _quantise(_halve(v))


def find_boxes(mask: NDArray[np.bool_], within: Rect) -> Iterator[Rect]:
    """Yield even rectangles inside `within` that hold all of `mask` there, cut at empty lanes."""
    part = mask[within.y : within.bottom, within.x : within.right]
    rows = _runs(np.any(part, axis=1))
    for top, bottom in rows:
        columns = _runs(np.any(part[top:bottom], axis=0))
        for left, right in columns:
            rect = Rect(within.x + left, within.y + top, right - left, bottom - top)
            if len(rows) == len(columns) == 1:
                yield rect
            else:
                yield from find_boxes(mask, rect)


def _runs(occupied: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Even [begin, end) of where something is, joined over gaps smaller than `_MERGE`."""
    places = np.flatnonzero(occupied)
    if places.size == 0:
        return []
    gaps = np.flatnonzero(np.diff(places) > _MERGE)
    begins = places[np.r_[0, gaps + 1]] & ~1
    ends = (places[np.r_[gaps, places.size - 1]] + 2) & ~1
    return list(zip(begins.tolist(), ends.tolist(), strict=True))


def _draw_slates(
    theme: Theme, caption: Caption, layout: Layout, *, only_bundled: bool
) -> Iterator[tuple[tuple[str, SourceStatus], Planes]]:
    lines = {
        SourceStatus.ABSENT: theme.manifest.slate.absent,
        SourceStatus.CAMERA_OFF: theme.manifest.slate.camera_off,
    }
    for tile in layout.scene.tiles:
        for status, line in lines.items():
            svg = _slate_svg(theme, tile, line, caption, layout.unit)
            drawn = rasterise(svg, theme.font_files, only_bundled=only_bundled)
            yield (tile.source, status), to_planes(drawn)


def _slate_svg(theme: Theme, tile: Tile, line: str, caption: Caption, unit: float) -> str:
    size = (tile.rect.width / unit, tile.rect.height / unit)
    root = parse_svg(theme.draw_slate(tile.source, line, caption, size), "slate.svg")
    expected = {"width": str(tile.rect.width), "height": str(tile.rect.height)}
    if "viewBox" not in root.attrib:
        message = "slate.svg: <svg> needs a viewBox"
        raise ThemeError(message)
    root.attrib.update(expected)
    return ET.tostring(root, encoding="unicode")


def _overlay(rgba: Rgba, rect: Rect) -> Overlay:
    part = rgba[rect.y : rect.bottom, rect.x : rect.right]
    alpha = part[..., 3].astype(np.float32)
    y, u, v = _to_yuv(part[..., :3].astype(np.float32))
    halved = np.rint(_halve(alpha))
    # Colour is weighted by alpha before it is averaged, or edges would take on invisible colour.
    colour = (np.rint(alpha) * y, _halve(alpha * u), _halve(alpha * v))
    return Overlay(
        rect,
        tuple(np.rint(plane).astype(np.uint16) for plane in colour),
        tuple((255 - plane).astype(np.uint16) for plane in (alpha, halved, halved)),
    )


def _lay_over(below: Rgba, above: Rgba) -> Rgba:
    """Compose two drawings, the lower one over black; the result is opaque."""
    low, high = below.astype(np.float32), above.astype(np.float32)
    alpha = high[..., 3:] / 255
    colour = low[..., :3] * (low[..., 3:] / 255) * (1 - alpha) + high[..., :3] * alpha
    opaque = np.full((*below.shape[:2], 1), 255, np.uint8)
    return np.concatenate([np.rint(colour).astype(np.uint8), opaque], axis=2)


def _to_yuv(rgb: NDArray[np.floating]) -> tuple[_Real, _Real, _Real]:
    """BT.709 limited range, not yet rounded, chroma at full size; `rgb` is 0 to 255."""
    red, green, blue = (
        rgb[..., channel].astype(np.float32) / np.float32(255) for channel in range(3)
    )
    luma = _RED * red + _GREEN * green + _BLUE * blue
    return (
        16 + 219 * luma,
        128 + 224 * (blue - luma) / (2 * (1 - _BLUE)),
        128 + 224 * (red - luma) / (2 * (1 - _RED)),
    )


def _halve(plane: _Real) -> _Real:
    """Average squares of 2x2."""
    height, width = plane.shape
    mean: _Real = plane.reshape(height // 2, 2, width // 2, 2).mean(axis=(1, 3))
    return mean


def _quantise(plane: _Real) -> Plane:
    return np.ascontiguousarray(np.rint(plane).clip(0, 255).astype(np.uint8))
