import pytest

from bridge.aiortc_inside.media import OPUS, SenderReport
from bridge.broadcast.rtc.frames import EncodedFrame
from bridge.broadcast.rtc.receiver import TrackReceiver
from bridge.clock import FakeClock
from tests.rtc import frame_number, frame_packets, packet


class Rig:
    """A TrackReceiver whose sender hears everything."""

    def __init__(self, kind: str = "video") -> None:
        self.clock = FakeClock(now=0.0)
        self.frames: list[EncodedFrame] = []
        self.reports: list[tuple[float, int]] = []
        self.restarts = 0
        self.nacks: list[tuple[float, list[int]]] = []
        self.plis: list[tuple[float, int]] = []
        self.receiver = TrackReceiver(
            kind,
            self,
            clock=self.clock,
            on_frame=self.frames.append,
            on_report=lambda ntp, timestamp: self.reports.append((ntp, timestamp)),
            on_restart=self._restart,
        )

    def _restart(self) -> None:
        self.restarts += 1

    async def send_nack(self, ssrc: int, lost: list[int]) -> None:
        self.nacks.append((self.clock.now, lost))

    async def send_pli(self, ssrc: int) -> None:
        self.plis.append((self.clock.now, ssrc))

    async def send(self, sequence: int, number: int, *, key: bool = False, count: int = 1) -> None:
        for item in frame_packets(sequence, number, key=key, count=count, arrival=self.clock.now):
            await self.receiver.take_packet(item)

    async def wait(self, seconds: float, round_trip: float = 0.1) -> None:
        for _ in range(round(seconds / 0.02)):
            self.clock.advance(0.02)
            await self.receiver.poll(round_trip)

    @property
    def shown(self) -> list[int]:
        return [frame_number(frame.data) for frame in self.frames]


async def test_trap_4_a_lost_packet_is_asked_for_at_once_and_again_within_two_round_trips() -> None:
    rig = Rig()
    await rig.receiver.poll(0.1)
    await rig.send(65_535, 0, key=True)
    await rig.send(1, 2)
    assert rig.nacks == [(0.0, [0])]
    await rig.wait(0.2)
    assert [lost for _, lost in rig.nacks] == [[0], [0]]
    assert rig.nacks[1][0] <= 0.2


async def test_numbers_asked_for_are_in_order_over_the_wrap() -> None:
    rig = Rig()
    await rig.send(65_533, 0, key=True)
    await rig.send(2, 2)
    assert rig.nacks == [(0.0, [0, 1, 65_534, 65_535])]


async def test_trap_5_keyframe_requests_go_on_twice_a_second_until_one_comes() -> None:
    rig = Rig()
    await rig.send(0, 0, key=True)
    await rig.send(2, 2)
    await rig.wait(2.5)
    assert 4 <= len(rig.plis) <= 5
    assert all(
        later - earlier >= 0.499
        for (earlier, _), (later, _) in zip(rig.plis[:-1], rig.plis[1:], strict=True)
    )
    await rig.send(3, 3)
    assert rig.shown == [0]
    await rig.send(4, 4, key=True, count=2)
    asked = len(rig.plis)
    await rig.wait(2)
    assert rig.shown == [0, 4]
    assert len(rig.plis) == asked


async def test_a_decoder_that_lost_track_gets_a_keyframe_and_nothing_else() -> None:
    rig = Rig()
    await rig.send(0, 0, key=True)
    rig.receiver.require_keyframe()
    await rig.wait(0.02)
    await rig.send(1, 1)
    await rig.send(2, 2, key=True)
    assert len(rig.plis) == 1
    assert rig.shown == [0, 2]


async def test_trap_8_another_ssrc_begins_anew_without_a_request() -> None:
    rig = Rig()
    await rig.send(0, 0, key=True)
    for item in frame_packets(40_000, 500_000, key=True):
        changed = packet(item.sequence, item.timestamp, payload=item.payload, ssrc=2)
        await rig.receiver.take_packet(changed)
    assert rig.restarts == 1
    assert len(rig.frames) == 2
    assert rig.receiver.ssrc == 2
    assert rig.plis == []


async def test_stragglers_of_the_ssrc_before_do_not_bring_it_back() -> None:
    rig = Rig()
    await rig.send(0, 0, key=True)
    await rig.receiver.take_packet(packet(9, 9, ssrc=2))
    await rig.send(1, 1)
    await rig.receiver.take_packet(packet(2, 2, retransmitted=True))
    assert rig.receiver.ssrc == 2
    assert rig.restarts == 1
    rig.clock.advance(1.0)
    await rig.send(2, 2)
    assert rig.receiver.ssrc == 1


async def test_trap_10_bye_changes_nothing() -> None:
    rig = Rig()
    await rig.send(0, 0, key=True)
    rig.receiver.take_bye()
    await rig.send(1, 1)
    assert rig.shown == [0, 1]
    assert rig.receiver.counters.byes == 1


async def test_reports_are_unwrapped_as_the_frames_are() -> None:
    rig = Rig("audio")
    for sequence, timestamp in ((0, 2**32 - 960), (1, 0)):
        await rig.receiver.take_packet(packet(sequence, timestamp, codec=OPUS))
    rig.receiver.take_report(SenderReport(ssrc=1, ntp=5.0, timestamp=480))
    rig.receiver.take_report(SenderReport(ssrc=99, ntp=6.0, timestamp=480))
    assert rig.reports == [(5.0, 2**32 + 480)]


async def test_sound_is_never_asked_for_again() -> None:
    rig = Rig("audio")
    await rig.receiver.take_packet(packet(0, 0, codec=OPUS))
    await rig.receiver.take_packet(packet(5, 4800, codec=OPUS))
    await rig.wait(1)
    assert rig.nacks == []
    assert rig.plis == []
    assert rig.frames[-1].lost_before == 4


async def test_counters_survive_a_change_of_ssrc() -> None:
    rig = Rig()
    await rig.send(0, 0, key=True)
    await rig.send(2, 2)
    await rig.wait(1)
    await rig.receiver.take_packet(packet(0, 0, ssrc=2))
    rig.receiver.take_malformed()
    counters = rig.receiver.counters
    assert (counters.packets, counters.lost, counters.restarts, counters.malformed) == (3, 1, 1, 1)
    assert counters.last_arrival == pytest.approx(1.0)
