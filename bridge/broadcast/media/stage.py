"""The stage: has a compositor for each scene and cuts between them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

import av

from bridge.broadcast.media.artwork import Artwork, draw_artwork
from bridge.broadcast.media.compositor import Compositor
from bridge.broadcast.media.scene import SCREEN
from bridge.broadcast.media.sources import SourceView
from bridge.broadcast.media.theme import Caption, Theme


class SceneName(StrEnum):
    """The kinds of scene."""

    SIDE_BY_SIDE = "side_by_side"
    SCREEN = "screen"


@dataclass(frozen=True, slots=True)
class Shot:
    """What is on air."""

    scene: SceneName
    sizes: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """Width and height of the tile by name of its source; who has none is not seen."""


class Stage:
    """Composes each tick in the scene that fits it: a shared screen, or else side by side.

    `screens` tells, by name of each screen's source, which side shares it. A cut happens between
    two ticks; `on_cut` is told, on the programme thread: it must return at once.
    """

    def __init__(
        self,
        artwork: Artwork,
        screens: Mapping[str, str] | None = None,
        *,
        on_cut: Callable[[Shot], object] = lambda _shot: None,
    ) -> None:
        self._side_by_side = Compositor(artwork)
        self._screens = dict(screens or {})
        self._sharing: list[str] = []
        """Names of the screens that have a picture, in the order in which they began."""
        self._screen_scenes: dict[str, Compositor] = {}
        self._current = self._side_by_side
        self._on_cut = on_cut
        self.shot = _shot(SceneName.SIDE_BY_SIDE, self._side_by_side, None)
        """What is on air now. Any thread."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the canvas."""
        return self._side_by_side.size

    def add_screen_scene(self, sharer: str, artwork: Artwork) -> None:
        """Have a scene for when the side `sharer` shares his screen; before, nothing is shown.

        Takes some 50 ms, mostly without the GIL. Any thread but the programme's.
        """
        self._screen_scenes[sharer] = Compositor(artwork)

    def compose(self, views: Mapping[str, SourceView]) -> av.VideoFrame:
        """Return a new picture of the size of the canvas. Programme thread.

        `views` are by name of the source; one without a view is absent.
        """
        screen = self._newest_screen(views)
        if screen is None:
            self._cut(SceneName.SIDE_BY_SIDE, self._side_by_side, None)
            return self._current.compose(views)
        self._cut(SceneName.SCREEN, self._screen_scenes[self._screens[screen]], screen)
        return self._current.compose({**views, SCREEN: views[screen]})

    def _newest_screen(self, views: Mapping[str, SourceView]) -> str | None:
        """Return the screen that was shared last, of those that there is a scene for."""
        if not self._screens:
            return None
        showing = [
            name
            for name in self._screens
            if (view := views.get(name)) is not None and view.picture is not None
        ]
        self._sharing = [name for name in self._sharing if name in showing]
        self._sharing += [name for name in showing if name not in self._sharing]
        drawn = [name for name in self._sharing if self._screens[name] in self._screen_scenes]
        return drawn[-1] if drawn else None

    def _cut(self, scene: SceneName, compositor: Compositor, screen: str | None) -> None:
        if compositor is self._current:
            return
        self._current.forget()
        self._current = compositor
        self.shot = _shot(scene, compositor, screen)
        self._on_cut(self.shot)


def _shot(scene: SceneName, compositor: Compositor, screen: str | None) -> Shot:
    names = {SCREEN: screen} if screen is not None else {}
    return Shot(
        scene,
        {
            names.get(tile.source, tile.source): (tile.rect.width, tile.rect.height)
            for tile in compositor.scene.tiles
        },
    )


def draw_side_by_side(
    *, theme: str, web: Path, caption: Caption, width: int, height: int
) -> Artwork:
    """Draw the first scene of theme `theme` of the folder `web`.

    Takes half a second, and the rasteriser holds the GIL for most of it: call it in a thread and
    before going on air. Raises ThemeError or SetupError.
    """
    loaded = Theme(web / "themes" / theme, web / "fonts")
    return draw_artwork(loaded, caption, (width, height))
