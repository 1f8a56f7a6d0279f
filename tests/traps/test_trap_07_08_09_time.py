"""When frames leave, and when they are due. Virtual time."""

import random

import pytest
from aiortc.jitterbuffer import JitterBuffer
from aiortc.rtcrtpreceiver import TimestampMapper

from bridge.broadcast.rtc.clock_mapping import ClockMapping
from bridge.broadcast.rtc.jitter_buffer import VideoJitterBuffer
from bridge.broadcast.rtc.playout_delay import PlayoutDelay
from bridge.broadcast.rtc.sequence import Unwrapper
from tests.receiver_rig import Rig
from tests.rtc import frame_number, frame_packets, packet
from tests.traps.stock import rtp_packet

BACKWARDS = (1000, 4000, 3500, 6500)
"""Timestamps of which one is earlier than the one before: an encoder that began anew, say."""
WRAP = (2**32 - 4000, 2**32 - 1000, 2000, 5000)
NTP = 3_900_000_000.0


# 7. The last frame is held until the next one begins.


def test_trap_07_a_frame_leaves_with_its_marker_packet() -> None:
    buffer = VideoJitterBuffer()
    first, last = frame_packets(0, 0, count=2, key=True)
    assert buffer.push(first, 0.0) == []
    assert [frame_number(frame.data) for frame in buffer.push(last, 0.01)] == [0]


def test_trap_07_stock_holds_the_last_frame_until_something_moves() -> None:
    buffer = JitterBuffer(capacity=512, is_video=True)
    assert buffer.add(rtp_packet(0, 0, b"x", marker=False)) == (False, None)
    assert buffer.add(rtp_packet(1, 0, b"x", first=False)) == (False, None)
    _, frame = buffer.add(rtp_packet(2, 3000, b"x"))  # whenever that comes
    assert frame is not None


# 8. A step backwards is taken for a wrap: the picture is due in thirteen hours.


def test_trap_08_a_step_backwards_is_not_a_wrap_and_a_wrap_is() -> None:
    numbers = Unwrapper(32)
    assert tuple(numbers.unwrap(value) for value in BACKWARDS) == BACKWARDS
    numbers.restart()
    first, *others = (numbers.unwrap(value) for value in WRAP)
    assert [number - first for number in others] == [3000, 6000, 9000]


def test_trap_08_stock_takes_a_step_backwards_for_a_wrap() -> None:
    mapper = TimestampMapper()
    mapped = [mapper.map(value) for value in BACKWARDS]
    assert mapped == [0, 3000, 2**32 + 2500, 2**32 + 5500]


async def test_trap_08_another_ssrc_begins_anew() -> None:
    rig = Rig()
    await rig.send(0, 0, key=True)
    (item,) = frame_packets(40_000, 500_000, key=True)
    await rig.receiver.take_packet(
        packet(item.sequence, item.timestamp, payload=item.payload, ssrc=2)
    )
    assert rig.restarts == 1
    assert rig.shown == [0, 500_000]


def test_trap_08_a_leap_of_timestamps_is_due_when_it_comes_and_not_in_an_hour() -> None:
    mapping = ClockMapping(PlayoutDelay(0.25, 0.25), ("microphone", "camera"))
    leap = 48_000 * 3600
    for number in range(200):
        timestamp = number * 960 + (leap if number >= 100 else 0)
        now = 50 + number * 0.02
        mapping.arrived("microphone", timestamp, 48_000, now)
        assert mapping.due("microphone", timestamp) == pytest.approx(now, abs=0.001)


# 9. Sound and picture have zeros of their own.


def apart(seconds: int, *, skew: float) -> float:
    """|A-V| at the end. The camera's encoder is 200 ms slower, and its first packet was later."""
    mapping = ClockMapping(PlayoutDelay(0.25, 0.25), ("microphone", "camera"))
    rng = random.Random(9)
    sound = picture = 0
    for tick in range(seconds * 50):
        captured = tick * 0.02
        now = 1000 + captured / (1 + skew) + 0.04 + rng.expovariate(1 / 0.01)
        sound, picture = round(captured * 48_000) + 123_456, round(captured * 90_000) + 7
        mapping.arrived("microphone", sound, 48_000, now)
        if tick > 15 and tick % 2:
            mapping.arrived("camera", picture, 90_000, now + 0.2)
        if tick % 50 == 20:
            mapping.report("microphone", NTP + captured, sound)
            mapping.report("camera", NTP + captured, picture)
    due = (mapping.due("microphone", sound), mapping.due("camera", picture))
    return abs(due[1] - due[0])


@pytest.mark.parametrize(("seconds", "skew"), [(10, 0.0), (3600, 100e-6)])
def test_trap_09_lips_fit_after_ten_seconds_and_after_an_hour(seconds: int, skew: float) -> None:
    assert apart(seconds, skew=skew) < 0.04


def test_trap_09_stock_times_of_sound_and_picture_have_nothing_to_do_with_each_other() -> None:
    sound, picture = TimestampMapper(), TimestampMapper()
    # Captured together; the camera's first frame came 300 ms after the first sound.
    starts = sound.map(123_456), picture.map(7 + round(0.3 * 90_000))
    same_moment = (
        sound.map(123_456 + 10 * 48_000) / 48_000,
        picture.map(7 + 10 * 90_000) / 90_000,
    )
    assert starts == (0, 0)
    assert same_moment[0] - same_moment[1] == pytest.approx(0.3)
