"""The studio: draws scenes of one theme, and draws again only what has changed. One thread.

A first scene takes some 0.2 s at 720p, a clock's second 2 ms, with the GIL held all the while: so
it works in a process of its own (studio_child.py), or where nobody waits.
"""

import xml.etree.ElementTree as ET
from collections import OrderedDict
from collections.abc import Iterator
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bridge.broadcast.media.artwork import Artwork, Drawing
from bridge.broadcast.media.caption import Caption
from bridge.broadcast.media.frames import Planes
from bridge.broadcast.media.layout import Layout, split_layers, words
from bridge.broadcast.media.raster import (
    Overlay,
    Rgba,
    find_boxes,
    lay_over,
    overlay,
    rasterise,
    to_planes,
)
from bridge.broadcast.media.scene import SCREEN, Badge, Rect, SceneKey, SceneName, Tile
from bridge.broadcast.media.sources import SourceStatus
from bridge.broadcast.media.theme import BADGE_FILE, SCENE_FILES, SLATE_FILE, Theme
from bridge.broadcast.media.theme_guard import parse_svg
from bridge.errors import ThemeError

_SLATE_ROOM: Final = 600.0
"""Units of the drawing that a slate is at least wide: room for a name. Small tiles shrink it."""
_SMALL_PICTURES: Final = 256
"""Slates, badges and live boxes that are kept, the least used go first. Some tens of MiB."""
_SLATES: Final = (SourceStatus.ABSENT, SourceStatus.RECONNECTING, SourceStatus.CAMERA_OFF)


_Slate: TypeAlias = tuple[tuple[str, SourceStatus], str, Rect]
_Badge: TypeAlias = tuple[tuple[str, Badge], str, Rect]
"""Name, SVG and place."""


class Studio:
    """Draws `theme` for a canvas of that width and height."""

    def __init__(self, theme: Theme, canvas: tuple[int, int]) -> None:
        self._theme = theme
        self._canvas = canvas
        self._drawn: dict[SceneKey, tuple[str, ...]] = {}
        """What each scene's last artwork was drawn of."""
        self._last_on_tiles: (
            tuple[tuple[object, ...], tuple[_Slate, ...], tuple[_Badge, ...]] | None
        ) = None
        self._small: OrderedDict[tuple[str, Rect], object] = OrderedDict()

    def draw(self, key: SceneKey, caption: Caption, *, hasty: bool = False) -> Drawing:
        """Draw a scene. Raises ThemeError, naming the element.

        The artwork is left out when it is what the last call with this key returned. `hasty`: only
        with what a programme needs in its first second, when nobody has come yet.
        """
        layout = self._lay_out(key, caption)
        slates, badges = self._on_tiles(layout, caption, hasty=hasty)
        live = tuple(self._live(box.svg, box.rect) for box in layout.live)
        signature = (layout.base, layout.above or "", *(svg for _, svg, _ in (*slates, *badges)))
        if signature == self._drawn.get(key):
            return Drawing(key, None, live)
        base, overlays = self._layers(layout)
        artwork = Artwork(
            scene=layout.scene,
            slates={name: self._slate(svg, rect) for name, svg, rect in slates},
            badges={name: self._live(svg, rect) for name, svg, rect in badges},
            base=base,
            overlays=overlays,
        )
        self._drawn[key] = signature
        return Drawing(key, artwork, live)

    def _lay_out(self, key: SceneKey, caption: Caption) -> Layout:
        sides = list(self._theme.manifest.sides)
        file = SCENE_FILES[key.name]
        needed = {
            SceneName.SIDE_BY_SIDE: sides,
            SceneName.SPEAKER: [key.subject or ""],
            SceneName.PICTURE_IN_PICTURE: [key.subject or ""],
            SceneName.SCREEN: [SCREEN],
        }.get(key.name, [])
        known = [*sides, SCREEN] if key.name is SceneName.SCREEN else sides
        svg = self._theme.draw(key, caption)
        return split_layers(svg, self._canvas, file, needed=needed, known=known)

    def _layers(self, layout: Layout) -> tuple[Planes, tuple[Overlay, ...]]:
        under = self._rasterise(layout.base)
        if layout.above is None:
            return to_planes(under), ()
        above = self._rasterise(layout.above)
        tiles = [tile.rect for tile in layout.scene.tiles]
        outside = above.copy()
        for rect in tiles:
            # There it is blended over what is shown; twice it would be too strong.
            outside[rect.y : rect.bottom, rect.x : rect.right] = 0
        overlays = (overlay(above, box, box) for box in _boxes(above[..., 3] > 0, tiles))
        return to_planes(lay_over(under, outside)), tuple(overlays)

    def _on_tiles(
        self, layout: Layout, caption: Caption, *, hasty: bool
    ) -> tuple[tuple[_Slate, ...], tuple[_Badge, ...]]:
        """Return slates and badges as SVG. They know names only: no clock makes them anew."""
        known = (layout.scene, layout.unit, tuple(caption.names.items()), hasty)
        if self._last_on_tiles is None or self._last_on_tiles[0] != known:
            reasons = _SLATES[:1] if hasty else _SLATES
            slates = tuple(self._slates(layout, caption, reasons))
            badges = () if hasty else tuple(self._badges(layout))
            self._last_on_tiles = known, slates, badges
        return self._last_on_tiles[1:]

    def _slates(
        self, layout: Layout, caption: Caption, reasons: tuple[SourceStatus, ...]
    ) -> Iterator[_Slate]:
        for tile in layout.scene.tiles:
            if tile.source == SCREEN:
                continue
            room = _room(tile, layout.unit)
            for status in reasons:
                svg = self._theme.draw_slate(tile.source, status, caption, room)
                root = parse_svg(svg, SLATE_FILE)
                if "viewBox" not in root.attrib:
                    message = f"{SLATE_FILE}: <svg> needs a viewBox"
                    raise ThemeError(message)
                yield (tile.source, status), _sized(root, tile.rect), tile.rect

    def _badges(self, layout: Layout) -> Iterator[_Badge]:
        for tile in layout.scene.tiles:
            for badge in Badge:
                if (tile.source, badge) == (SCREEN, Badge.MUTED):
                    continue
                room = _badge_room(tile, layout.unit)
                root = parse_svg(self._theme.draw_badge(badge, room), BADGE_FILE)
                rect = _badge_place(root, tile.rect, tile.rect.width / room[0])
                yield (tile.source, badge), _sized(root, rect), rect

    def _slate(self, svg: str, rect: Rect) -> Planes:
        size = Rect(0, 0, rect.width, rect.height)
        found = self._small.pop((svg, size), None)
        planes = found if isinstance(found, tuple) else to_planes(self._rasterise(svg))
        self._keep((svg, size), planes)
        return planes

    def _live(self, svg: str, rect: Rect) -> Overlay:
        """Return a box of a drawing of its own, at its place."""
        found = self._small.pop((svg, rect), None)
        if not isinstance(found, Overlay):
            rgba = self._rasterise(svg)
            found = overlay(rgba, Rect(0, 0, rect.width, rect.height), rect)
        self._keep((svg, rect), found)
        return found

    def _keep(self, name: tuple[str, Rect], picture: object) -> None:
        self._small[name] = picture
        if len(self._small) > _SMALL_PICTURES:
            self._small.popitem(last=False)

    def _rasterise(self, svg: str) -> Rgba:
        only_bundled = self._theme.covers(words(svg).replace("\n", ""))
        return rasterise(svg, self._theme.font_files, only_bundled=only_bundled)


