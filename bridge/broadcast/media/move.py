"""The way from one scene to another: tiles glide, artwork dissolves. Programme thread only."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

from bridge.broadcast.media.blending import blend, mixed
from bridge.broadcast.media.compositor import NOTHING, Compositor
from bridge.broadcast.media.frames import Planes
from bridge.broadcast.media.raster import Overlay
from bridge.broadcast.media.scene import Tile
from bridge.broadcast.media.sources import SourceView
from bridge.broadcast.media.tile_painter import TilePainter

MOVE_SECONDS: Final = 0.3
_ALONE: Final = 0.4
"""Share of the way in which what lies over tiles goes, and comes: it does not glide with them."""


class Move:
    """Composes what is between `before` and `after`, beginning at `begin` (monotonic seconds)."""

    def __init__(self, before: Compositor, after: Compositor, begin: float) -> None:
        self._before = before
        self._after = after
        self._begin = begin
        leaving = {painter.source: painter for painter in before.painters}
        self._gliding: list[tuple[TilePainter, Tile]] = []
        """A painter of the next scene, and from where its tile comes."""
        self._coming: list[TilePainter] = []
        for painter in after.painters:
            old = leaving.pop(painter.source, None)
            if old is None:
                self._coming.append(painter)
            else:
                self._gliding.append((painter, old.tile))
        self._going = list(leaving.values())
        self._under = [
            painter
            for painter in self._going
            if any(
                new.tile.rect.intersection(painter.tile.rect) == painter.tile.rect
                for new in self._coming
            )
        ]
        """Of these, who goes under somebody who comes: fading both would let the ground through."""

    def over(self, now: float) -> bool:
        """Whether the next scene is reached."""
        return now >= self._begin + MOVE_SECONDS

    def compose(self, canvas: Planes, views: Mapping[str, SourceView], now: float) -> None:
        """Fill a canvas."""
        way = min(max((now - self._begin) / MOVE_SECONDS, 0.0), 1.0)
        eased = way * way * (3 - 2 * way)
        bases = zip(self._before.artwork.base, self._after.artwork.base, strict=True)
        for plane, (old, new) in zip(canvas, bases, strict=True):
            plane[:] = mixed(old, new, eased)
        for painter in self._going:
            opacity = 1.0 if painter in self._under else 1 - eased
            self._paint(painter, canvas, views, painter.tile, opacity)
        for painter, origin in self._gliding:
            self._paint(painter, canvas, views, _between(origin, painter.tile, eased), 1.0)
        for painter in self._coming:
            self._paint(painter, canvas, views, painter.tile, eased)
        for overlay, opacity in self._overlays(way):
            blend(canvas, overlay.faded(opacity))

    def end(self) -> None:
        """Let go of the scene that is left."""
        self._before.forget()

    @staticmethod
    def _paint(
        painter: TilePainter,
        canvas: Planes,
        views: Mapping[str, SourceView],
        tile: Tile,
        opacity: float,
    ) -> None:
        painter.paint_at(canvas, views.get(painter.source, NOTHING), tile, opacity)

    def _overlays(self, way: float) -> Iterator[tuple[Overlay, float]]:
        going, coming = 1 - way / _ALONE, 1 - (1 - way) / _ALONE
        for scene, opacity in ((self._before, going), (self._after, coming)):
            if opacity > 0:
                for overlay in (*scene.artwork.overlays, *scene.live):
                    yield overlay, opacity


def _between(begin: Tile, end: Tile, share: float) -> Tile:
    radius = round(begin.radius + (end.radius - begin.radius) * share)
    rect = begin.rect.towards(end.rect, share)
    return replace(end, rect=rect, radius=min(radius, min(rect.width, rect.height) // 2))
