"""A seat of the broadcast: debaters who lose their media, their signalling, or both."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from bridge.broadcast.media.sources import SourceStatus
from bridge.broadcast.rtc.playout_delay import PlayoutDelay
from bridge.broadcast.seat import Seat, SeatEvents
from bridge.clock import SystemClock
from bridge.protocol.messages import IngestState, MediaState
from bridge.rooms.model import Side
from tests.helpers import until
from tests.rtc import CameraTrack, Sender


class Rig:
    """A seat, and what it told."""

    def __init__(self) -> None:
        self.clock = SystemClock()
        self.lost: list[tuple[Side, str, str]] = []
        self.seat = Seat(
            Side.PROPOSITION,
            clock=self.clock,
            delay=PlayoutDelay(0.1, 1.0),
            on=SeatEvents(changed=lambda: None, lost=lambda *lost: self.lost.append(lost)),
        )

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
