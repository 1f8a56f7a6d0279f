"""A debater's pictures and sounds, encoded once for all connections."""

import asyncio
import logging
import math
from collections.abc import Callable
from fractions import Fraction
from threading import Event
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

from av import AudioFrame
from av.audio.codeccontext import AudioCodecContext
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType

from bridge.clock import Clock
from bridge.concurrency.channel import Channel, Overflow
from bridge.concurrency.worker import Worker
from bridge.debater.cadence import Cadence, Medium
from bridge.debater.source import FPS, SOUND_SAMPLES, Source
from bridge.debater.voice import SAMPLE_RATE
from bridge.errors import ChannelClosedError

if TYPE_CHECKING:
    # Generic in its stub alone.
    from av.packet import Packet

logger = logging.getLogger(__name__)

AnyPacket: TypeAlias = "Packet[Any]"

VIDEO_TIME_BASE: Final = Fraction(1, 90_000)
AUDIO_TIME_BASE: Final = Fraction(1, SAMPLE_RATE)
_TICKS_PER_PICTURE: Final = 90_000 // FPS
_VIDEO_BITS: Final = 900_000
"""Bits per second, at most, of a picture of 640x360."""
_USUAL_PIXELS: Final = 640 * 360
_MORE_PIXELS: Final = 0.75
"""Twice the pixels need less than twice the bits: what is left is edges."""
_LEAST_VIDEO_BITS: Final = 100_000
_OVERHEAD: Final = 0.85
"""Share of a limit that is for media: the rest is headers and what is sent again."""
_WORTH_A_KEYFRAME: Final = 0.15
"""Relative change of the limit that is followed: libvpx has to begin anew for it."""
_AUDIO_BITS: Final = 48_000
_GOP: Final = 2 * FPS
_KEYFRAME_PAUSE_FRAMES: Final = FPS // 3
"""Requests that come within a third of a second of a keyframe are answered by that one, or by one
keyframe after it: a lossy leg must not fill the other one with keyframes."""
_BACKLOG_PACKETS: Final = 80
"""One second of both media: how long the loop may stall before everything is begun anew."""
_START_GRID: Final = 10
"""Time 0 is on a tenth of a second of wall time, where the grids of 1/30 s and 20 ms meet: so a
flash and a beep at a full second are exactly together."""
_JOIN_SECONDS: Final = 5.0


class PacketSink(Protocol):
    """One connection's track, as the encoder sees it. Loop-side only."""

    def put(self, packet: AnyPacket) -> None:
        """Take the next packet; never blocks."""
        ...

    def resync(self) -> None:
        """Packets were lost: nothing is decodable before the next keyframe."""
        ...


class MediaEncoder:
    """Encodes a Source to VP8 and Opus, in real time, on a thread of its own.

    Sinks may be added and removed at any time before and after `start`; loop-side only, as all
    methods are. Between thread and loop at most _BACKLOG_PACKETS wait; when the loop stalls for
    longer they are all dropped and every sink is told to resync.
    """

    def __init__(self, clock: Clock, *, on_failure: Callable[[Exception], None]) -> None:
        self._clock = clock
        self._on_failure = on_failure
        self._loop = asyncio.get_running_loop()
        self._sinks: dict[Medium, list[PacketSink]] = {medium: [] for medium in Medium}
        self._backlog: Channel[tuple[Medium, AnyPacket]] = Channel(_BACKLOG_PACKETS, Overflow.CLEAR)
        self._stop = Event()
        self._keyframe_wanted = Event()
        self._most_bits = self._video_bits = _VIDEO_BITS
        self._worker: Worker | None = None
        self._source: Source | None = None

    def start(self, source: Source) -> None:
        """Begin to show `source`, which is closed at the end. Once only."""
        self._source = source
        pixels = source.width * source.height
        self._most_bits = round(_VIDEO_BITS * max(1.0, pixels / _USUAL_PIXELS) ** _MORE_PIXELS)
        self._video_bits = self._most_bits
        self._worker = Worker("debater-encoder", self._run, on_failure=self._fail)
        self._worker.start()

    async def stop(self) -> None:
        """End the thread and close the source; idempotent."""
        self._stop.set()
        self._backlog.close()
        worker, self._worker = self._worker, None
        if worker is not None and not await asyncio.to_thread(worker.join, _JOIN_SECONDS):
            logger.warning("the encoder did not end within %g s", _JOIN_SECONDS)

    def add(self, medium: Medium, sink: PacketSink) -> None:
        """Give `sink` every packet from now on; pictures begin with a keyframe made for it."""
        self._sinks[medium].append(sink)
        if medium is Medium.PICTURE:
            self.request_keyframe()

    def remove(self, medium: Medium, sink: PacketSink) -> None:
        """Give `sink` nothing any more; idempotent."""
        if sink in self._sinks[medium]:
            self._sinks[medium].remove(sink)

    def request_keyframe(self) -> None:
        """Make one soon. Any thread."""
        self._keyframe_wanted.set()

    def limit_bit_rate(self, bits_per_second: int) -> None:
        """Send no more than this, sound included. Any thread."""
        bits = round(bits_per_second * _OVERHEAD) - _AUDIO_BITS
        self._video_bits = max(_LEAST_VIDEO_BITS, min(self._most_bits, bits))

    def _run(self) -> None:
        source = self._source
        assert source is not None  # noqa: S101 - set by start
        try:
            self._encode(source)
        finally:
            source.close()

    def _encode(self, source: Source) -> None:
        video = _VideoEncoder(source.width, source.height, self._video_bits)
        audio = _AudioEncoder()
        cadence = Cadence()
        wall = self._clock.wall()
        start_wall = math.ceil(wall * _START_GRID) / _START_GRID
        start = self._clock.monotonic() + start_wall - wall
        source.begin(start_wall)
        while not self._stop.is_set():
            due = cadence.next(self._clock.monotonic() - start)
            if due.wait > 0 and self._stop.wait(due.wait):
                return
            if due.medium is Medium.SOUND:
                packets = audio.encode(due.number, source)
            else:
                if video.misses(self._video_bits):
                    video = _VideoEncoder(source.width, source.height, self._video_bits)
                packets = video.encode(due.number, source, self._keyframe_wanted)
            for packet in packets:
                self._hand_over(due.medium, packet)

    def _hand_over(self, medium: Medium, packet: AnyPacket) -> None:
        # One wake-up takes all that waits. It is due when this packet is the only one: more than
        # one means that the wake-up of an earlier one has not emptied the channel yet.
        if self._backlog.put((medium, packet)) and len(self._backlog) == 1:
            self._loop.call_soon_threadsafe(self._distribute)

    def _distribute(self) -> None:
        try:
            while (item := self._backlog.take(0)) is not None:
                if self._backlog.take_overflowed():
                    self._resync()
                medium, packet = item
                for sink in tuple(self._sinks[medium]):
                    sink.put(packet)
        except ChannelClosedError:
            return

    def _resync(self) -> None:
        logger.warning("the event loop stalled: a second of media was dropped")
        for sinks in self._sinks.values():
            for sink in sinks:
                sink.resync()
        self.request_keyframe()

    def _fail(self, error: Exception) -> None:
        self._loop.call_soon_threadsafe(self._on_failure, error)


