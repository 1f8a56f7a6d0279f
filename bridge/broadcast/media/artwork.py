"""Rasterises a theme into planes that the compositor only has to copy and blend.

Half a second for a scene at 720p, with the GIL held by resvg: before going on air, or elsewhere.
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
from bridge.broadcast.media.scene import SCREEN, Badge, Rect, Scene, Tile
from bridge.broadcast.media.sources import SourceStatus
from bridge.broadcast.media.theme import (
    SCREEN_FILE,
    SIDE_BY_SIDE_FILE,
    Caption,
    Theme,
    parse_svg,
)
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
_SLATE_MARGIN: Final = 1.15
"""A slate's width over its room for the name, at least."""
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
    """By source and reason (ABSENT, RECONNECTING, CAMERA_OFF), the size of its tile.

    A shared screen has none: without a picture it is not shown.
    """
    badges: Mapping[tuple[str, Badge], Overlay]
    """By source and kind; they lie inside its tile."""


def draw_artwork(
    theme: Theme, caption: Caption, canvas: tuple[int, int], *, sharer: str | None = None
) -> Artwork:
    """Draw `theme` for a canvas of that width and height. Raises ThemeError.

    With a `sharer`, it is the scene in which he shares his screen; else side by side.
    """
    sides = theme.manifest.sides
    if sharer is None:
        layout = split_layers(theme.draw(caption), canvas, sides, SIDE_BY_SIDE_FILE)
    else:
        svg = theme.draw_screen(caption, sharer)
        layout = split_layers(svg, canvas, [*sides, SCREEN], SCREEN_FILE)
    only_bundled = theme.covers("".join((caption.motion, *caption.names.values())))
    base = rasterise(layout.base, theme.font_files, only_bundled=only_bundled)
    overlays: tuple[Overlay, ...] = ()
    if layout.above is not None:
        above = rasterise(layout.above, theme.font_files, only_bundled=only_bundled)
        base = _lay_over(base, above)
        overlays = tuple(
            _overlay(above, rect, rect)
            for tile in layout.scene.tiles
            for rect in find_boxes(above[..., 3] > 0, tile.rect)
        )
    return Artwork(
        scene=layout.scene,
        base=to_planes(base),
        overlays=overlays,
        slates=dict(_draw_slates(theme, caption, layout, only_bundled=only_bundled)),
        badges=dict(_draw_badges(theme, layout)),
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
    for tile in layout.scene.tiles:
        if tile.source == SCREEN:
            continue
        for status in (SourceStatus.ABSENT, SourceStatus.RECONNECTING, SourceStatus.CAMERA_OFF):
            svg = theme.draw_slate(tile.source, status, caption, _room(theme, tile, layout.unit))
            root = parse_svg(svg, "slate.svg")
            if "viewBox" not in root.attrib:
                message = "slate.svg: <svg> needs a viewBox"
                raise ThemeError(message)
            root.attrib.update(width=str(tile.rect.width), height=str(tile.rect.height))
            drawn = ET.tostring(root, encoding="unicode")
            rgba = rasterise(drawn, theme.font_files, only_bundled=only_bundled)
            yield (tile.source, status), to_planes(rgba)


def _draw_badges(theme: Theme, layout: Layout) -> Iterator[tuple[tuple[str, Badge], Overlay]]:
    for tile in layout.scene.tiles:
        for badge in Badge:
            if (tile.source, badge) == (SCREEN, Badge.MUTED):
                continue
            room = _badge_room(theme, tile, layout.unit)
            root = parse_svg(theme.draw_badge(badge, room), "badge.svg")
            rect = _badge_place(root, tile.rect, tile.rect.width / room[0])
            root.attrib.update(width=str(rect.width), height=str(rect.height))
            drawn = ET.tostring(root, encoding="unicode")
            # Badges say what the theme wrote, never what somebody is called.
            rgba = rasterise(drawn, theme.font_files, only_bundled=True)
            yield (tile.source, badge), _overlay(rgba, Rect(0, 0, *rgba.shape[1::-1]), rect)


def _room(theme: Theme, tile: Tile, unit: float) -> tuple[float, float]:
    """Return what a slate takes for the size of `tile`, in units of the drawing.

    In a small tile it is drawn smaller, so that a name still has its room.
    """
    width = max(tile.rect.width / unit, theme.manifest.text.slate.width * _SLATE_MARGIN)
    return width, width * tile.rect.height / tile.rect.width


def _badge_room(theme: Theme, tile: Tile, unit: float) -> tuple[float, float]:
    """As `_room`, but badges shrink by half as much: they must be seen on a phone."""
    width, height = _room(theme, tile, unit)
    shrunk = (tile.rect.width / unit / width) ** 0.5
    return width * shrunk, height * shrunk


def _badge_place(root: ET.Element, tile: Rect, unit: float) -> Rect:
    """Return where on the canvas a badge goes: its root's x, y, width, height in its tile."""
    try:
        x, y, width, height = (
            round(float(root.attrib[name]) * unit / 2) * 2 for name in ("x", "y", "width", "height")
        )
    except (KeyError, ValueError, OverflowError) as error:
        message = "badge.svg: <svg> needs x, y, width and height, plain numbers, and a viewBox"
        raise ThemeError(message) from error
    rect = Rect(tile.x + x, tile.y + y, width, height)
    if width <= 0 or height <= 0 or rect.intersection(tile) != rect:
        message = "badge.svg: the badge does not lie inside its tile"
        raise ThemeError(message)
    return rect


def _overlay(rgba: Rgba, rect: Rect, place: Rect) -> Overlay:
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


def _lay_over(below: Rgba, above: Rgba) -> Rgba:
    """Compose two drawings, the lower one over black; the result is opaque."""
    low, high = below.astype(np.float32), above.astype(np.float32)
    alpha = high[..., 3:] / 255
    colour = low[..., :3] * (low[..., 3:] / 255) * (1 - alpha) + high[..., :3] * alpha
    opaque = np.full((*below.shape[:2], 1), 255, np.uint8)
    return np.concatenate([np.rint(colour).astype(np.uint8), opaque], axis=2)


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
