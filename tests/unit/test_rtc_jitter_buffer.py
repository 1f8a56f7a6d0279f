import itertools
import random
from collections.abc import Iterable

from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.aiortc_inside.media import H264, OPUS, MediaPacket
from bridge.broadcast.rtc.frames import EncodedFrame, is_keyframe
from bridge.broadcast.rtc.jitter_buffer import (
    VIDEO_DEADLINE,
    AudioJitterBuffer,
    VideoJitterBuffer,
)
from bridge.broadcast.rtc.missing import MissingPackets
from tests.rtc import frame_number, frame_packets, packet

FRAME = 1 / 30


def feed(
    buffer: VideoJitterBuffer, packets: Iterable[MediaPacket], now: float = 0.0
) -> list[EncodedFrame]:
    return [frame for item in packets for frame in buffer.push(item, now)]


def numbers(frames: Iterable[EncodedFrame]) -> list[int]:
    return [frame_number(frame.data) for frame in frames]


def started(*, sequence: int = 0) -> VideoJitterBuffer:
    """A buffer that has let keyframe 0 out of packet `sequence`."""
    buffer = VideoJitterBuffer()
    assert numbers(feed(buffer, frame_packets(sequence, 0, key=True))) == [0]
    return buffer


def test_packets_out_of_order_make_frames_in_order() -> None:
    buffer = started()
    packets = frame_packets(1, 1, count=3) + frame_packets(4, 2)
    assert numbers(feed(buffer, [packets[3], packets[1], packets[2], packets[0]])) == [1, 2]


def test_sequence_numbers_wrap_within_a_frame() -> None:
    buffer = started(sequence=65_533)
    assert numbers(feed(buffer, frame_packets(65_534, 1, count=5))) == [1]


def test_timestamps_are_unwrapped_over_a_wrap() -> None:
    buffer = VideoJitterBuffer()
    frames = feed(
        buffer, [packet(0, 2**32 - 1500, payload=frame_packets(0, 0, key=True)[0].payload)]
    )
    frames += feed(buffer, [packet(1, 1500)])
    assert frames[1].timestamp - frames[0].timestamp == 3000


def test_without_a_keyframe_a_hole_is_given_up_at_the_deadline() -> None:
    buffer = started()
    feed(buffer, frame_packets(2, 2), now=1.0)
    assert buffer.poll(1.0 + VIDEO_DEADLINE - 0.01) == []
    assert len(buffer.missing) == 1
    assert buffer.poll(1.0 + VIDEO_DEADLINE) == []
    assert len(buffer.missing) == 0
    assert buffer.counters.lost == 1


def test_a_complete_keyframe_behind_a_hole_is_not_kept_waiting() -> None:
    buffer = started()
    feed(buffer, frame_packets(2, 2, count=2), now=1.0)
    feed(buffer, frame_packets(4, 3, count=3, key=True), now=1.05)
    frames = buffer.poll(1.11)
    assert numbers(frames) == [3]
    assert frames[0].keyframe
    assert frames[0].lost_before == 1


def test_a_resent_packet_closes_the_hole_and_nothing_is_lost() -> None:
    buffer = started()
    late = frame_packets(1, 1)
    feed(buffer, frame_packets(2, 2), now=1.0)
    assert numbers(feed(buffer, late, now=1.5)) == [1, 2]
    assert not buffer.needs_keyframe
    assert buffer.counters.lost == 0


def test_trap_6_after_a_loss_nothing_but_a_keyframe_leaves() -> None:
    buffer = started()
    feed(buffer, frame_packets(2, 2), now=1.0)
    assert buffer.poll(2.0) == []
    assert feed(buffer, frame_packets(3, 3), now=2.0) == []
    assert buffer.needs_keyframe
    assert buffer.counters.gated == 2
    frames = feed(buffer, frame_packets(4, 4, count=3, key=True) + frame_packets(7, 5), now=2.1)
    assert numbers(frames) == [4, 5]
    assert not buffer.needs_keyframe


def test_no_keyframe_is_asked_for_before_anything_was_missed() -> None:
    assert not VideoJitterBuffer().needs_keyframe
    buffer = VideoJitterBuffer()
    feed(buffer, frame_packets(0, 0, count=3, key=True)[:2])
    assert not buffer.needs_keyframe


def test_joining_in_the_middle_of_a_keyframe_waits_for_the_next() -> None:
    buffer = VideoJitterBuffer()
    assert feed(buffer, frame_packets(0, 0, count=3, key=True)[1:]) == []
    assert buffer.needs_keyframe
    assert numbers(feed(buffer, frame_packets(3, 1, key=True))) == [1]


def test_padding_between_frames_is_swallowed() -> None:
    buffer = started()
    padding = packet(1, 0, payload=b"", marker=False, first=False)
    assert numbers(feed(buffer, [padding, *frame_packets(2, 1), *frame_packets(3, 2)])) == [1, 2]


def test_an_outage_is_given_up_at_once() -> None:
    buffer = started()
    assert feed(buffer, frame_packets(600, 60), now=2.0) == []
    assert len(buffer.missing) == 0
    assert buffer.needs_keyframe
    assert numbers(feed(buffer, frame_packets(601, 61, key=True), now=2.1)) == [61]


