"""The files of one part of a recording: its fragments, its events, and the chain of both."""

import os
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Final, Literal, Self

from bridge.protocol.chain import Chain, chain_file_name, line_of
from bridge.protocol.events import events_file_name

_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND


def part_file_name(number: int) -> str:
    """Name of the file that broadcast `number` of a debate (1, 2, ...) appends to."""
    return f"programme-{number}.part.mp4"


class PartFile:
    """Three files that grow together. What `write` has returned from is on the disk.

    One thread. Made exclusively: two broadcasts must never write into each other's file. Raises
    OSError in every call.
    """

    def __init__(self, folder: Path, number: int, init: bytes) -> None:
        self.path = folder / part_file_name(number)
        self.number = number
        self._chain = Chain()
        self._offset = 0
        self._events_offset = 0
        self._files: list[int] = []
        try:
            names = (self.path.name, events_file_name(number), chain_file_name(number))
            self._files += (os.open(folder / name, _NEW, 0o600) for name in names)
            self._parts, self._events, self._links = self._files
            self._append("init", init)
        except OSError:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def write(self, parts: Iterable[bytes], events: Iterable[bytes]) -> int:
        """Append fragments and lines of the event log, and bring them to the disk.

        Returns how many bytes the recording has grown by.
        """
        before = self._offset
        for part in parts:
            self._append("part", part)
        lines = list(events)
        for line in lines:
            _write_all(self._events, line)
            link = self._chain.add("event", self._events_offset, line)
            _write_all(self._links, line_of(link))
            self._events_offset += len(line)
        if self._offset != before:
            os.fdatasync(self._parts)
        if lines:
            os.fdatasync(self._events)
        # The chain is only as good as what it is about: last, and torn lines of it do not count.
        os.fdatasync(self._links)
        return self._offset - before

    def close(self) -> None:
        """Idempotent."""
        files, self._files = self._files, []
        for file in files:
            os.close(file)

    def _append(self, of: Literal["init", "part"], data: bytes) -> None:
        _write_all(self._parts, data)
        _write_all(self._links, line_of(self._chain.add(of, self._offset, data)))
        self._offset += len(data)


def _write_all(file: int, data: bytes) -> None:
    """Write all of `data`: in one call, unless the disk is just filling up."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(file, rest) :]