def _boxes(mask: NDArray[np.bool_], tiles: list[Rect]) -> Iterator[Rect]:
    """Yield what of `mask` lies over tiles. Where two overlap it is found once."""
    left = mask.copy()
    for tile in tiles:
        yield from find_boxes(left, tile)
        left[tile.y : tile.bottom, tile.x : tile.right] = False


def _sized(root: ET.Element, rect: Rect) -> str:
    root.attrib.update(width=str(rect.width), height=str(rect.height))
    return ET.tostring(root, encoding="unicode")


def _room(tile: Tile, unit: float) -> tuple[float, float]:
    """Return what a slate takes for the size of `tile`, in units of the drawing.

    In a small tile it is drawn smaller, so that a name still has its room.
    """
    width = max(tile.rect.width / unit, _SLATE_ROOM)
    return width, width * tile.rect.height / tile.rect.width


def _badge_room(tile: Tile, unit: float) -> tuple[float, float]:
    """As `_room`, but badges shrink by half as much: they must be seen on a phone."""
    width, height = _room(tile, unit)
    shrunk = (tile.rect.width / unit / width) ** 0.5
    return width * shrunk, height * shrunk


def _badge_place(root: ET.Element, tile: Rect, unit: float) -> Rect:
    """Return where on the canvas a badge goes: its root's x, y, width, height in its tile."""
    try:
        x, y, width, height = (
            round(float(root.attrib[name]) * unit / 2) * 2 for name in ("x", "y", "width", "height")
        )
    except (KeyError, ValueError, OverflowError) as error:
        message = f"{BADGE_FILE}: <svg> needs x, y, width and height, plain numbers, and a viewBox"
        raise ThemeError(message) from error
    rect = Rect(tile.x + x, tile.y + y, width, height)
    if width <= 0 or height <= 0 or rect.intersection(tile) != rect:
        message = f"{BADGE_FILE}: the badge does not lie inside its tile"
        raise ThemeError(message)
    return rect
