"""One track's receive path: packets in, frames out, and what is asked of the sender."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from bridge.aiortc_inside.media import MediaPacket, SenderReport
from bridge.broadcast.rtc.frames import EncodedFrame
from bridge.broadcast.rtc.jitter_buffer import (
    AudioJitterBuffer,
    BufferCounters,
    VideoJitterBuffer,
)
from bridge.clock import Clock

PLI_EVERY: Final = 0.5
"""Seconds between requests while a keyframe is needed: a request or its answer may be lost."""
_SILENT: Final = 0.5
"""Seconds without packets after which an SSRC that was left may come back."""


class Feedback(Protocol):
    """The way back to the sender."""

    async def send_nack(self, ssrc: int, lost: list[int]) -> None:
        """Ask for packets again."""
        ...

    async def send_pli(self, ssrc: int) -> None:
        """Ask for a keyframe."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackCounters:
    """What has come in on one track since its connection was made."""

    packets: int
    bytes: int
    """Of payload."""
    retransmitted: int
    frames: int
    keyframes: int
    lost: int
    """Packets given up."""
    missed: int
    """Packets that did not come at first; some came when they were asked for again."""
    late: int
    duplicates: int
    gated: int
    """Frames held back for want of a keyframe."""
    nacks: int
    plis: int
    malformed: int
    byes: int
    restarts: int
    """New SSRCs and new numberings."""
    last_arrival: float | None
    """Monotonic seconds."""


@dataclass(slots=True)
class _Tally:
    packets: int = 0
    bytes: int = 0
    retransmitted: int = 0
    frames: int = 0
    keyframes: int = 0
    nacks: int = 0
    plis: int = 0
    malformed: int = 0
    byes: int = 0
    ssrc_changes: int = 0


class TrackReceiver:
    """Glue between the connection and the pure parts. Loop-side only; a `receiving.ReceiverTap`.

    `on_frame` gets frames in order; `on_report` the sender's time and the unwrapped timestamp;
    `on_restart` says that timestamps begin anew (another SSRC or another numbering).
    """

    def __init__(
        self,
        kind: str,
        feedback: Feedback,
        *,
        clock: Clock,
        on_frame: Callable[[EncodedFrame], None],
        on_report: Callable[[float, int], None],
        on_restart: Callable[[], None],
        on_send_time: Callable[[int, int], None] = lambda _time, _size: None,
    ) -> None:
        self.ssrc: int | None = None
        self.last_arrival: float | None = None
        self._kind = kind
        self._feedback = feedback
        self._clock = clock
        self._on_frame = on_frame
        self._on_report = on_report
        self._on_restart = on_restart
        self._on_send_time = on_send_time
        self._tally = _Tally()
        self._past = BufferCounters()
        """Of the buffers of earlier SSRCs."""
        self._left: deque[int] = deque(maxlen=8)
        """SSRCs that were followed by another."""
        self._pli_at = -PLI_EVERY
        self._round_trip = 0.05  # until it has been measured
        self._begin_buffer()

    def _begin_buffer(self) -> None:
        self._video = VideoJitterBuffer() if self._kind == "video" else None
        self._buffer = self._video or AudioJitterBuffer()

    async def take_packet(self, packet: MediaPacket) -> None:
        """Take one packet from the connection."""
        now = self._clock.monotonic()
        if packet.ssrc != self.ssrc:
            if not self._follows(packet, now):
                return
            self._change_ssrc(packet.ssrc)
        self._tally.packets += 1
        self._tally.bytes += len(packet.payload)
        self._tally.retransmitted += packet.retransmitted
        self.last_arrival = now
        restarts = self._buffer.counters.restarts
        frames = self._buffer.push(packet, now)
        if self._buffer.counters.restarts != restarts:
            self._on_restart()
        self._emit(frames)
        if self._video is not None and (self._video.missing or self._video.needs_keyframe):
            await self._ask(self._video, now)

    async def poll(self, round_trip: float) -> None:
        """Do what time asks for. Call every 20 ms or so, with the round trip in seconds."""
        now = self._clock.monotonic()
        self._round_trip = round_trip
        self._emit(self._buffer.poll(now))
        if self._video is not None:
            await self._ask(self._video, now)

    def require_keyframe(self) -> None:
        """Hold everything back until a keyframe: the decoder lost track."""
        if self._video is not None:
            self._video.require_keyframe()

    def take_malformed(self) -> None:
        """Count a packet that could not be read."""
        self._tally.malformed += 1

    def take_bye(self) -> None:
        """Count and ignore: packets decide whether a source is alive."""
        self._tally.byes += 1

    def take_report(self, report: SenderReport) -> None:
        """Pass on a report about the source in use."""
        if report.ssrc != self.ssrc:
            return
        timestamp = self._buffer.peek_timestamp(report.timestamp)
        if timestamp is not None:
            self._on_report(report.ntp, timestamp)

    def take_send_time(self, send_time: int, size: int) -> None:
        """Pass on to the bit rate control of the whole connection."""
        self._on_send_time(send_time, size)

    @property
    def counters(self) -> TrackCounters:
        """A snapshot."""
        tally, past, buffer = self._tally, self._past, self._buffer.counters
        return TrackCounters(
            packets=tally.packets,
            bytes=tally.bytes,
            retransmitted=tally.retransmitted,
            frames=tally.frames,
            keyframes=tally.keyframes,
            lost=past.lost + buffer.lost,
            missed=past.missed + buffer.missed,
            late=past.late + buffer.late,
            duplicates=past.duplicates + buffer.duplicates,
            gated=past.gated + buffer.gated,
            nacks=tally.nacks,
            plis=tally.plis,
            malformed=tally.malformed,
            byes=tally.byes,
            restarts=past.restarts + buffer.restarts + tally.ssrc_changes,
            last_arrival=self.last_arrival,
        )

    def _follows(self, packet: MediaPacket, now: float) -> bool:
        """Whether to change to another SSRC: not for stragglers of one that was left."""
        if packet.retransmitted:
            return False
        silent = self.last_arrival is None or now - self.last_arrival > _SILENT
        return silent or packet.ssrc not in self._left

    def _change_ssrc(self, ssrc: int) -> None:
        if self.ssrc is not None:
            self._left.append(self.ssrc)
            self._tally.ssrc_changes += 1
            old, past = self._buffer.counters, self._past
            past.lost += old.lost
            past.missed += old.missed
            past.late += old.late
            past.duplicates += old.duplicates
            past.gated += old.gated
            past.restarts += old.restarts
            self._begin_buffer()
            self._on_restart()
        self.ssrc = ssrc

    def _emit(self, frames: list[EncodedFrame]) -> None:
        for frame in frames:
            self._tally.frames += 1
            self._tally.keyframes += frame.keyframe
            self._on_frame(frame)

    async def _ask(self, video: VideoJitterBuffer, now: float) -> None:
        if self.ssrc is None:
            return
        lost = video.missing.due(now, self._round_trip)
        if lost:
            self._tally.nacks += 1
            await self._feedback.send_nack(self.ssrc, sorted(number & 0xFFFF for number in lost))
        if video.needs_keyframe and now - self._pli_at >= PLI_EVERY:
            self._pli_at = now
            self._tally.plis += 1
            await self._feedback.send_pli(self.ssrc)
