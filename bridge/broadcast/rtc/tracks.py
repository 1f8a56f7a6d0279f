"""From a track's receiver to the programme's sink, by way of the clock and a decoder thread."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Generic, Protocol, TypeVar

from bridge.aiortc_inside.receiving import BridgeReceiver
from bridge.broadcast.rtc.audio_decoder import AudioDecoder
from bridge.broadcast.rtc.clock_mapping import ClockMapping
from bridge.broadcast.rtc.frames import DecoderCounters, EncodedFrame
from bridge.broadcast.rtc.playout_delay import PlayoutDelay
from bridge.broadcast.rtc.receiver import TrackCounters, TrackReceiver
from bridge.broadcast.rtc.sinks import AudioSink, FrameTap, VideoSink
from bridge.broadcast.rtc.video_decoder import VideoDecoder
from bridge.clock import Clock

MICROPHONE: Final = "microphone"
CAMERA: Final = "camera"
SCREEN: Final = "screen"
_JOIN_SECONDS: Final = 2.0
_REVIVE_SECONDS: Final = 1.0
"""Seconds between decoders: one that fails at every frame must not cost a thread for each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackStats:
    """How one track does."""

    name: str
    received: TrackCounters
    decoded: DecoderCounters
    reports_believed: bool
    """Whether sender reports place the track; else its arrivals do."""
    delay: float | None
    """Seconds it is due later than its shortest way allows, without the playout delay."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackContext:
    """What the tracks of one connection share."""

    leg: str
    """Name of the connection's seat and generation; threads are called after it."""
    mapping: ClockMapping
    clock: Clock
    delay: PlayoutDelay
    on_send_time: Callable[[int, int], None]
    """Gets each packet's abs-send-time and size."""
    tap: FrameTap | None = None
    """Gets each frame as it came."""


class _Decoder(Protocol):
    @property
    def counters(self) -> DecoderCounters: ...
    @property
    def alive(self) -> bool: ...
    def start(self) -> None: ...
    def stop(self) -> None: ...
    def join(self, timeout: float) -> bool: ...


D = TypeVar("D", bound=_Decoder)


class Track(ABC, Generic[D]):
    """One m-line with media. The decoder and its thread begin with the first frame. Loop-side."""

    def __init__(self, name: str, receiver: BridgeReceiver, context: TrackContext) -> None:
        self.name = name
        self.feedback = receiver
        self._context = context
        self._decoder: D | None = None
        self._decoder_made = -_REVIVE_SECONDS
        self.receiver = TrackReceiver(
            receiver.kind,
            receiver,
            clock=context.clock,
            on_frame=self._take_frame,
            on_report=self._take_report,
            on_restart=self._restart,
            on_send_time=context.on_send_time,
        )
        receiver.attach(self.receiver)

    def stop(self) -> None:
        """End the decoder's thread soon. Never blocks."""
        if self._decoder is not None:
            self._decoder.stop()

    def join(self) -> bool:
        """Wait for the thread, two seconds at most; False if it still runs. Never on the loop."""
        return self._decoder is None or self._decoder.join(_JOIN_SECONDS)

    @property
    def stats(self) -> TrackStats:
        """A snapshot."""
        context = self._context
        return TrackStats(
            name=self.name,
            received=self.receiver.counters,
            decoded=self._decoder.counters if self._decoder else DecoderCounters(),
            reports_believed=context.mapping.believed(self.name),
            delay=context.mapping.delay(self.name, context.clock.monotonic()),
        )

    def _take_frame(self, frame: EncodedFrame) -> None:
        mapping = self._context.mapping
        mapping.arrived(self.name, frame.timestamp, frame.clock_rate, frame.arrival)
        due = mapping.due(self.name, frame.timestamp)
        now = self._context.clock.monotonic()
        self._context.delay.note(f"{self._context.leg}/{self.name}", now - due, now)
        if self._context.tap is not None:
            self._context.tap.take(self.name, frame, due)
        decoder = self._running_decoder()
        if decoder is not None:
            self._feed(decoder, frame, due)

    def _running_decoder(self) -> D | None:
        """Start a decoder for the first frame, or in place of one that failed; not every frame."""
        if self._decoder is not None and self._decoder.alive:
            return self._decoder
        now = self._context.clock.monotonic()
        if now - self._decoder_made < _REVIVE_SECONDS:
            return None
        if self._decoder is not None:
            self.receiver.require_keyframe()
        self._decoder_made = now
        self._decoder = self._make_decoder()
        self._decoder.start()
        return self._decoder

    def _take_report(self, ntp: float, timestamp: int) -> None:
        self._context.mapping.report(self.name, ntp, timestamp)

    def _restart(self) -> None:
        self._context.mapping.restart(self.name)

    @abstractmethod
    def _make_decoder(self) -> D: ...

    @abstractmethod
    def _feed(self, decoder: D, frame: EncodedFrame, due: float) -> None: ...


class SoundTrack(Track[AudioDecoder]):
    """A debater's microphone."""

    def __init__(self, receiver: BridgeReceiver, sink: AudioSink, context: TrackContext) -> None:
        super().__init__(MICROPHONE, receiver, context)
        self._sink = sink
        self._restarted = False

    def _restart(self) -> None:
        super()._restart()
        self._restarted = True

    def _make_decoder(self) -> AudioDecoder:
        return AudioDecoder(f"{self._context.leg}-{self.name}", self._sink)

    def _feed(self, decoder: AudioDecoder, frame: EncodedFrame, due: float) -> None:
        decoder.feed(frame, due, restart=self._restarted)
        self._restarted = False


class PictureTrack(Track[VideoDecoder]):
    """A debater's camera or screen."""

    def __init__(
        self, name: str, receiver: BridgeReceiver, sink: VideoSink, context: TrackContext
    ) -> None:
        super().__init__(name, receiver, context)
        self._sink = sink
        self._loop = asyncio.get_running_loop()

    def _make_decoder(self) -> VideoDecoder:
        context = self._context
        return VideoDecoder(
            f"{context.leg}-{self.name}",
            self._sink,
            clock=context.clock,
            delay=context.delay,
            on_keyframe_needed=self._need_keyframe,
        )

    def _feed(self, decoder: VideoDecoder, frame: EncodedFrame, due: float) -> None:
        decoder.feed(frame, due)

    def _need_keyframe(self) -> None:
        """Pass the decoder's wish on to the loop. Decoder thread."""
        try:
            self._loop.call_soon_threadsafe(self.receiver.require_keyframe)
        except RuntimeError:
            # The loop is closed: nobody is left to ask.
            return
