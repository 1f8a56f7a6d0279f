"""The recording as it is made: a growing file of parts that a crash cannot spoil.

    encoder --put--> channel (10 s, CLEAR) --> thread: packager, PartFile, the disk

`kill -9` and a power cut lose at most the part that is being made. Turning the files into an
ordinary MP4 is the server's work, after the debate.
"""

import asyncio
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from bridge.broadcast.media.packets import CodecParameters, EncodedPacket, Grid
from bridge.broadcast.outputs import fmp4
from bridge.broadcast.outputs.disk_room import LIMITS, Room, RoomLimits, judge
from bridge.broadcast.outputs.feed import packet_channel, post
from bridge.broadcast.outputs.packager import Packager, Part
from bridge.broadcast.outputs.part_file import PartFile, part_file_name
from bridge.clock import Clock
from bridge.concurrency.channel import Channel, Overflow
from bridge.concurrency.worker import Worker
from bridge.errors import ChannelClosedError
from bridge.protocol.messages import OutputState, RecordingReport

logger = logging.getLogger(__name__)

_CHANNEL_SECONDS: Final = 10.0
_MOST_EVENTS: Final = 1000
"""Lines that wait for the next part; with more the oldest go, which takes hours without a disk."""
_RETRY_SECONDS: Final = 2.0
_MINUTE: Final = 60.0

ReportListener = Callable[[RecordingReport], None]
"""Loop-side."""


class _FullError(OSError):
    """The disk has so little room left that recording stops by itself."""


