"""Lost packets: what they cost, and what is asked of the sender. Virtual time."""

import dataclasses
from collections.abc import Iterator
from itertools import pairwise

import pytest
from aiortc import rtp
from aiortc.jitterbuffer import JitterBuffer

from bridge.aiortc_inside.media import OPUS
from bridge.broadcast.rtc.jitter_buffer import (
    AUDIO_REORDER,
    VIDEO_DEADLINE,
    AudioJitterBuffer,
    VideoJitterBuffer,
)
from tests.receiver_rig import Rig
from tests.rtc import VP8_DELTA, VP8_KEY, frame_number, frame_packets, packet
from tests.traps.stock import Out, StockReceiver, rtp_packet, run_buffer

FRAME = 1 / 30
SOUND = 0.02
LOST_FRAME = 40
"""Video; its first packet is lost."""
LOST_SOUND = 50


# 2. One lost Opus packet makes sound late for ever.


def test_trap_02_a_lost_sound_packet_costs_the_reorder_window_once() -> None:
    buffer = AudioJitterBuffer()
    held: dict[int, float] = {}
    told: list[int] = []
    for number in range(250):
        now = number * SOUND
        item = packet(number, number * 960, payload=b"x", codec=OPUS, arrival=now)
        frames = buffer.poll(now) if number == LOST_SOUND else buffer.push(item, now)
        for frame in frames:
            held[frame.timestamp // 960] = now - frame.arrival
            told += [frame.timestamp // 960] if frame.lost_before else []
    assert told == [LOST_SOUND + 1]
    assert max(held.values()) == pytest.approx(AUDIO_REORDER, abs=SOUND + 0.001)
    assert {held[number] for number in range(LOST_SOUND + 5, 250)} == {0}


def test_trap_02_stock_adds_200_ms_for_ever() -> None:
    arrivals = [
        (number * SOUND, rtp_packet(number, number * 960, b"x"))
        for number in range(500)
        if number != LOST_SOUND
    ]
    out, _ = run_buffer(JitterBuffer(capacity=16, prefetch=4), arrivals)
    late = {frame.timestamp // 960: frame.at - frame.timestamp / 48_000 for frame in out}
    assert late[LOST_SOUND - 10] == pytest.approx(0.08, abs=0.001)
    assert late[480] == pytest.approx(0.28, abs=0.001)


# 3. One lost video packet freezes the picture until 512 packets are queued.


@pytest.mark.parametrize("count", [1, 2, 8, 16])
def test_trap_03_a_picture_stands_no_longer_than_until_the_keyframe_asked_for(count: int) -> None:
    buffer = VideoJitterBuffer()
    shown: list[tuple[float, int]] = []
    key: int | None = None
    for number in range(200):
        now = number * FRAME
        # A sender 200 ms away answers a request with a keyframe.
        if key is None and buffer.needs_keyframe:
            key = number + 6
        packets = frame_packets(number * count, number, count=count, key=number in {0, key})
        for item in packets[1:] if number == LOST_FRAME else packets:
            frames = buffer.push(dataclasses.replace(item, arrival=now), now)
            shown += [(now, frame_number(frame.data)) for frame in frames]
    assert key is not None
    assert [number for _, number in shown] == [*range(LOST_FRAME), *range(key, 200)]
    gap = shown[LOST_FRAME][0] - shown[LOST_FRAME - 1][0]
    assert gap <= VIDEO_DEADLINE
    assert shown[-1][0] == pytest.approx(199 * FRAME)


@pytest.mark.parametrize(("count", "freeze"), [(1, 17.0), (2, 8.5), (8, 2.1), (16, 1.0)])
def test_trap_03_stock_freezes_until_512_packets_are_queued(count: int, freeze: float) -> None:
    def arrivals() -> Iterator[tuple[float, rtp.RtpPacket]]:
        for number in range(LOST_FRAME + 1200 // count):
            for index in range(count):
                if (number, index) != (LOST_FRAME, 0):
                    last = index == count - 1
                    item = rtp_packet(
                        number * count + index, number * 3000, b"x", first=index == 0, marker=last
                    )
                    yield number * FRAME, item

    out, plis = run_buffer(JitterBuffer(capacity=512, is_video=True), arrivals())
    gap = max(after.at - before.at for before, after in pairwise(out))
    assert gap == pytest.approx(freeze, abs=0.2)
    assert gap > VIDEO_DEADLINE
    assert plis[0] - LOST_FRAME * FRAME > freeze - 0.2
    if count == 1:
        assert _behind(out[-1]) == pytest.approx(freeze, abs=0.2)  # and stays so


def _behind(frame: Out) -> float:
    return frame.at - frame.timestamp / 90_000


# 4. A NACK is sent once.


async def test_trap_04_a_lost_packet_is_asked_for_again_within_two_round_trips() -> None:
    rig = Rig()
    await rig.receiver.poll(0.1)
    await rig.send(0, 0, key=True)
    await rig.send(2, 2)
    assert rig.nacks == [(0.0, [1])]
    await rig.wait(0.2)
    assert [lost for _, lost in rig.nacks] == [[1], [1]]
    assert rig.nacks[1][0] <= 0.2
    await rig.wait(3)
    assert len(rig.nacks) <= 10


async def test_trap_04_stock_asks_once_and_never_again() -> None:
    stock = StockReceiver()
    await stock.start()
    for number in [0, *range(2, 300)]:
        await stock.take(rtp_packet(number, number * 3000, VP8_DELTA))
    assert stock.nacks == [[1]]
    await stock.receiver.stop()


# 5. A request for a keyframe is sent once, and pictures that need it go on to the decoder.


async def test_trap_05_requests_go_on_twice_a_second_until_a_keyframe_comes() -> None:
    rig = Rig()
    await rig.send(0, 0, key=True)
    await rig.send(2, 2)
    for number in range(3, 78):  # 2.5 s
        await rig.wait(0.04)
        await rig.send(number, number)
    assert len(rig.plis) >= 4  # the first three were swallowed
    times = [at for at, _ in rig.plis]
    assert all(b - a >= 0.499 for a, b in pairwise(times))
    assert rig.shown == [0]
    await rig.send(78, 78, key=True)
    asked = len(rig.plis)
    await rig.wait(2)
    assert rig.shown == [0, 78]
    assert len(rig.plis) == asked


async def test_trap_05_stock_asks_once_and_decodes_what_cannot_be_decoded() -> None:
    stock = StockReceiver()
    decoded: list[int] = []
    stock.receiver._RTCRtpReceiver__decoder_queue = _Taken(decoded)  # type: ignore[attr-defined]
    await stock.start()
    for number in range(1500):
        if number != 1:
            await stock.take(rtp_packet(number, number * 3000, VP8_DELTA if number else VP8_KEY))
    assert stock.plis == 1
    assert len(decoded) > 900
    await stock.receiver.stop()


class _Taken:
    """In place of the decoder's queue: its thread ends at once, what is put is noted."""

    def __init__(self, timestamps: list[int]) -> None:
        self._timestamps = timestamps

    def put(self, item: tuple[object, Out] | None) -> None:
        if item is not None:
            self._timestamps.append(item[1].timestamp)

    def get(self) -> None:
        return None
