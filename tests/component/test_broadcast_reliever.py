"""What is done at each level of relief, and that it is taken back."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from bridge.broadcast import reliever as module
from bridge.broadcast.media.packets import Grid
from bridge.broadcast.media.programme import ProgrammeStats
from bridge.broadcast.relief import ReliefLevel
from bridge.broadcast.reliever import Reliever
from tests.helpers import until

GRID = Grid(fps=30, part_frames=12, segment_frames=60)


class Programme:
    """A programme that is as slow as it is told."""

    can_hurry = True

    def __init__(self) -> None:
        self.hurries = self.hold_pictures = False
        self.ticks = self.skipped = 0
        self.slow = True

    def hurry(self, *, on: bool) -> None:
        self.hurries = on

    @property
    def stats(self) -> ProgrammeStats:
        self.ticks += 25
        self.skipped += 5 if self.slow else 0
        return ProgrammeStats(ticks=self.ticks, skipped=self.skipped)


class Clock:
    """A second goes by with each look."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        self.now += 1.0
        return self.now


async def test_each_level_gives_up_what_it_says_and_all_of_it_comes_back(monkeypatch, caplog):
    monkeypatch.setattr(module, "_LOOK_SECONDS", 0.0)
    programme: Any = Programme()
    clock: Any = Clock()
    gallery: Any = SimpleNamespace(clock_seconds=1)
    reductions: list[float] = []
    seat: Any = SimpleNamespace(reduce=reductions.append)
    changes: list[ReliefLevel] = []
    reliever = Reliever(
        programme, gallery, [seat], grid=GRID, clock=clock,
        on_change=lambda: changes.append(reliever.level),
    )  # fmt: skip
    running = asyncio.create_task(reliever.run())
    try:
        await until(lambda: reliever.level is ReliefLevel.SMALLER_PICTURES, "all is given up")
        assert (gallery.clock_seconds, programme.hurries, programme.hold_pictures) == (
            5,
            True,
            True,
        )
        assert reductions[-1] == pytest.approx(0.75)
        programme.slow = False
        await until(lambda: reliever.level is ReliefLevel.NONE, "all has come back")
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    back = (gallery.clock_seconds, programme.hurries, programme.hold_pictures)
    assert back == (1, False, False)
    assert reductions[-1] == 1
    assert [int(level) for level in changes] == [1, 2, 3, 4, 3, 2, 1, 0]
    assert "relief 4 of 4" in caplog.text
