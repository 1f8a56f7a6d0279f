"""The programme: one steady clock that composes, mixes and encodes, whatever happens around it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Event
from typing import Final

from bridge.broadcast.media.encoder import (
    AudioEncoder,
    EncoderSettings,
    VideoEncoder,
    describe,
)
from bridge.broadcast.media.frames import Samples, TickMedia
from bridge.broadcast.media.ladder import Ladder
from bridge.broadcast.media.mixer import Mixer
from bridge.broadcast.media.packets import AUDIO_RATE, SOURCE, EncodedPacket, Rendition
from bridge.broadcast.media.sources import SourceView, VideoSource
from bridge.broadcast.media.stage import Stage
from bridge.broadcast.media.timeline import Tick, Timeline
from bridge.clock import Clock
from bridge.concurrency.channel import Channel, Overflow
from bridge.concurrency.worker import Worker
from bridge.errors import BridgeError, ChannelClosedError, SettingsError

_LEAD: Final = 0.02
"""Seconds from `start` to frame 0: for the threads to be there."""
_WAITING_TICKS: Final = 5
_MAX_BACKLOG: Final = 10 * AUDIO_RATE
"""Samples without a place to go after which the programme gives up: a new one behind a
discontinuity is better than one that is 10 s late."""
_BLOCK: Final = AUDIO_RATE
"""Most samples mixed at once, after a standstill."""
_MIXED_TICKS: Final = (4, 3, 2, 1)
"""Ticks whose sound is mixed at once, the first that divides a part: mixing has the same price for
33 ms of sound as for 100, and a part is whole when its last picture comes all the same."""
_HELD_EVERY: Final = 5
"""With pictures held, the sources are not looked at in one tick of so many: 24 of 30."""
_AVERAGED: Final = 90
"""Ticks over which times are averaged, about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgrammeStats:
    """How the programme does. Times are averages over the last few seconds."""

    ticks: int = 0
    """Pictures composed."""
    skipped: int = 0
    """Pictures that the grid has a place for and that are missing: too late, or refused by a
    slow encoder."""
    late: int = 0
    """Ticks that began more than a quarter of a frame behind."""
    compose_ms: float = 0.0
    mix_ms: float = 0.0
    """Of each group of ticks whose sound is mixed at once."""
    encode_ms: float = 0.0
    """Picture and sound of one tick."""


class _Average:
    """An exponential mean in milliseconds. Written by one thread, read by any."""

    def __init__(self) -> None:
        self.milliseconds = 0.0
        self._count = 0

    def add(self, seconds: float) -> None:
        """Take one more measurement."""
        self._count = min(self._count + 1, _AVERAGED)
        self.milliseconds += (seconds * 1000 - self.milliseconds) / self._count


