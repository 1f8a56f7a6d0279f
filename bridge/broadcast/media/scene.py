"""What is shown where: pure data, checked when it is made."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from bridge.errors import ThemeError

SCREEN: Final = "screen"
"""The tile of whoever shares his screen."""


class SceneName(StrEnum):
    """The kinds of scene that a theme draws."""

    SIDE_BY_SIDE = "side_by_side"
    SPEAKER = "speaker"
    """One side large."""
    PICTURE_IN_PICTURE = "picture_in_picture"
    """One side fills the picture, the other is in a corner of it."""
    SCREEN = "screen"
    """A shared screen, both sides beside it."""
    TITLE = "title"
    BREAK = "break"
    RESULT = "result"


ABOUT_A_SIDE: Final = frozenset({SceneName.SPEAKER, SceneName.PICTURE_IN_PICTURE, SceneName.SCREEN})
"""Scenes that are drawn once for each side: who is large, or shares his screen."""


@dataclass(frozen=True, slots=True)
class SceneKey:
    """One scene of a programme."""

    name: SceneName
    subject: str | None = None
    """The side it is about; present exactly for those in `ABOUT_A_SIDE`."""

    def source(self, tile: str) -> str:
        """Return the name of the source whose picture is in the tile called `tile`."""
        return screen_of(self.subject or "") if tile == SCREEN else tile


def screen_of(side: str) -> str:
    """Return the name of the source that a side's shared screen is."""
    return f"{side}-{SCREEN}"


class Badge(StrEnum):
    """A mark on a tile."""

    FROZEN = "frozen"
    """The picture is old: nothing new comes."""
    MUTED = "muted"


class Fit(StrEnum):
    """How a picture fills its tile when the proportions differ (as CSS `object-fit`)."""

    COVER = "cover"
    """Fills the tile; what stands out is cut off."""
    CONTAIN = "contain"
    """Shown whole; the theme's artwork stays visible beside it."""


@dataclass(frozen=True, slots=True)
class Rect:
    """Pixels, from the top left corner."""

    x: int
    y: int
    width: int
    height: int

    @property
    def right(self) -> int:
        """First column that is not inside."""
        return self.x + self.width

    @property
    def bottom(self) -> int:
        """First row that is not inside."""
        return self.y + self.height

    @property
    def even(self) -> bool:
        """Whether the rectangle has whole chroma samples in 4:2:0."""
        return not (self.x | self.y | self.width | self.height) & 1

    def halved(self) -> "Rect":
        """Return the same place on a chroma plane."""
        return Rect(self.x // 2, self.y // 2, self.width // 2, self.height // 2)

    def intersection(self, other: "Rect") -> "Rect | None":
        """Return what both cover."""
        x, y = max(self.x, other.x), max(self.y, other.y)
        width, height = min(self.right, other.right) - x, min(self.bottom, other.bottom) - y
        return Rect(x, y, width, height) if width > 0 and height > 0 else None

    def towards(self, other: "Rect", share: float) -> "Rect":
        """Return the even rectangle that lies `share` (0 to 1) of the way to `other`."""
        ends = zip(
            (self.x, self.y, self.right, self.bottom),
            (other.x, other.y, other.right, other.bottom),
            strict=True,
        )
        left, top, right, bottom = (
            round((begin + (end - begin) * share) / 2) * 2 for begin, end in ends
        )
        return Rect(left, top, right - left, bottom - top)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """Where the picture of one source goes."""

    source: str
    rect: Rect
    fit: Fit = Fit.COVER
    radius: int = 0
    """Of the corners, in pixels."""
    over: str | None = None
    """The tile before it that it may lie over, on purpose."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A canvas and its tiles, the lowest first.

    Raises ThemeError, naming the tile, when they do not go together.
    """

    width: int
    height: int
    tiles: tuple[Tile, ...]

    def __post_init__(self) -> None:
        canvas = Rect(0, 0, self.width, self.height)
        if not canvas.even:
            message = f"the canvas, {self.width}x{self.height}, must have even sides"
            raise ThemeError(message)
        for number, tile in enumerate(self.tiles):
            _check(tile, canvas, self.tiles[:number])


def _check(tile: Tile, canvas: Rect, before: tuple[Tile, ...]) -> None:
    name = f'tile "{tile.source}"'
    rect = tile.rect
    if rect.width <= 0 or rect.height <= 0 or rect.intersection(canvas) != rect:
        message = f"{name} does not lie inside the canvas"
        raise ThemeError(message)
    if not rect.even:
        message = f"{name} must have even coordinates and sides"
        raise ThemeError(message)
    if not 0 <= tile.radius <= min(rect.width, rect.height) // 2:
        message = f"{name} is rounded by more than half its side"
        raise ThemeError(message)
    for other in before:
        if other.source == tile.source:
            message = f"{name} is there twice"
            raise ThemeError(message)
        if other.source != tile.over and rect.intersection(other.rect):
            message = (
                f'{name} overlaps tile "{other.source}"; '
                f'where that is meant, write data-over="{other.source}"'
            )
            raise ThemeError(message)
