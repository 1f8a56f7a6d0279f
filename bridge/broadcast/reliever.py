"""Gives up what is seen least while the machine is too slow for all of it."""

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Final

from bridge.broadcast.gallery import Gallery
from bridge.broadcast.media.packets import Grid
from bridge.broadcast.media.programme import Programme
from bridge.broadcast.relief import REDUCED_SIZE, Counters, Relief, ReliefLevel
from bridge.broadcast.seat import Seat
from bridge.clock import Clock

logger = logging.getLogger(__name__)

_LOOK_SECONDS: Final = 1.0
_RELIEVED_CLOCK: Final = 5
"""Seconds from one face of the clock to the next, while artwork is redrawn less often."""


class Reliever:
    """Looks at the programme once a second and does what `Relief` decides. Loop-side only.

    Sound is never touched, and nothing is ever ended.
    """

    def __init__(
        self,
        programme: Programme,
        gallery: Gallery,
        seats: Iterable[Seat],
        *,
        grid: Grid,
        clock: Clock,
        on_change: Callable[[], object],
    ) -> None:
        self._programme = programme
        self._gallery = gallery
        self._seats = tuple(seats)
        self._clock = clock
        self._on_change = on_change
        self._relief = Relief(
            frame_seconds=1 / grid.fps,
            segment_seconds=grid.segment_frames / grid.fps,
            can_hurry=programme.can_hurry,
        )

    @property
    def level(self) -> ReliefLevel:
        """What is given up now."""
        return self._relief.level

    async def run(self) -> None:
        """Go on until cancelled."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            stats = self._programme.stats
            counters = Counters(
                ticks=stats.ticks,
                skipped=stats.skipped,
                late=stats.late,
                compose_ms=stats.compose_ms,
                encode_ms=stats.encode_ms,
            )
            change = self._relief.look(counters, self._clock.monotonic())
            if change is not None:
                logger.warning("%s", change.sentence)
                self._apply(change.level)
                self._on_change()

    def _apply(self, level: ReliefLevel) -> None:
        fewer = level >= ReliefLevel.FEWER_REDRAWS
        self._gallery.clock_seconds = _RELIEVED_CLOCK if fewer else 1
        self._programme.hurry(on=level >= ReliefLevel.QUICKER_ENCODER)
        self._programme.hold_pictures = level >= ReliefLevel.FEWER_PICTURES
        smaller = level >= ReliefLevel.SMALLER_PICTURES
        for seat in self._seats:
            seat.reduce(REDUCED_SIZE if smaller else 1.0)
