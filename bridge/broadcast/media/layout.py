"""Takes a theme's SVG apart: under the pictures, over them, what is drawn by itself, the tiles."""

import xml.etree.ElementTree as ET
from collections.abc import Collection, Iterator
from copy import copy
from dataclasses import dataclass
from typing import Final

from bridge.broadcast.media.scene import Fit, Rect, Scene, Tile
from bridge.broadcast.media.theme_guard import local_name, parse_svg
from bridge.errors import ThemeError

_ABOVE: Final = "above"
_LIVE: Final = "live"
_SVG: Final = "{http://www.w3.org/2000/svg}"
_BORDER: Final = ("stroke", "stroke-width", "stroke-opacity", "stroke-dasharray")
_COMMON: Final = {"defs", "style"}


@dataclass(frozen=True, slots=True)
class LiveBox:
    """A part of a drawing that is drawn by itself, because it changes often."""

    rect: Rect
    svg: str
    """At the size of `rect`. While it stays the same the box need not be drawn again."""


@dataclass(frozen=True, slots=True)
class Layout:
    """A drawing in layers, scaled to the canvas."""

    scene: Scene
    base: str
    """SVG of what is under the pictures."""
    above: str | None
    """SVG of what is over them; None when nothing is."""
    live: tuple[LiveBox, ...]
    """Over all of it."""
    unit: float
    """Canvas pixels per unit of the drawing."""


@dataclass(frozen=True, slots=True)
class _Placement:
    """How the drawing lies on the canvas: whole, centred (SVG `xMidYMid meet`)."""

    unit: float
    left: float
    top: float

    def rect(self, x: float, y: float, width: float, height: float) -> Rect:
        """Return the nearest rectangle with even coordinates."""
        left, top = _even(self.left + x * self.unit), _even(self.top + y * self.unit)
        right = _even(self.left + (x + width) * self.unit)
        bottom = _even(self.top + (y + height) * self.unit)
        return Rect(left, top, right - left, bottom - top)


def split_layers(
    svg: str, canvas: tuple[int, int], file: str, *, needed: Collection[str], known: Collection[str]
) -> Layout:
    """Separate the layers of `svg`, made of `file`; `needed` and `known` are sources of tiles.

    Raises ThemeError naming the element that is wrong.
    """
    root = parse_svg(svg, file)
    placement = _place(root, canvas)
    _check_nesting(root)
    tiles = [child for child in root if "data-tile" in child.attrib]
    above = [child for child in root if child.get("data-layer") == _ABOVE]
    live = [child for child in root if child.get("data-layer") == _LIVE]
    scene = Scene(
        width=canvas[0],
        height=canvas[1],
        tiles=tuple(_read_tile(element, placement) for element in tiles),
    )
    _check_sources(scene, file, needed, known)
    common = [child for child in root if local_name(child) in _COMMON]
    special = {id(element) for element in (*tiles, *above, *live)}
    under = [child for child in root if id(child) not in special]
    over = [*_borders(tiles), *above]
    return Layout(
        scene=scene,
        base=_assemble(root, under, canvas),
        above=_assemble(root, [*common, *over], canvas) if over else None,
        live=tuple(_read_live(element, root, common, placement, canvas) for element in live),
        unit=placement.unit,
    )


def words(svg: str) -> str:
    """Return all characters that a drawing may show."""
    return "".join(ET.fromstring(svg).itertext())  # noqa: S314 - it went through `parse_svg`


def _place(root: ET.Element, canvas: tuple[int, int]) -> _Placement:
    numbers = (root.get("viewBox") or "").replace(",", " ").split()
    try:
        x, y, width, height = (float(number) for number in numbers)
    except ValueError as error:
        message = '<svg> needs a viewBox of four numbers, such as "0 0 1280 720"'
        raise ThemeError(message) from error
    if (x, y) != (0, 0) or not (0 < width <= 16384 and 0 < height <= 16384):
        message = f'<svg viewBox="{root.get("viewBox")}"> must begin at 0 0 and have a size'
        raise ThemeError(message)
    unit = min(canvas[0] / width, canvas[1] / height)
    return _Placement(unit, (canvas[0] - width * unit) / 2, (canvas[1] - height * unit) / 2)


