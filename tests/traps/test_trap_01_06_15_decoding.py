"""What decoders are given and what becomes of it: queues, wrong pictures, the end."""

import asyncio
import queue
import threading
import time
from collections.abc import Iterator

import av
import numpy as np
import pytest
from aiortc import rtcrtpreceiver
from aiortc.codecs.vpx import Vp8Decoder
from aiortc.jitterbuffer import JitterFrame
from numpy.typing import NDArray

from bridge.broadcast.rtc.playout_delay import PlayoutDelay
from bridge.broadcast.rtc.video_decoder import PictureDecoder, VideoDecoder
from bridge.clock import SystemClock
from tests.helpers import until
from tests.receiver_rig import Rig
from tests.rtc import Pictures, packet
from tests.traps.stock import VP8_PARAMETERS, StockReceiver
from tests.traps.vp8 import SIZE, encode, frame

RAW = SIZE[0] * SIZE[1] * 3 // 2
MINUTE = 60 * 30
LOST = 20
KEYFRAME = 45


def luma(picture: av.VideoFrame) -> NDArray[np.uint8]:
    plane = picture.planes[0]
    rows = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)
    return rows[:, : plane.width].copy()


def likeness(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    """PSNR in dB."""
    error = float(np.mean((one.astype(float) - other) ** 2))
    return float(10 * np.log10(255**2 / max(error, 1e-9)))


# 1. Queues without a bound.


class Stalled(Pictures):
    """A consumer that takes its first picture for as long as the test wants."""

    def __init__(self) -> None:
        super().__init__()
        self.taken, self.go_on = threading.Event(), threading.Event()

    def put(self, picture: av.VideoFrame, now: float) -> None:
        self.taken.set()
        self.go_on.wait()
        super().put(picture, now)


def test_trap_01_a_consumer_that_stalls_for_a_minute_costs_no_memory_and_no_delay() -> None:
    sink, clock, asked = Stalled(), SystemClock(), threading.Event()
    decoder = VideoDecoder(
        "trap", sink, clock=clock, delay=PlayoutDelay(0.0, 0.0), on_keyframe_needed=asked.set
    )
    key, *deltas = encode(30)
    decoder.start()
    decoder.feed(frame(key, 0), clock.monotonic())
    assert sink.taken.wait(5)
    for number in range(1, MINUTE):
        decoder.feed(frame(deltas[number % len(deltas)], number), clock.monotonic())
    assert len(decoder._channel) <= 120
    assert decoder.counters.dropped > MINUTE - 200
    sink.go_on.set()
    assert asked.wait(5)
    sent = clock.monotonic()
    decoder.feed(frame(key, MINUTE), sent)
    while len(sink.at) < 2:
        assert clock.monotonic() - sent < 5
        time.sleep(0.005)
    assert decoder.counters.decoded == 2
    decoder.stop()
    assert decoder.join(2.0)


async def test_trap_01_stock_keeps_every_picture_that_nobody_takes() -> None:
    stock = StockReceiver()
    await stock.start()
    count = 300
    data = encode(count)
    for number, item in enumerate(data):
        stock.receiver._RTCRtpReceiver__decoder_queue.put(  # type: ignore[attr-defined]
            (VP8_PARAMETERS, JitterFrame(item, number * 3000))
        )
    await until(lambda: stock.track._queue.qsize() == count, "all pictures are decoded")
    held = 0
    while not stock.track._queue.empty():
        picture = stock.track._queue.get_nowait()
        held += sum(plane.buffer_size for plane in picture.planes)
    assert held >= count * RAW  # 41 MB a second at 720p
    await stock.receiver.stop()


# 6. A decoder does not say that it shows something wrong.


async def test_trap_06_after_a_loss_only_right_pictures_are_shown() -> None:
    data = encode(60, keyframe=KEYFRAME)
    reference = PictureDecoder()
    clean = [reference.decode(frame(item, number)) for number, item in enumerate(data)]
    rig = Rig()
    for number, item in enumerate(data):
        if number != LOST:
            sent = packet(number, number * 3000, payload=item, arrival=rig.clock.now)
            await rig.receiver.take_packet(sent)
        await rig.wait(0.04)
    decoder = PictureDecoder()
    shown = {item.timestamp // 3000: decoder.decode(item) for item in rig.frames}
    assert sorted(shown) == [*range(LOST), *range(KEYFRAME, 60)]
    for number, picture in shown.items():
        right = clean[number]
        assert picture is not None
        assert right is not None
        assert likeness(luma(picture), luma(right)) > 40


def test_trap_06_stock_shows_something_wrong_and_does_not_know() -> None:
    data = encode(60, keyframe=KEYFRAME)
    clean_decoder, decoder = Vp8Decoder(), Vp8Decoder()
    likenesses = []
    for number, item in enumerate(data):
        encoded = JitterFrame(item, number * 3000)
        (clean,) = clean_decoder.decode(encoded)
        if number != LOST:
            (picture,) = decoder.decode(encoded)
            assert isinstance(clean, av.VideoFrame)
            assert isinstance(picture, av.VideoFrame)
            assert not picture.is_corrupt
            likenesses.append((number, likeness(luma(picture), luma(clean))))
    assert min(value for number, value in likenesses if LOST < number < KEYFRAME) < 30
    assert all(value > 40 for number, value in likenesses if not LOST < number < KEYFRAME)


# 15. Closing waits for the decoder.


async def lag_while(ending: object) -> float:
    """The longest that the loop stood while `ending` was awaited, in seconds."""
    longest, done = 0.0, asyncio.Event()

    async def watch() -> None:
        nonlocal longest
        while not done.is_set():
            before = time.monotonic()
            await asyncio.sleep(0.001)
            longest = max(longest, time.monotonic() - before)

    watching = asyncio.create_task(watch())
    await asyncio.sleep(0.01)
    await ending  # type: ignore[misc]
    done.set()
    await watching
    return longest


class SlowDecoder:
    """Takes 20 ms for each frame."""

    def decode(self, _encoded: JitterFrame) -> Iterator[av.VideoFrame]:
        time.sleep(0.02)
        return iter(())


async def test_trap_15_stopping_with_a_backlog_does_not_hold_the_loop_up() -> None:
    clock = SystemClock()
    decoder = VideoDecoder(
        "trap", Pictures(), clock=clock, delay=PlayoutDelay(0.0, 0.0),
        on_keyframe_needed=lambda: None,
    )  # fmt: skip
    for number, item in enumerate(encode(60)):
        decoder.feed(frame(item, number), clock.monotonic() + 60)
    decoder.start()

    async def stop() -> None:
        decoder.stop()
        assert await asyncio.to_thread(decoder.join, 2.0)

    assert await lag_while(stop()) < 0.5


async def test_trap_15_stock_stands_until_the_backlog_is_decoded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rtcrtpreceiver, "get_decoder", lambda _codec: SlowDecoder())
    stock = StockReceiver()
    await stock.start()
    waiting: queue.Queue[object] = stock.receiver._RTCRtpReceiver__decoder_queue  # type: ignore[attr-defined]
    for number in range(60):
        waiting.put((VP8_PARAMETERS, JitterFrame(b"", number)))
    assert await lag_while(stock.receiver.stop()) > 1.0
