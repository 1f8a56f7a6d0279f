"""A seat of the broadcast: debaters who lose their media, their signalling, or both."""

import asyncio
from collections.abc import AsyncIterator

import av
import numpy as np
import pytest

from bridge.broadcast.media.sources import SourceStatus
from bridge.broadcast.rtc.playout_delay import PlayoutDelay
from bridge.broadcast.seat import Seat, SeatEvents
from bridge.broadcast.wanted import Shown
from bridge.clock import SystemClock
from bridge.protocol.messages import IngestState, MediaState, Wanted
from bridge.rooms.model import Side
from tests.helpers import until
from tests.rtc import CameraTrack, Sender


class Rig:
    """A seat, and what it told."""

    def __init__(self) -> None:
        self.clock = SystemClock()
        self.lost: list[tuple[Side, str, str]] = []
        self.wanted = Wanted()
        self.seat = Seat(
            Side.PROPOSITION,
            clock=self.clock,
            delay=PlayoutDelay(0.1, 1.0),
            on=SeatEvents(
                changed=lambda: None,
                lost=lambda *lost: self.lost.append(lost),
                wants=self._want,
            ),
        )

    def _want(self, side: Side, wanted: Wanted) -> None:
        assert side is Side.PROPOSITION
        self.wanted = wanted

    @property
    def state(self) -> IngestState:
        return self.seat.report().state

    @property
    def status(self) -> SourceStatus:
        return self.seat.camera.current(self.clock.monotonic()).status

    async def connect(self, sender: Sender, link: str) -> None:
        self.seat.show(MediaState())
        await sender.connect(self.seat, link)
        await until(lambda: self.status is SourceStatus.LIVE, "the picture")
        # Looked at four times a second, and the first picture does not wait.
        await until(lambda: self.state is IngestState.RECEIVING, "the state")


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    rig = Rig()
    yield rig
    await rig.seat.close()
    assert rig.status is SourceStatus.ABSENT


async def test_a_lost_websocket_takes_nobody_off_the_picture(rig: Rig) -> None:
    sender = Sender(CameraTrack())
    await rig.connect(sender, "one.1")
    rig.seat.show(None)
    await asyncio.sleep(0.5)  # the time in which the picture must not go
    assert rig.status is SourceStatus.LIVE
    rig.seat.show(MediaState())
    assert rig.state is IngestState.RECEIVING
    assert rig.lost == []
    await sender.close()


async def test_who_leaves_is_absent_as_soon_as_his_media_ends(rig: Rig) -> None:
    sender = Sender(CameraTrack())
    await rig.connect(sender, "one.1")
    rig.seat.show(None)
    await sender.close()
    await until(lambda: rig.status is SourceStatus.ABSENT, "the slate", seconds=1.5)


async def test_a_dead_path_asks_for_another_connection_and_takes_it_in_the_same_seat(
    rig: Rig,
) -> None:
    dead, fresh = Sender(CameraTrack()), Sender(CameraTrack((145, 54, 34)))
    await rig.connect(dead, "one.1")
    dead.kill()
    await until(lambda: rig.lost, "the request to rejoin", seconds=5)
    assert rig.lost == [(Side.PROPOSITION, "one.1", "session-1")]
    await until(lambda: rig.status is SourceStatus.RECONNECTING, "the slate", seconds=1)
    await rig.connect(fresh, "one.2")
    assert rig.state is IngestState.RECEIVING
    assert len(rig.lost) == 1
    await dead.close()
    await fresh.close()


async def test_who_sends_nothing_on_purpose_is_not_told_to_rejoin(rig: Rig) -> None:
    camera = CameraTrack()
    sender = Sender(camera)
    await rig.connect(sender, "one.1")
    rig.seat.show(MediaState(microphone=False, camera=False))
    for one in sender.peer.getSenders():
        one.replaceTrack(None)
    await asyncio.sleep(4.5)  # longer than what would be trouble: 3 s
    assert rig.state is IngestState.RECEIVING
    assert rig.lost == []
    assert rig.status is SourceStatus.CAMERA_OFF
    await sender.close()


async def test_the_report_tells_what_comes(rig: Rig) -> None:
    sender = Sender(CameraTrack())
    await rig.connect(sender, "one.1")
    rig.seat.report()
    await until(lambda: rig.seat.report().pictures_per_second > 20, "a second of figures")
    report = rig.seat.report()
    assert report.state is IngestState.RECEIVING
    assert report.kbps > 10
    assert report.lost_percent < 5
    await sender.close()


async def test_a_picture_that_changes_its_size_is_held_until_the_new_size_is_there(
    rig: Rig,
) -> None:
    sizes = [(1280, 720), (824, 464), (640, 360)]
    camera = CameraTrack(size=sizes[0])
    sender = Sender(camera)
    await rig.connect(sender, "one.1")
    seen: list[tuple[int, int]] = []
    lumas: list[float] = []

    def look() -> bool:
        """As each tick of the programme does."""
        view = rig.seat.camera.current(rig.clock.monotonic())
        assert view.status is SourceStatus.LIVE, "no slate, not even frozen"
        assert view.picture is not None
        if seen[-1:] != [(view.picture.width, view.picture.height)]:
            seen.append((view.picture.width, view.picture.height))
        luma = np.frombuffer(memoryview(view.picture.planes[0]), np.uint8)
        lumas.append(float(luma[luma.size // 2]))
        return seen[-1] == camera.size

    for size in sizes:
        camera.size = size
        await until(look, f"pictures of {size}")
        for _ in range(30):
            look()
            await asyncio.sleep(1 / 60)
    assert seen == sizes
    assert min(lumas) > 60, "never black: the colour is 81"
    await sender.close()


async def test_his_browser_is_asked_for_what_his_tiles_show(rig: Rig) -> None:
    seat = rig.seat
    seat.fit({"proposition": (616, 464), "opposition": (616, 464)})
    assert rig.wanted == Shown(camera=(616, 464)).wanted(30)
    seat.show(MediaState(screen=True))
    # The screen's scene begins with its first picture, which should not have to be small.
    assert rig.wanted.screen is not None
    assert rig.wanted.screen.width > 800
    picture = av.VideoFrame(320, 180, "yuv420p")
    seat.screen.put(picture, rig.clock.monotonic())
    tiles = {"proposition": (304, 228), "opposition": (304, 228)}
    seat.fit({**tiles, "proposition-screen": (928, 582)})
    assert rig.wanted == Shown(camera=(304, 228), screen=(928, 582)).wanted(30)
    # The opponent shares one as well, which is newer.
    seat.fit({**tiles, "opposition-screen": (928, 582)})
    assert rig.wanted == Shown(camera=(304, 228)).wanted(30)
    seat.fit({})
    assert rig.wanted == Wanted()
    seat.show(MediaState())
    seat.show(MediaState(screen=True))
    assert rig.wanted.screen is not None, "another screen is to come"