class _VideoEncoder:
    """VP8 as real-time calls use it. One thread only."""

    def __init__(self, width: int, height: int, bits: int) -> None:
        codec = VideoCodecContext.create("libvpx", "w")
        codec.width, codec.height, codec.pix_fmt = width, height, "yuv420p"
        codec.framerate, codec.time_base = Fraction(FPS), VIDEO_TIME_BASE
        codec.bit_rate, codec.gop_size, codec.thread_count = bits, _GOP, 1
        codec.options = {
            "deadline": "realtime",
            # Negative is a fixed speed. +8 lets libvpx choose by the clock, which costs 1.8 times
            # as much here (2.6 instead of 1.45 ms per 640x360 picture, measured).
            "cpu-used": "-8",
            "lag-in-frames": "0",
            "minrate": str(bits),
            "maxrate": str(bits),
            "bufsize": str(bits),
            "undershoot-pct": "100",
            "overshoot-pct": "15",
            "static-thresh": "1",
        }
        self._codec = codec
        self._bits = bits
        self._age = 0
        self._since_keyframe = _KEYFRAME_PAUSE_FRAMES

    def misses(self, bits: int) -> bool:
        """Whether another encoder should take over: once a second at most."""
        return self._age >= FPS and abs(bits - self._bits) > _WORTH_A_KEYFRAME * self._bits

    def encode(self, number: int, source: Source, keyframe_wanted: Event) -> list[AnyPacket]:
        self._age += 1
        frame = source.picture(number)
        frame.pts, frame.time_base = number * _TICKS_PER_PICTURE, VIDEO_TIME_BASE
        # A film's own keyframes are marked and would be made keyframes here too.
        frame.pict_type = PictureType.NONE
        if keyframe_wanted.is_set() and self._since_keyframe >= _KEYFRAME_PAUSE_FRAMES:
            keyframe_wanted.clear()
            frame.pict_type = PictureType.I
        packets = self._codec.encode(frame)
        keyframe = any(packet.is_keyframe for packet in packets)
        self._since_keyframe = 0 if keyframe else self._since_keyframe + 1
        return packets


class _AudioEncoder:
    """Opus for voice, mono, with in-band FEC, so that the other end can mend single losses."""

    def __init__(self) -> None:
        codec = AudioCodecContext.create("libopus", "w")
        codec.sample_rate, codec.layout, codec.format = SAMPLE_RATE, "mono", "s16"
        codec.time_base, codec.bit_rate = AUDIO_TIME_BASE, _AUDIO_BITS
        codec.options = {
            "application": "voip",
            "fec": "1",
            "packet_loss": "5",
            "compression_level": "5",
        }
        self._codec = codec

    def encode(self, number: int, source: Source) -> list[AnyPacket]:
        samples = source.sound(number).reshape(1, SOUND_SAMPLES)
        frame = AudioFrame.from_ndarray(samples, format="s16", layout="mono")
        frame.sample_rate = SAMPLE_RATE
        # The packets' timestamps are 312 earlier, Opus's look-ahead: what comes out of a decoder
        # is that much late, and so it is heard when it was said.
        frame.pts, frame.time_base = number * SOUND_SAMPLES, AUDIO_TIME_BASE
        return self._codec.encode(frame)
