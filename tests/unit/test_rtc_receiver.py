import pytest

from bridge.aiortc_inside.media import OPUS, SenderReport
from tests.receiver_rig import Rig
from tests.rtc import frame_packets, packet


async def test_numbers_asked_for_are_in_order_over_the_wrap() -> None:
    rig = Rig()
    await rig.send(65_533, 0, key=True)
    await rig.send(2, 2)
    assert rig.nacks == [(0.0, [0, 1, 65_534, 65_535])]


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
