"""The stage: has every scene that was drawn and goes from one to another."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from math import inf
from typing import Final

import av

from bridge.broadcast.media.artwork import Drawing
from bridge.broadcast.media.compositor import Compositor, new_canvas
from bridge.broadcast.media.frames import view_planes
from bridge.broadcast.media.move import Move
from bridge.broadcast.media.scene import Scene, SceneKey
from bridge.broadcast.media.sources import SourceView
from bridge.errors import ConflictError, ThemeError

_MOST_WAITING: Final = 64
"""Drawings that no tick has taken yet; overflow: the oldest goes. The programme stands then."""


class Transition(StrEnum):
    """How one scene becomes another."""

    CUT = "cut"
    """From one picture to the next."""
    MOVE = "move"
    """In 0.3 s: tiles glide to their new places."""


@dataclass(frozen=True, slots=True)
class Shot:
    """What is on air."""

    key: SceneKey
    sizes: Mapping[str, tuple[int, int]]
    """Width and height of the tile by name of its source; who has none is not seen."""


class Stage:
    """Composes each tick in the scene that is shown.

    `put` and `show` are for one thread, `compose` for the programme's. A scene is only shown when
    it has been drawn, so no picture is ever half of one or black.
    """

    def __init__(self, opening: Drawing) -> None:
        if opening.artwork is None:
            message = "the first drawing of a scene has its artwork"
            raise ThemeError(message)
        scene = opening.artwork.scene
        self.size = scene.width, scene.height
        """Width and height of the canvas."""
        self._scenes: dict[SceneKey, Scene] = {}
        self._waiting: deque[tuple[float, Drawing]] = deque(maxlen=_MOST_WAITING)
        self._later: list[tuple[float, Drawing]] = []
        self._compositors: dict[SceneKey, Compositor] = {}
        self._wanted = opening.key, Transition.CUT
        self._current = Compositor(opening.key, opening.artwork)
        self._move: Move | None = None
        self.put(opening)

    def put(self, drawing: Drawing, at: float = -inf) -> None:
        """Have a scene drawn so from `at` (monotonic seconds) on, whether it is shown or not.

        One without artwork keeps what the scene has; one of a scene that has none is left out.
        """
        if drawing.artwork is not None:
            self._scenes[drawing.key] = drawing.artwork.scene
        self._waiting.append((at, drawing))

    @property
    def drawn(self) -> frozenset[SceneKey]:
        """What can be shown."""
        return frozenset(self._scenes)

    def show(self, key: SceneKey, transition: Transition) -> Shot:
        """Go to a scene with the next tick. Raises ConflictError when it has not been drawn."""
        if key not in self._scenes:
            message = f"the scene {key.name} has not been drawn yet"
            raise ConflictError(message)
        self._wanted = key, transition
        return self.shot

    @property
    def shot(self) -> Shot:
        """What was shown last."""
        key, _ = self._wanted
        tiles = self._scenes[key].tiles
        sizes = {key.source(tile.source): (tile.rect.width, tile.rect.height) for tile in tiles}
        return Shot(key, sizes)

    def compose(self, views: Mapping[str, SourceView], now: float) -> av.VideoFrame:
        """Return a new picture of the size of the canvas, for `now`. Programme thread.

        `views` are by name of the source; one without a view is absent.
        """
        self._take_drawings(now)
        self._follow(now)
        picture = new_canvas(*self.size)
        canvas = view_planes(picture)
        if self._move is not None:
            self._move.compose(canvas, views, now)
        else:
            self._current.compose(canvas, views)
        return picture

    def _take_drawings(self, now: float) -> None:
        while self._waiting:
            self._later.append(self._waiting.popleft())
        if not self._later:
            return
        due = [drawing for at, drawing in self._later if at <= now]
        self._later = [entry for entry in self._later if entry[0] > now][-_MOST_WAITING:]
        for drawing in due:
            self._take(drawing)

    def _take(self, drawing: Drawing) -> None:
        key = drawing.key
        if drawing.artwork is not None:
            made = self._compositors[key] = Compositor(key, drawing.artwork)
            if key == self._current.key:
                self._current = made
        if key in self._compositors:
            self._compositors[key].live = drawing.live

    def _follow(self, now: float) -> None:
        if self._move is not None and self._move.over(now):
            self._move.end()
            self._move = None
        key, transition = self._wanted
        target = self._compositors.get(key)
        if target is None or key == self._current.key:
            return
        if transition is Transition.CUT:
            self._move = None
            self._current.forget()
            self._current = target
        elif self._move is None:
            # One that is under way is gone to its end: nothing jumps.
            self._move = Move(self._current, target, now)
            self._current = target
