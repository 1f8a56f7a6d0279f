"""What a debater's browser is asked for, and how often."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.broadcast.wanted import Shown
from bridge.broadcast.wanted_teller import WantedTeller
from bridge.errors import InputError
from bridge.protocol.messages import Signal, Wanted
from bridge.rooms.model import Side
from tests.helpers import until

SIZES = st.tuples(st.integers(2, 1920), st.integers(2, 1920))


def wanted(width: int) -> Wanted:
    return Shown(camera=(width, 464)).wanted(30)


def test_a_tile_is_asked_for_with_two_pixels_more_and_a_screen_is_shown_whole() -> None:
    both = Shown(camera=(304, 228), screen=(928, 582)).wanted(25)
    assert both.camera is not None
    assert both.screen is not None
    assert (both.camera.width, both.camera.height, both.camera.fit) == (306, 230, "cover")
    assert (both.screen.width, both.screen.height, both.screen.fit) == (930, 584, "contain")
    assert both.camera.frame_rate == both.screen.frame_rate == 25


def test_what_has_no_tile_is_not_wanted() -> None:
    assert Shown(hidden=2).wanted(30) == Wanted()


@given(camera=st.none() | SIZES, screen=st.none() | SIZES, hidden=st.integers(0, 2))
def test_the_limit_of_the_path_never_forbids_what_is_asked_for(
    camera: tuple[int, int] | None, screen: tuple[int, int] | None, hidden: int
) -> None:
    shown = Shown(camera=camera, screen=screen, hidden=hidden)
    asked = shown.wanted(30)
    rates = [one.bit_rate for one in (asked.camera, asked.screen) if one is not None]
    assert sum(rates) + hidden * 100_000 < shown.bit_rate


class Told:
    """Where a teller sends to."""

    def __init__(self) -> None:
        self.signals: list[Signal] = []
        self.at: list[float] = []
        self.refuses = False
        self.teller = WantedTeller(Side.PROPOSITION, self._send)

    async def _send(self, signal: Signal) -> None:
        if self.refuses:
            raise InputError("away", code="unheard")
        self.signals.append(signal)
        self.at.append(asyncio.get_running_loop().time())

    @property
    def widths(self) -> list[int | None]:
        cameras = [signal.wanted and signal.wanted.camera for signal in self.signals]
        return [camera.width if camera else None for camera in cameras]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[WantedTeller]:
        task = asyncio.create_task(self.teller.run())
        try:
            yield self.teller
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def test_a_link_is_told_as_soon_as_it_is_there_and_the_next_one_anew() -> None:
    told = Told()
    async with told.running() as teller:
        teller.want(wanted(100))
        await asyncio.sleep(0.05)  # in which nothing may be sent: there is no link
        assert told.signals == []
        teller.address("one.1", "session-1")
        await until(lambda: told.signals, "the first")
        teller.address("one.2", "session-2")
        await until(lambda: len(told.signals) == 2, "the second")
    assert [(one.to, one.link, one.session) for one in told.signals] == [
        ("proposition", "one.1", "session-1"),
        ("proposition", "one.2", "session-2"),
    ]
    assert told.widths == [102, 102]


async def test_of_many_changes_the_last_is_told_and_four_a_second_at_most() -> None:
    told = Told()
    async with told.running() as teller:
        teller.address("one.1", "session-1")
        for width in range(2, 102):
            teller.want(wanted(width))
            await asyncio.sleep(0.01)
        await until(lambda: told.widths[-1:] == [103], "the last")
        count = len(told.signals)
        teller.want(wanted(101))
        await asyncio.sleep(0.3)  # in which nothing may be sent: it is known already
        assert len(told.signals) == count
    assert count <= 7
    pauses = [later - sooner for sooner, later in zip(told.at, told.at[1:], strict=False)]
    assert min(pauses) >= 0.24


async def test_what_was_not_heard_is_told_again_with_the_next_wish() -> None:
    told = Told()
    async with told.running() as teller:
        told.refuses = True
        teller.address("one.1", "session-1")
        teller.want(wanted(100))
        await asyncio.sleep(0.05)  # in which it is refused
        told.refuses = False
        teller.want(wanted(100))
        await until(lambda: told.signals, "the same again", seconds=1)
    assert told.widths == [102]


@pytest.mark.parametrize("size", [(1920, 1920), (2, 2)])
def test_every_tile_of_every_canvas_can_be_asked_for(size: tuple[int, int]) -> None:
    assert Shown(camera=size, screen=size).wanted(60).camera is not None