class Programme:
    """Makes packets out of sources, at constant frame rate, on two threads of its own.

    The programme thread composes and mixes each tick; the encoder thread encodes and calls `sink`,
    all sound of a part before its last picture, so that the part is whole when that comes.
    Between them wait at most 5 ticks; when the encoder is further behind, a picture is skipped and
    its sound goes with the next. The ladder's pictures come after the programme's own, on the same
    thread, so that no rendition is ever behind another. Encoders are opened on construction:
    `renditions` are there at once. `on_failure` is called on the thread that failed, after which
    nothing more is composed. Raises SetupError or SettingsError.
    """

    def __init__(
        self,
        settings: EncoderSettings,
        stage: Stage,
        mixer: Mixer,
        sources: Mapping[str, VideoSource],
        *,
        clock: Clock,
        sink: Callable[[EncodedPacket], None],
        on_failure: Callable[[Exception], object],
    ) -> None:
        if stage.size != (settings.width, settings.height):
            message = "the artwork was not drawn for this canvas"
            raise SettingsError(message)
        self._stage = stage
        self._mixer = mixer
        self._sources = dict(sources)
        self._clock = clock
        self._sink = sink
        self._fps = settings.grid.fps
        parts = settings.grid.part_frames
        self._mixed_ticks = next(ticks for ticks in _MIXED_TICKS if parts % ticks == 0)
        self._video = VideoEncoder(settings)
        self._audio = AudioEncoder(settings)
        self._ladder = Ladder(settings)
        source = Rendition(name=SOURCE, parameters=describe(settings, self._video, self._audio))
        self.renditions: tuple[Rendition, ...] = self._ladder.renditions(source, self._audio)
        """The programme itself comes first."""
        self.start_wall = 0.0
        """Seconds since the epoch at frame 0; set by `start`."""
        self._timeline = Timeline(0.0, self._fps)
        self._channel: Channel[TickMedia] = Channel(_WAITING_TICKS, Overflow.REFUSE)
        self._sound: list[Samples] = []
        self._mixed = self._ticked = 0
        self._composed = 0
        self._views: dict[str, SourceView] = {}
        self.hold_pictures = False
        """Whether some ticks show the sources as the tick before did, to save their scaling. Set
        from any thread."""
        self._refused = 0
        self._compose_time, self._mix_time, self._encode_time = _Average(), _Average(), _Average()
        self._stopping = Event()
        self._on_failure = on_failure
        self._composing = Worker("programme", self._run_ticks, on_failure=self._fail)
        self._encoding = Worker("encoder", self._run_encoder, on_failure=self._fail)

    def start(self, begin: float | None = None) -> None:
        """Let frame 0 be due at `begin` (monotonic seconds), or 20 ms from now.

        Once only; returns at once.
        """
        now = self._clock.monotonic()
        begin = now + _LEAD if begin is None else begin
        self.start_wall = self._clock.wall() + begin - now
        self._timeline = Timeline(begin, self._fps)
        self._mixer.start(begin)
        self._encoding.start()
        self._composing.start()

    def stop(self, timeout: float = 5.0) -> bool:
        """End with the current tick; what is encoded by then has gone to the sink on return.

        Blocks: never on the event loop. Idempotent. False when a thread still runs after
        `timeout` seconds.
        """
        self._stopping.set()
        deadline = self._clock.monotonic() + timeout
        ended = self._composing.join(timeout)
        self._channel.close()
        return self._encoding.join(max(0.0, deadline - self._clock.monotonic())) and ended

    @property
    def can_hurry(self) -> bool:
        """Whether there is a cheaper way to encode that outputs need not be told of."""
        return self._video.can_hurry

    def hurry(self, *, on: bool) -> None:
        """Encode cheaper, or as set up, from the next segment on. Any thread."""
        self._video.hurry(on=on)

    @property
    def stats(self) -> ProgrammeStats:
        """Counters so far. Any thread."""
        return ProgrammeStats(
            ticks=self._composed,
            skipped=self._timeline.skipped + self._refused,
            late=self._timeline.late,
            compose_ms=self._compose_time.milliseconds,
            mix_ms=self._mix_time.milliseconds,
            encode_ms=self._encode_time.milliseconds,
        )

    def _fail(self, error: Exception) -> None:
        """End both threads. On the thread that failed."""
        self._stopping.set()
        self._channel.close()
        self._on_failure(error)

    def _run_ticks(self) -> None:
        try:
            while not self._stopping.is_set():
                wait = self._timeline.wait(self._clock.monotonic())
                if wait > 0 and self._stopping.wait(wait):
                    break
                self._tick(self._timeline.begin(self._clock.monotonic()))
            self._mix_up_to(self._ticked)
        finally:
            self._channel.close()

    def _tick(self, tick: Tick) -> None:
        self._ticked = tick.number + 1
        # What is skipped may have been the last of its four.
        self._mix_up_to((tick.number + 1) // self._mixed_ticks * self._mixed_ticks)
        if len(self._channel) >= _WAITING_TICKS:
            self._refused += 1
            return
        begin = self._clock.monotonic()
        if not self.hold_pictures or tick.number % _HELD_EVERY:
            self._views = {name: item.current(tick.due) for name, item in self._sources.items()}
        picture = self._stage.compose(self._views, tick.due)
        self._compose_time.add(self._clock.monotonic() - begin)
        self._composed += 1
        # Only this thread puts, so there is still room.
        self._channel.put(TickMedia(tick.number, picture, tuple(self._sound)))
        self._sound.clear()

    def _mix_up_to(self, frame: int) -> None:
        """Mix all sound before `frame`, also that of ticks that were skipped."""
        begin = self._clock.monotonic()
        end = frame * AUDIO_RATE // self._fps
        if end <= self._mixed:
            return
        if end - self._mixed + sum(block.shape[1] for block in self._sound) > _MAX_BACKLOG:
            message = "the programme stood still for more than 10 s"
            raise BridgeError(message, code="standstill")
        while self._mixed < end:
            count = min(_BLOCK, end - self._mixed)
            self._sound.append(self._mixer.mix(count))
            self._mixed += count
        self._mix_time.add(self._clock.monotonic() - begin)

    def _run_encoder(self) -> None:
        while True:
            try:
                media = self._channel.take()
            except ChannelClosedError:
                break
            if media is not None:
                begin = self._clock.monotonic()
                self._encode(media)
                self._encode_time.add(self._clock.monotonic() - begin)
        self._flush()

    def _encode(self, media: TickMedia) -> None:
        for samples in media.sound:
            for packet in self._audio.encode(samples):
                self._sink(packet)
        for packet in self._video.encode(media.picture, media.number):
            self._sink(packet)
        for packet in self._ladder.encode(media.picture, media.number):
            self._sink(packet)

    def _flush(self) -> None:
        """Let the end flow through; the programme thread has ended or failed before."""
        for samples in self._sound:
            for packet in self._audio.encode(samples):
                self._sink(packet)
        for packet in self._audio.flush():
            self._sink(packet)
        for packet in (*self._video.flush(), *self._ladder.flush()):
            self._sink(packet)
