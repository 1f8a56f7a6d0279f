"""The gallery: has scenes drawn and goes from one to another while the programme is on air."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil
from typing import Final

from bridge.broadcast.director import Director
from bridge.broadcast.media.artist import Artist
from bridge.broadcast.media.caption import Caption, ClockFace
from bridge.broadcast.media.levels import Level
from bridge.broadcast.media.scene import ABOUT_A_SIDE, SceneKey, SceneName
from bridge.broadcast.media.sources import VideoSource
from bridge.broadcast.media.stage import Shot, Stage, Transition
from bridge.broadcast.media.studio_order import Commission
from bridge.broadcast.media.theme import FALLBACK
from bridge.clock import Clock
from bridge.errors import ThemeError
from bridge.protocol.show import SceneChoice

logger = logging.getLogger(__name__)

_LOOK_SECONDS: Final = 0.1
_AHEAD: Final = 0.7
"""Seconds that a clock's face is ordered before it is due: 5 ms usually, more on a busy machine."""
_PATIENCE: Final = 0.25
_SOONEST: Final = (SceneName.SCREEN, SceneName.SPEAKER, SceneName.PICTURE_IN_PICTURE)
"""What is likely to be wanted first."""
_OPENING: Final = SceneKey(SceneName.SIDE_BY_SIDE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """What the gallery sees and hears."""

    screens: Mapping[str, VideoSource]
    """By side."""
    levels: Callable[[], Mapping[str, Level]]
    """By side."""


class Gallery:
    """Owns the artist and drives the stage. Loop-side only.

    `open` before the programme, `run` while it is on air. `on_shot` is told each scene that is gone
    to. What cannot be drawn is logged, and what is on air stays.
    """

    def __init__(
        self,
        commission: Commission,
        caption: Caption,
        *,
        sides: Sequence[str],
        clock: Clock,
        on_shot: Callable[[Shot], object],
    ) -> None:
        self._commission = commission
        self._caption = caption
        self._sides = tuple(sides)
        self._clock = clock
        self._on_shot = on_shot
        self._artist = Artist(commission)
        self._director = Director(sides)
        self._choice = SceneChoice()
        self._stage: Stage | None = None
        self._begin = 0.0
        self._failed: set[SceneKey] = set()
        self._drawing: set[asyncio.Task[None]] = set()
        self.clock_seconds = 1
        """Seconds from one face of the clock to the next."""

    async def open(self) -> Stage:
        """Draw the first scene. Raises ThemeError when not even the classic theme can be drawn."""
        try:
            opening = await self._artist.draw(_OPENING, self._caption, hasty=True)
        except ThemeError as error:
            if self._commission.theme == FALLBACK:
                raise
            logger.warning(
                "theme %s: %s; %s instead", self._commission.theme, error.message, FALLBACK
            )
            await self._artist.close()
            self._artist = Artist(self._commission.model_copy(update={"theme": FALLBACK}))
            opening = await self._artist.draw(_OPENING, self._caption, hasty=True)
        self._stage = Stage(opening)
        self._on_shot(self._stage.shot)
        return self._stage

    def choose(self, choice: SceneChoice) -> None:
        """Let the host's choice hold from now on."""
        if choice != self._choice:
            self._choice = choice
            self._failed.clear()

    @property
    def shot(self) -> Shot | None:
        """What is on air."""
        return self._stage.shot if self._stage else None

    async def run(self, sources: Sources, begin: float) -> None:
        """Direct until cancelled; `begin`: the programme's frame 0, monotonic seconds."""
        self._begin = begin
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._direct(sources), name="director")
            tasks.create_task(self._keep_time(), name="clock")
            tasks.create_task(self._draw_ahead(), name="scenes")

    async def close(self) -> None:
        """End the artist. Idempotent."""
        for drawing in self._drawing:
            drawing.cancel()
        await asyncio.gather(*self._drawing, return_exceptions=True)
        await self._artist.close()

    async def _direct(self, sources: Sources) -> None:
        while True:
            now = self._clock.monotonic()
            key = self._director.decide(
                self._choice,
                sharing=[
                    side
                    for side, source in sources.screens.items()
                    if source.current(now).picture is not None
                ],
                voiced=[side for side, level in sources.levels().items() if level.voiced],
                now=now,
            )
            if key not in self._failed:
                await self._go_to(key)
            await asyncio.sleep(_LOOK_SECONDS)

    async def _go_to(self, key: SceneKey) -> None:
        stage = self._opened
        if key == stage.shot.key and self._caption.note == self._choice.note:
            return
        self._caption = replace(self._caption, note=self._choice.note)
        # Drawn anew although it may be there: its clock would be that of the last time. But on a
        # busy machine an old clock for a moment is better than an old scene.
        drawing = asyncio.create_task(self._draw(key, self._clock.monotonic()))
        self._drawing.add(drawing)
        drawing.add_done_callback(self._drawing.discard)
        await asyncio.wait({drawing}, timeout=_PATIENCE if key in stage.drawn else None)
        if key == stage.shot.key:
            return
        if key not in stage.drawn:
            self._failed.add(key)
            return
        shot = stage.show(key, Transition(self._choice.transition))
        logger.info("on air: %s %s", key.name, key.subject or "")
        self._on_shot(shot)
        # The next face has been drawn already, but for the scene before.
        await self._draw(key, self._next_face(self._clock.monotonic()))

    async def _keep_time(self) -> None:
        """Have each face of the clock drawn before it is due."""
        while True:
            due = self._next_face(self._clock.monotonic() + _AHEAD)
            await asyncio.sleep(due - _AHEAD - self._clock.monotonic())
            await self._draw(self._opened.shot.key, due)

    def _next_face(self, now: float) -> float:
        elapsed = max(0.0, now - self._begin) / self.clock_seconds
        return self._begin + ceil(elapsed + 1e-6) * self.clock_seconds

    async def _draw_ahead(self) -> None:
        """Draw what may be wanted, and the opening in full, once."""
        await self._draw(_OPENING, self._clock.monotonic())
        for name in dict.fromkeys((*_SOONEST, *SceneName)):
            for subject in self._sides if name in ABOUT_A_SIDE else (None,):
                if (key := SceneKey(name, subject)) not in self._opened.drawn:
                    await self._draw(key, self._clock.monotonic())

    async def _draw(self, key: SceneKey, due: float) -> None:
        """Have a scene drawn as it is to be at `due`, and put on the stage for then."""
        face = ClockFace(text=face_of(max(0.0, due - self._begin)))
        try:
            drawing = await self._artist.draw(key, replace(self._caption, clock=face))
        except ThemeError as error:
            logger.warning("theme %s: %s", self._commission.theme, error.message)
            return
        self._opened.put(drawing, due)

    @property
    def _opened(self) -> Stage:
        assert self._stage is not None  # noqa: S101 - `open` comes first
        return self._stage


def face_of(seconds: float) -> str:
    """Return a time as it is read from a clock.

    >>> face_of(59.99), face_of(245), face_of(3600)
    ('0:59', '4:05', '1:00:00')
    """
    minutes, second = divmod(int(seconds + 1e-3), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"
