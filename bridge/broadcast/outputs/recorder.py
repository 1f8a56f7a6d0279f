"""The recording as it is made: one growing file of parts that a crash cannot spoil.

    encoder --put--> channel (10 s, CLEAR) --> thread: packager, one os.write per part

`kill -9` loses at most the part that is being made; a power cut, what came after the last segment.
Turning the file into an ordinary MP4 is the server's work, after the debate.
"""

import asyncio
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from bridge.broadcast.media.packets import CodecParameters, EncodedPacket, Grid
from bridge.broadcast.outputs import fmp4
from bridge.broadcast.outputs.feed import packet_channel, post
from bridge.broadcast.outputs.packager import Packager, Part
from bridge.concurrency.worker import Worker
from bridge.errors import ChannelClosedError
from bridge.protocol.messages import OutputState, RecordingReport

logger = logging.getLogger(__name__)

_CHANNEL_SECONDS: Final = 10.0

ReportListener = Callable[[RecordingReport], None]
"""Loop-side."""


def part_file_name(number: int) -> str:
    """Name of the file that broadcast `number` of a debate (1, 2, ...) appends to."""
    return f"programme-{number}.part.mp4"


class RecordingOutput:
    """An `Output` that appends to a file; whatever happens to the disk, the programme goes on.

    After an overflow the same file goes on with the next segment: its fragments carry absolute
    times, so that the hole is a hole and nothing shifts. After an OSError (disk full, folder gone)
    recording is over, and the report says why.
    """

    def __init__(
        self,
        folder: Path,
        number: int,
        *,
        parameters: CodecParameters,
        grid: Grid,
        on_report: ReportListener,
    ) -> None:
        self.name = "recording"
        self.path = folder / part_file_name(number)
        self._grid = grid
        self._init = fmp4.init_segment(parameters)
        self._on_report = on_report
        self._channel = packet_channel(_CHANNEL_SECONDS)
        self._worker = Worker("recorder", self._record, on_failure=self._failed)
        self._bytes = 0
        self._holes = 0
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> None:
        """Begin. Loop-side only, once."""
        self._loop = asyncio.get_running_loop()
        self._worker.start()

    def put(self, packet: EncodedPacket) -> None:
        """Take a packet. Encoder thread; never blocks."""
        self._channel.put(packet)

    async def stop(self, deadline: float) -> None:
        """Write what is queued, sync and close. Loop-side only; idempotent."""
        self._channel.close()
        if not await asyncio.to_thread(self._worker.join, deadline):
            # A disk that hangs in fdatasync cannot be hurried; what was written is in the file.
            logger.error("recorder: %s is not closed after %.1f s", self.path.name, deadline)

    def _record(self) -> None:
        """Run on the recorder's thread until the channel is closed."""
        try:
            # Exclusive: two broadcasts of one debate must never write into each other's file.
            file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        except OSError as error:
            self._give_up(error)
            return
        try:
            self._write(file, self._init)
            self._report(OutputState.LIVE)
            self._append_all(file)
            os.fsync(file)
        except OSError as error:
            self._give_up(error)
        else:
            self._report(OutputState.STOPPED, self._holes_in_words())
        finally:
            os.close(file)

    def _append_all(self, file: int) -> None:
        packager = Packager(self._grid)
        while True:
            try:
                packet = self._channel.take()
            except ChannelClosedError:
                self._append(file, packager.flush())
                return
            if self._channel.take_overflowed():
                # Whether `packet` is from before or after the hole is not known: it goes too.
                packager = Packager(self._grid)
                self._holes += 1
                self._report(OutputState.DEGRADED, self._holes_in_words())
            elif packet is not None:
                self._append(file, packager.put(packet))

    def _append(self, file: int, parts: list[Part]) -> None:
        for part in parts:
            self._write(file, part.data)
            if self._grid.opens_segment(part.first_frame + self._grid.part_frames):
                os.fdatasync(file)
                self._report(OutputState.LIVE, self._holes_in_words())

    def _write(self, file: int, data: bytes) -> None:
        """Write all of `data`: in one call, unless the disk is just filling up."""
        rest = memoryview(data)
        while rest:
            written = os.write(file, rest)
            self._bytes += written
            rest = rest[written:]

    def _holes_in_words(self) -> str:
        if not self._holes:
            return ""
        return f"The disk was too slow {self._holes} time(s); some seconds are missing."

    def _give_up(self, error: OSError) -> None:
        logger.error("recorder: %s: %s", self.path.name, error.strerror)
        self._channel.close()
        self._report(OutputState.STOPPED, f"Recording has stopped: {error.strerror}.")

    def _failed(self, error: Exception) -> None:
        """Tell of a fault of ours; the file up to here plays."""
        self._channel.close()
        self._report(OutputState.STOPPED, f"Recording has stopped: {error}.")

    def _report(self, state: OutputState, detail: str = "") -> None:
        report = RecordingReport(state=state, bytes=self._bytes, detail=detail)
        post(self._loop, self._on_report, report)
