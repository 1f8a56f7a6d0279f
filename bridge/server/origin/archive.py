"""The whole of a programme on the disk: for rewinding while it is live, and afterwards."""

import asyncio
import logging
from collections.abc import Sequence
from pathlib import Path

from bridge.server.origin import take as takes_on_disk
from bridge.server.origin.archive_writer import Append, ArchiveWriter, Begin, Done, End
from bridge.server.origin.segments import PerRendition, Segment, Session
from bridge.server.origin.take import Take, TakeHeader

logger = logging.getLogger(__name__)


class ProgrammeArchive:
    """One programme's takes. Loop-side only, but for `load` and `restore`, which block.

    Takes begin with a segment. Whatever goes wrong with the disk ends the take; with the next
    segment another is tried, behind a discontinuity.
    """

    def __init__(self, folder: Path, writer: ArchiveWriter) -> None:
        self._folder = folder
        self._writer = writer
        self._takes: list[Take] = []
        self._open: Take | None = None
        self._queued = 0
        """Parts of the open take that have been ordered."""
        self._trouble = ""
        self._ending = False
        self.ended = False
        """Whether there is all that there will ever be."""
        self.version = 0
        """Grows with everything that a playlist could show."""

    def load(self, *, ended: bool) -> None:
        """Read what an earlier life of the server has left. Blocking."""
        self._takes = takes_on_disk.takes(self._folder)
        self.ended = ended
        self.version += 1

    def restore(self, count: int) -> tuple[list[Segment], int]:
        """Return the last `count` segments, and how many discontinuities lie before. Blocking."""
        segments: list[Segment] = []
        before = max(0, len(self._takes) - 1)
        for take in reversed(self._takes):
            first = max(0, take.segments(over=True) - (count - len(segments)))
            found = list(take.restore(first))
            if segments and (not found or found[-1].msn + 1 != segments[0].msn):
                # Something in between has not reached the disk: numbers may not jump.
                break
            if segments and found:
                segments[0].discontinuity = True
                before -= 1
            segments[:0] = found
            if first or len(segments) >= count:
                break
        return segments, before

    @property
    def takes(self) -> Sequence[tuple[Take, int]]:
        """Every take with a complete segment, and how many it has; oldest first."""
        counted = [(take, take.segments(over=take.over)) for take in self._takes]
        return [(take, count) for take, count in counted if count]

    @property
    def session(self) -> Session | None:
        """The newest session of which there is something."""
        return self._takes[-1].session if self._takes else None

    def append(self, segment: Segment, part: int, data: PerRendition) -> None:
        """Order part number `part`, which belongs to `segment`, to be written. Never blocks."""
        take = self._open
        if take is not None and (
            take.session is not segment.session or part != take.first_part + self._queued
        ):
            self._close()
            take = None
        if take is None:
            if part != segment.first_part:
                return
            take = self._begin(segment)
        if not self._writer.put(Append(self, take, data)):
            self._fail("the disk is too slow")
            return
        self._queued += 1

    def end(self) -> None:
        """Nothing more comes; `ended` once all of it is on the disk."""
        self._ending = True
        if self._open is not None:
            self._close()
        elif all(take.over for take in self._takes):
            self.ended = True
            self.version += 1

    def done(self, done: Done) -> None:
        """Take note of what the writer has done."""
        take = done.order.take
        take.over = done.error is not None or isinstance(done.order, End)
        self.ended = self.ended or (self._ending and take.over)
        self.version += 1
        if done.error is not None:
            if take is self._open:
                self._fail(done.error.strerror or str(done.error))
            return
        match done.order:
            case Begin():
                self._takes.append(take)
            case Append(_, _, parts):
                take.wrote(tuple(len(part) for part in parts))
                if self._trouble:
                    logger.info("archive: %s goes on", self._folder.name)
                    self._trouble = ""
            case End():
                pass

    async def read(self, session: str, rendition: str, number: int) -> bytes | None:
        """Bytes of a segment, None when it is not here. Raises OSError."""
        for take in self._takes:
            index = number - take.header.first_number
            position = take.session.position_of(rendition)
            if take.session.name != session or position is None:
                continue
            if take.place(position, index) is not None:
                return await asyncio.to_thread(take.read, position, index)
        return None

    def find_init(self, session: str, rendition: str) -> bytes | None:
        """Init section of a session, None when it is not here."""
        for take in self._takes:
            position = take.session.position_of(rendition)
            if take.session.name == session and position is not None:
                return take.session.init[position]
        return None

    def _begin(self, segment: Segment) -> Take:
        header = TakeHeader(
            session=segment.session.name,
            description=segment.session.description,
            first_msn=segment.msn,
            first_number=segment.number,
        )
        folder = self._folder / f"{segment.msn:012d}-{segment.session.name}"
        self._open = Take.begin(folder, header, segment.session)
        self._queued = 0
        self._writer.put(Begin(self, self._open))
        return self._open

    def _close(self) -> None:
        if self._open is not None:
            self._writer.put(End(self, self._open))
            self._open = None

    def _fail(self, reason: str) -> None:
        if reason != self._trouble:
            logger.warning("archive: %s cannot be rewound from here: %s", self._folder.name, reason)
            self._trouble = reason
        self._close()