class RecordingOutput:
    """An `Output` that appends to files; whatever happens to the disk, the programme goes on.

    After an overflow the same file goes on with the next segment: its fragments carry absolute
    times, so that the hole is a hole and nothing shifts. After an OSError (disk full, folder gone)
    it is tried again every two seconds, and what comes then goes into the file of the next number.
    """

    def __init__(
        self,
        folder: Path,
        number: int,
        *,
        parameters: CodecParameters,
        grid: Grid,
        clock: Clock,
        on_report: ReportListener,
        limits: RoomLimits = LIMITS,
    ) -> None:
        self.name = "recording"
        self._folder = folder
        self._number = number
        self._grid = grid
        self._clock = clock
        self._limits = limits
        self._init = fmp4.init_segment(parameters)
        self._rate = (parameters.video_bit_rate + parameters.audio_bit_rate) / 8
        self._on_report = on_report
        self._channel = packet_channel(_CHANNEL_SECONDS)
        self._events: Channel[bytes] = Channel(_MOST_EVENTS, Overflow.DROP_OLDEST)
        self._worker = Worker("recorder", self._record, on_failure=self._failed)
        self._bytes = 0
        self._holes = 0
        self._free: int | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def path(self) -> Path:
        """The file that grows now, or the last one."""
        return self._folder / part_file_name(self._number)

    def start(self) -> None:
        """Begin. Loop-side only, once."""
        self._loop = asyncio.get_running_loop()
        self._worker.start()

    def put(self, packet: EncodedPacket) -> None:
        """Take a packet. Encoder thread; never blocks."""
        self._channel.put(packet)

    def note(self, line: bytes) -> None:
        """Take a line of the event log; it is written with the next part. Any thread."""
        self._events.put(line)

    async def stop(self, deadline: float) -> None:
        """Write what is queued, sync and close. Loop-side only; idempotent."""
        self._channel.close()
        if not await asyncio.to_thread(self._worker.join, deadline):
            # A disk that hangs in fdatasync cannot be hurried; what was written is in the file.
            logger.error("recorder: the disk does not finish within %.1f s", deadline)

    def _record(self) -> None:
        """Run on the recorder's thread until the channel is closed."""
        while True:
            try:
                self._check_room(stopped=False)
                with PartFile(self._folder, self._number, self._init) as file:
                    self._bytes += len(self._init)
                    self._report(OutputState.LIVE)
                    self._append_all(file)
            except FileExistsError:
                # Another broadcast's, and it stays so.
                self._number += 1
            except OSError as error:
                self._complain(error)
                # Whatever came of this file, the next one is another.
                self._number += 1
                if not self._wait_for_room():
                    self._report(OutputState.STOPPED, self._in_words(error))
                    return
                self._holes += 1
            else:
                self._report(OutputState.STOPPED, self._holes_in_words())
                return

    def _append_all(self, file: PartFile) -> None:
        packager = Packager(self._grid)
        while True:
            try:
                packet = self._channel.take()
            except ChannelClosedError:
                self._append(file, packager.flush(), last=True)
                return
            if self._channel.take_overflowed():
                # Whether `packet` is from before or after the hole is not known: it goes too.
                packager = Packager(self._grid)
                self._holes += 1
                self._report(OutputState.DEGRADED, self._holes_in_words())
            elif packet is not None:
                self._append(file, packager.put(packet))

    def _append(self, file: PartFile, parts: list[Part], *, last: bool = False) -> None:
        if not parts and not last:
            return
        self._bytes += file.write([part.data for part in parts], self._waiting_events())
        room = self._check_room(stopped=False)
        if any(self._ends_segment(part) for part in parts):
            words = [self._holes_in_words(), self._room_in_words() if room is Room.LOW else ""]
            state = OutputState.DEGRADED if room is Room.LOW else OutputState.LIVE
            self._report(state, " ".join(filter(None, words)))

    def _ends_segment(self, part: Part) -> bool:
        return self._grid.opens_segment(part.first_frame + self._grid.part_frames)

    def _waiting_events(self) -> list[bytes]:
        lines = []
        while (line := self._events.take(0)) is not None:
            lines.append(line)
        return lines

    def _check_room(self, *, stopped: bool) -> Room:
        """Raise _FullError when there is no room. Raises OSError."""
        disk = os.statvfs(self._folder)
        self._free = disk.f_bavail * disk.f_frsize
        room = judge(self._free, self._rate, stopped=stopped, limits=self._limits)
        if room is Room.FULL:
            message = "the disk is almost full"
            raise _FullError(0, message)
        return room

    def _wait_for_room(self) -> bool:
        """Drop what comes until it is worth another try; False when the programme has ended."""
        after = self._clock.monotonic() + _RETRY_SECONDS
        while True:
            try:
                self._channel.take(_RETRY_SECONDS)
            except ChannelClosedError:
                return False
            if self._clock.monotonic() < after:
                continue
            try:
                self._check_room(stopped=True)
            except OSError as error:
                logger.debug("recorder: still not: %s", error.strerror)
                after = self._clock.monotonic() + _RETRY_SECONDS
            else:
                self._channel.take_overflowed()
                return True

    def _holes_in_words(self) -> str:
        if not self._holes:
            return ""
        return f"The disk failed {self._holes} time(s); some seconds are missing."

    def _room_in_words(self) -> str:
        minutes = int((self._free or 0) / self._rate / _MINUTE)
        return f"The disk is almost full: room for {minutes} more minutes. Make room."

    def _in_words(self, error: OSError) -> str:
        return f"Recording has stopped: {error.strerror}."

    def _complain(self, error: OSError) -> None:
        logger.error("recorder: %s", error.strerror)
        words = f"Nothing is recorded now: {error.strerror}. It goes on when the disk takes it."
        self._report(OutputState.RETRYING, words)

    def _failed(self, error: Exception) -> None:
        """Tell of a fault of ours; the file up to here plays."""
        self._channel.close()
        self._report(OutputState.STOPPED, f"Recording has stopped: {error}.")

    def _report(self, state: OutputState, detail: str = "") -> None:
        report = RecordingReport(
            state=state,
            bytes=self._bytes,
            detail=detail,
            free_bytes=self._free,
            seconds_left=None if self._free is None else round(self._free / self._rate),
        )
        post(self._loop, self._on_report, report)