def _check_nesting(root: ET.Element) -> None:
    """Refuse special elements deeper down, where a group could move or hide them."""
    for child in root:
        for element in child.iter():
            for attribute in ("data-tile", "data-layer"):
                if attribute in element.attrib and element is not child:
                    message = f"{_describe(element, attribute)} must be a child of <svg> itself"
                    raise ThemeError(message)
        layer = child.get("data-layer")
        if layer not in {None, _ABOVE, _LIVE}:
            message = f'{_describe(child, "data-layer")}: a layer is "above" or "live"'
            raise ThemeError(message)
        if layer == _LIVE and (local_name(child) != "svg" or "transform" in child.attrib):
            name = _describe(child, "data-layer")
            message = f"{name} must be an <svg> with x, y, width and height, without a transform"
            raise ThemeError(message)


def _read_tile(element: ET.Element, placement: _Placement) -> Tile:
    name = _describe(element, "data-tile")
    if local_name(element) != "rect" or "transform" in element.attrib:
        message = f"{name} must be a <rect> without a transform"
        raise ThemeError(message)
    rect = _read_rect(element, placement, name)
    fit = element.get("data-fit", Fit.COVER.value)
    if fit not in set(Fit):
        message = f'{name}: data-fit="{fit}" is neither cover nor contain'
        raise ThemeError(message)
    (radius,) = _numbers(element, ("rx",), name)
    return Tile(
        source=element.attrib["data-tile"],
        rect=rect,
        fit=Fit(fit),
        radius=round(radius * placement.unit),
        over=element.get("data-over"),
    )


def _read_rect(element: ET.Element, placement: _Placement, name: str) -> Rect:
    x, y, width, height = _numbers(element, ("x", "y", "width", "height"), name)
    try:
        return placement.rect(x, y, width, height)
    except (ValueError, OverflowError) as error:
        message = f"{name}: x, y, width, height and rx must be plain numbers"
        raise ThemeError(message) from error


def _numbers(element: ET.Element, attributes: tuple[str, ...], name: str) -> list[float]:
    try:
        numbers = [float(element.get(attribute, "0")) for attribute in attributes]
    except ValueError:
        numbers = [float("nan")]
    if not all(abs(number) < 1e6 for number in numbers):
        message = f"{name}: x, y, width, height and rx must be plain numbers"
        raise ThemeError(message)
    return numbers


def _check_sources(
    scene: Scene, file: str, needed: Collection[str], known: Collection[str]
) -> None:
    placed = {tile.source for tile in scene.tiles}
    for source in needed:
        if source not in placed:
            message = f'{file} has no <rect data-tile="{source}">'
            raise ThemeError(message)
    for source in sorted(placed - set(known)):
        message = f'<rect data-tile="{source}"> is for a side that theme.toml does not name'
        raise ThemeError(message)


def _borders(tiles: list[ET.Element]) -> Iterator[ET.Element]:
    """Yield what is drawn of the tiles themselves: their strokes, over the pictures."""
    for tile in tiles:
        if tile.get("stroke", "none") == "none":
            continue
        border = ET.Element(f"{_SVG}rect", {"fill": "none"})
        for attribute in ("x", "y", "width", "height", "rx", *_BORDER):
            if (value := tile.get(attribute)) is not None:
                border.set(attribute, value)
        yield border


def _read_live(
    element: ET.Element,
    root: ET.Element,
    common: list[ET.Element],
    placement: _Placement,
    canvas: tuple[int, int],
) -> LiveBox:
    name = _describe(element, "data-layer")
    rect = _read_rect(element, placement, name)
    if rect.intersection(Rect(0, 0, *canvas)) != rect:
        message = f"{name} does not lie inside the canvas, or has no size"
        raise ThemeError(message)
    inner = copy(element)
    del inner.attrib["data-layer"]
    # A viewport that begins where the box does, in units of the drawing: what is common to the
    # whole drawing, such as gradients in user space, keeps its place.
    outer = copy(root)
    outer[:] = [*common, inner]
    unit = placement.unit
    begin = (rect.x - placement.left) / unit, (rect.y - placement.top) / unit
    outer.set("viewBox", f"{begin[0]} {begin[1]} {rect.width / unit} {rect.height / unit}")
    outer.set("width", str(rect.width))
    outer.set("height", str(rect.height))
    return LiveBox(rect, ET.tostring(outer, encoding="unicode"))


def _assemble(root: ET.Element, children: list[ET.Element], canvas: tuple[int, int]) -> str:
    """Return the root with only these children, at the size of the canvas."""
    layer = copy(root)
    layer[:] = children
    layer.set("width", str(canvas[0]))
    layer.set("height", str(canvas[1]))
    return ET.tostring(layer, encoding="unicode")


def _describe(element: ET.Element, attribute: str) -> str:
    return f'<{local_name(element)} {attribute}="{element.get(attribute)}">'


def _even(number: float) -> int:
    return round(number / 2) * 2