def test_trap_8_a_new_numbering_is_believed_when_it_goes_on() -> None:
    buffer = started()
    assert feed(buffer, frame_packets(30_000, 1)) == []
    assert numbers(feed(buffer, frame_packets(30_001, 2, key=True))) == [2]
    assert buffer.counters.restarts == 1
    assert numbers(feed(buffer, frame_packets(30_002, 3))) == [3]


def test_a_single_packet_from_far_away_changes_nothing() -> None:
    buffer = started()
    assert feed(buffer, frame_packets(30_000, 9)) == []
    assert numbers(feed(buffer, frame_packets(1, 1))) == [1]


def test_what_is_held_is_bounded() -> None:
    buffer = started()
    for sequence in range(2, 9000):
        buffer.push(packet(sequence, 3000, marker=False, first=False, arrival=0.0), 0.0)
    assert len(buffer._window.packets) <= 4097


def test_the_middle_of_a_frame_is_no_keyframe() -> None:
    assert not is_keyframe("VP8", b"\x10" * 40)
    assert is_keyframe(H264, b"\0\0\0\1\x67\1\2\0\0\0\1\x68\0\0\0\1\x65\x88")
    assert not is_keyframe(H264, b"\0\0\0\1\x41\x9a")


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    loss=st.floats(0, 0.3),
    shuffle=st.integers(0, 12),
    duplicates=st.floats(0, 0.2),
    start=st.integers(0, 65_535),
)
def test_whatever_the_network_does_video_is_in_order_and_never_built_on_something_lost(
    seed: int, loss: float, shuffle: int, duplicates: float, start: int
) -> None:
    rng = random.Random(seed)
    sent: list[MediaPacket] = []
    for number in range(90):
        count = rng.randint(1, 6)
        sent += frame_packets(start + len(sent), number, count=count, key=number % 20 == 0)
    arriving = [item for item in sent if rng.random() >= loss]
    arriving += [item for item in arriving if rng.random() < duplicates]
    order = {id(item): (item.timestamp // 3000 * 4 + rng.uniform(0, shuffle)) for item in arriving}
    arriving.sort(key=lambda item: order[id(item)])
    buffer, out, now = VideoJitterBuffer(), [], 0.0
    for item in arriving:
        now += 0.008
        out += buffer.push(item, now)
    out += buffer.poll(now + 5)
    shown = numbers(out)
    assert shown == sorted(set(shown))
    previous = None
    for frame in out:
        number = frame_number(frame.data)
        assert frame.timestamp == number * 3000
        assert frame.keyframe == (number % 20 == 0)
        assert frame.keyframe or number - 1 == previous
        previous = number
    if loss == 0 and shuffle <= 1 and shown:
        assert shown == list(range(shown[0], 90))


def sound(sequence: int, *, arrival: float = 0.0, payload: bytes = b"x") -> MediaPacket:
    return packet(sequence, sequence * 960, payload=payload, codec=OPUS, arrival=arrival)


def test_sound_out_of_order_within_the_window_is_put_right() -> None:
    buffer = AudioJitterBuffer()
    frames = [f for n in (0, 2, 1, 3) for f in buffer.push(sound(n, arrival=n / 100), n / 100)]
    assert [frame.timestamp // 960 for frame in frames] == [0, 1, 2, 3]
    assert all(frame.lost_before == 0 for frame in frames)


def test_sound_that_comes_too_late_is_counted_and_dropped() -> None:
    buffer = AudioJitterBuffer()
    buffer.push(sound(0), 0.0)
    buffer.push(sound(2, arrival=0.02), 0.02)
    assert [frame.lost_before for frame in buffer.poll(0.09)] == [1]
    assert buffer.push(sound(1), 0.1) == []
    assert buffer.counters.late == 1


@given(st.integers(0, 2**32), st.floats(0, 0.5))
def test_whatever_is_lost_sound_is_in_order_and_every_loss_is_told(seed: int, loss: float) -> None:
    rng = random.Random(seed)
    buffer = AudioJitterBuffer()
    out: list[EncodedFrame] = []
    for sequence in range(65_500, 65_700):
        now = sequence * 0.02
        if rng.random() >= loss:
            item = packet(sequence, sequence * 960, codec=OPUS, arrival=now, payload=b"x")
            out += buffer.push(item, now)
    out += buffer.poll(65_700 * 0.02 + 1)
    for before, frame in itertools.pairwise(out):
        assert frame.timestamp - before.timestamp == 960 * (1 + frame.lost_before)


def test_trap_4_a_missing_packet_is_asked_for_again_and_ten_times_at_most() -> None:
    missing = MissingPackets()
    missing.note(5, 7, now=0.0)
    assert missing.due(0.0, round_trip=0.1) == [5, 6]
    assert missing.due(0.11, round_trip=0.1) == []
    assert missing.due(0.12, round_trip=0.1) == [5, 6]
    missing.found(5)
    asked = sum(len(missing.due(1.0 + step, round_trip=0.1)) for step in range(20))
    assert asked == 8


def test_a_short_round_trip_is_not_hurried() -> None:
    missing = MissingPackets()
    missing.note(1, 2, now=0.0)
    missing.due(0.0, round_trip=0.001)
    assert missing.due(0.039, round_trip=0.001) == []
    assert missing.due(0.04, round_trip=0.001) == [1]
