"""Takes a theme's SVG apart: what is under the pictures, what is over them, and the tiles."""

import xml.etree.ElementTree as ET
from collections.abc import Collection
from copy import copy
from dataclasses import dataclass

from bridge.broadcast.media.scene import Fit, Rect, Scene, Tile
from bridge.broadcast.media.theme import local_name, parse_svg
from bridge.errors import ThemeError


@dataclass(frozen=True, slots=True)
class Layout:
    """A drawing in layers, scaled to the canvas."""

    scene: Scene
    base: str
    """SVG of what is under the pictures."""
    above: str | None
    """SVG of what is over them; None when nothing is."""
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


def split_layers(svg: str, canvas: tuple[int, int], sources: Collection[str], file: str) -> Layout:
    """Separate the layers of `svg`, made of `file`; each of `sources` has its tile.

    Raises ThemeError naming the element that is wrong.
    """
    root = parse_svg(svg, file)
    placement = _place(root, canvas)
    _check_nesting(root)
    tiles = [child for child in root if "data-tile" in child.attrib]
    above = [child for child in root if child.get("data-layer") == "above"]
    scene = Scene(
        width=canvas[0],
        height=canvas[1],
        tiles=tuple(_read_tile(element, placement) for element in tiles),
    )
    _check_sources(scene, sources, file)
    common = [child for child in root if local_name(child) in {"defs", "style"}]
    under = [child for child in root if child not in tiles and child not in above]
    return Layout(
        scene=scene,
        base=_assemble(root, under, canvas),
        above=_assemble(root, [*common, *above], canvas) if above else None,
        unit=placement.unit,
    )


def _place(root: ET.Element, canvas: tuple[int, int]) -> _Placement:
    numbers = (root.get("viewBox") or "").replace(",", " ").split()
    try:
        x, y, width, height = (float(number) for number in numbers)
    except ValueError as error:
        message = '<svg> needs a viewBox of four numbers, such as "0 0 1280 720"'
        raise ThemeError(message) from error
    if (x, y) != (0, 0) or width <= 0 or height <= 0:
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
        if layer not in {None, "above"}:
            message = f'{_describe(child, "data-layer")}: the only layer is "above"'
            raise ThemeError(message)


def _read_tile(element: ET.Element, placement: _Placement) -> Tile:
    name = _describe(element, "data-tile")
    if local_name(element) != "rect" or "transform" in element.attrib:
        message = f"{name} must be a <rect> without a transform"
        raise ThemeError(message)
    try:
        x, y, width, height, radius = (
            float(element.get(attribute, "0")) for attribute in ("x", "y", "width", "height", "rx")
        )
        rect, radius = placement.rect(x, y, width, height), radius * placement.unit
    except (ValueError, OverflowError) as error:
        message = f"{name}: x, y, width, height and rx must be plain numbers"
        raise ThemeError(message) from error
    fit = element.get("data-fit", Fit.COVER.value)
    if fit not in set(Fit):
        message = f'{name}: data-fit="{fit}" is neither cover nor contain'
        raise ThemeError(message)
    return Tile(source=element.attrib["data-tile"], rect=rect, fit=Fit(fit), radius=round(radius))


def _check_sources(scene: Scene, sources: Collection[str], file: str) -> None:
    placed = {tile.source for tile in scene.tiles}
    for source in sources:
        if source not in placed:
            message = f'{file} has no <rect data-tile="{source}">'
            raise ThemeError(message)
    for source in sorted(placed - set(sources)):
        message = f'<rect data-tile="{source}"> is for a side that theme.toml does not name'
        raise ThemeError(message)


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
