"""The host's meters: how each debater sounds, while he speaks and not once a second."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from bridge.broadcast.media.levels import Level
from bridge.protocol.show import LevelReport, Levels
from bridge.rooms.model import Side

_LOOK_SECONDS: Final = 0.05
_LOOKS: Final = 4
"""Until they are told: five times a second."""


class Meters:
    """Tells the mixer's levels. Loop-side only; `run` once."""

    def __init__(
        self,
        levels: Callable[[], Mapping[str, Level]],
        tell: Callable[[Levels], Awaitable[None]],
    ) -> None:
        self._levels = levels
        self._tell = tell

    async def run(self) -> None:
        """Go on until cancelled."""
        while True:
            peaks: dict[str, float] = {}
            for _ in range(_LOOKS):
                await asyncio.sleep(_LOOK_SECONDS)
                for name, level in self._levels().items():
                    peaks[name] = max(level.peak, peaks.get(name, level.peak))
            await self._tell(Levels(sides=_report(self._levels(), peaks)))


def _report(levels: Mapping[str, Level], peaks: Mapping[str, float]) -> dict[Side, LevelReport]:
    return {
        Side(name): LevelReport(
            peak=round(peaks.get(name, level.peak), 1),
            short_term=round(level.short_term, 1),
            gain=round(level.gain, 1),
            voiced=level.voiced,
            floor=level.floor.value,
        )
        for name, level in levels.items()
    }
