"""Encoded frames to pictures, each shown when it is due, on a thread of its own."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event
from typing import Final, Literal

import av
from av.video.codeccontext import VideoCodecContext

from bridge.aiortc_inside.media import H264, VP8
from bridge.broadcast.rtc.frames import DecoderCounters, EncodedFrame
from bridge.broadcast.rtc.playout_delay import PlayoutDelay
from bridge.broadcast.rtc.sinks import VideoSink
from bridge.clock import Clock
from bridge.concurrency.channel import Channel, Overflow
from bridge.concurrency.worker import Worker
from bridge.errors import ChannelClosedError

logger = logging.getLogger(__name__)

MAX_PIXELS: Final = 2_100_000
"""1920x1088 and no more. A 67-byte keyframe can claim 16383x16383 (notes/reliability.md 5.4)."""
_QUEUE_SECONDS: Final = 2.0
"""The longest playout delay, and one second of being behind."""
_MAX_FPS: Final = 60
_DECODE_LEAD: Final = 0.004
"""Seconds before its due time at which a frame is decoded: what a 720p frame takes, doubled."""
_MAX_WAIT: Final = 5.0
"""No clock error may hold the thread for longer."""
_LAYOUTS: Final = frozenset({"yuv420p", "yuvj420p"})
# FFmpeg's own VP8 decoder, not libvpx: that one allocates before it can be told a limit.
_DECODERS: Final[dict[str, Literal["vp8", "h264"]]] = {VP8: "vp8", H264: "h264"}


class PictureError(ValueError):
    """A frame that cannot be decoded, or must not be. Its only reader asks for a keyframe."""


class PictureDecoder:
    """VP8 and H.264 to pictures of at most 1920x1088. One thread."""

    def __init__(self) -> None:
        self._codec: str | None = None
        self._context: VideoCodecContext | None = None

    def decode(self, frame: EncodedFrame) -> av.VideoFrame | None:
        """Return the picture, None for a frame that is not to be shown. Raises PictureError."""
        if self._context is None or frame.codec != self._codec:
            self._context = self._open(frame.codec)
            self._codec = frame.codec
        try:
            pictures = self._context.decode(av.Packet(frame.data))
        except av.FFmpegError as error:
            # A context that has refused a size may hold half of it.
            self._context = None
            message = f"{frame.codec}: {error.strerror}"
            raise PictureError(message) from None
        if not pictures:
            return None
        picture = pictures[-1]
        if picture.format.name not in _LAYOUTS or picture.width * picture.height > MAX_PIXELS:
            message = f"{picture.width}x{picture.height} {picture.format.name} is not accepted"
            raise PictureError(message)
        return picture

    @staticmethod
    def _open(codec: str) -> VideoCodecContext:
        name = _DECODERS.get(codec)
        if name is None:
            message = f"no decoder for {codec}"
            raise PictureError(message)
        context = VideoCodecContext.create(name, "r")
        context.thread_count = 1
        context.options = {"max_pixels": str(MAX_PIXELS), "flags": "low_delay"}
        return context


@dataclass(frozen=True, slots=True)
class _Due:
    frame: EncodedFrame
    at: float


class VideoDecoder:
    """Decodes one track on its own thread and puts each picture into the sink when it is due.

    That is `delay` after the time it is fed with; the first is shown at once. Late frames are
    decoded at once; of several overdue ones only the newest is shown. Bound: two seconds of frames.
    Overflow: all are dropped, and nothing is decoded before the next keyframe, which
    `on_keyframe_needed` (decoder thread) asks for; so also after an error.
    """

    def __init__(
        self,
        name: str,
        sink: VideoSink,
        *,
        clock: Clock,
        delay: PlayoutDelay,
        on_keyframe_needed: Callable[[], None],
    ) -> None:
        self._pictures = 0
        self._errors = 0
        self._sink = sink
        self._clock = clock
        self._delay = delay
        self._on_keyframe_needed = on_keyframe_needed
        self._decoder = PictureDecoder()
        self._channel: Channel[_Due] = Channel(round(_QUEUE_SECONDS * _MAX_FPS), Overflow.CLEAR)
        self._stopping = Event()
        self._needs_keyframe = True
        self._worker = Worker(f"{name}-decoder", self._run)

    def start(self) -> None:
        """Start the thread. Once only."""
        self._worker.start()

    def feed(self, frame: EncodedFrame, due: float) -> None:
        """Queue a frame that would be due at `due` without delay. Any one thread; never blocks."""
        self._channel.put(_Due(frame, due))

    def stop(self) -> None:
        """Ask the thread to end, without what is queued. Never blocks."""
        self._stopping.set()
        self._channel.close()

    @property
    def alive(self) -> bool:
        """Whether the thread runs; False once it has failed."""
        return self._worker.alive

    def join(self, timeout: float) -> bool:
        """Wait for the end; False if it still runs. Never on the loop."""
        return self._worker.join(timeout)

    @property
    def counters(self) -> DecoderCounters:
        """A snapshot. Any thread."""
        return DecoderCounters(
            decoded=self._pictures, errors=self._errors, dropped=self._channel.dropped
        )

    def _run(self) -> None:
        try:
            following = self._channel.take()
            while not self._stopping.is_set():
                item = following or self._channel.take()
                following = None
                if item is not None:
                    following = self._show(item)
        except ChannelClosedError:
            pass  # closed and drained: that is the end

    def _show(self, item: _Due) -> _Due | None:
        """Decode one frame and show it; returns the frame after it if that has come."""
        wait = item.at + self._delay.seconds - _DECODE_LEAD - self._clock.monotonic()
        # The first one is shown at once: where a slate was there is nothing to be in step with.
        if self._pictures and wait > 0 and self._stopping.wait(min(wait, _MAX_WAIT)):
            return None
        picture = self._decode(item.frame)
        following = self._channel.take(timeout=0)
        if picture is None:
            return following
        now = self._clock.monotonic()
        if following is None or following.at + self._delay.seconds > now:
            self._pictures += 1
            self._sink.put(picture, now)
        return following

    def _decode(self, frame: EncodedFrame) -> av.VideoFrame | None:
        if self._channel.take_overflowed():
            self._ask_for_keyframe()
        if self._needs_keyframe and not frame.keyframe:
            return None
        try:
            picture = self._decoder.decode(frame)
        except PictureError as error:
            self._errors += 1
            if self._errors & (self._errors - 1) == 0:  # 1, 2, 4, 8: no log by frame
                logger.warning("picture not decoded, %d so far: %s", self._errors, error)
            self._ask_for_keyframe()
            return None
        self._needs_keyframe = False
        return picture

    def _ask_for_keyframe(self) -> None:
        self._needs_keyframe = True
        self._on_keyframe_needed()
