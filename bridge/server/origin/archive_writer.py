"""The one thread that writes every programme's takes to the disk.

    loop --put--> channel (64 MiB, REFUSE) --> thread: one os.write per part and rendition

A disk that is slow or full costs the rewind, never the live window: what does not fit is refused,
and its take ends there. Nothing is fsynced: `kill -9` loses nothing that was written, and against
a power cut there is the recording.
"""

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from bridge.concurrency.channel import Channel, Overflow
from bridge.concurrency.worker import Worker
from bridge.errors import ChannelClosedError
from bridge.server.origin.segments import PerRendition
from bridge.server.origin.take import TAKE_FILE, Take

logger = logging.getLogger(__name__)

_QUEUED_BYTES: Final = 64 * 1024 * 1024
_STOP_SECONDS: Final = 5.0


class _Told(Protocol):
    def done(self, done: "Done") -> None: ...


@dataclass(frozen=True, slots=True)
class Begin:
    """Make the folder of `take` and the files with their init sections."""

    archive: _Told
    take: Take


@dataclass(frozen=True, slots=True)
class Append:
    """Append a part to each file of `take`."""

    archive: _Told
    take: Take
    parts: PerRendition


@dataclass(frozen=True, slots=True)
class End:
    """Close the files of `take`."""

    archive: _Told
    take: Take


Order = Begin | Append | End


@dataclass(frozen=True, slots=True)
class Done:
    """An order has been carried out, or, with an error, the take is over.

    Whoever gets one passes it on to `order.archive`, on the loop.
    """

    order: Order
    error: OSError | None = None


class ArchiveWriter:
    """Carries out orders one by one and tells of each; `on_done` is called on its thread."""

    def __init__(self, on_done: Callable[[Done], None]) -> None:
        self._on_done = on_done
        self._channel: Channel[Order] = Channel(_QUEUED_BYTES, Overflow.REFUSE, size=_size)
        self._worker = Worker("archive-writer", self._run)
        self._files: dict[Path, list[int]] = {}

    def start(self) -> None:
        """Start the thread. Once."""
        self._worker.start()

    def put(self, order: Order) -> bool:
        """Queue an order; False when the disk is too far behind. Never blocks."""
        return self._channel.put(order)

    def stop(self) -> None:
        """Write what is queued and close. Blocking; idempotent."""
        self._channel.close()
        if not self._worker.join(_STOP_SECONDS):
            logger.error("archive: the disk does not take what is queued; left behind")

    def _run(self) -> None:
        try:
            while (order := self._channel.take()) is not None:
                self._on_done(self._carry_out(order))
        except ChannelClosedError:
            pass
        finally:
            for folder in list(self._files):
                self._close(folder)

    def _carry_out(self, order: Order) -> Done:
        folder = order.take.folder
        try:
            match order:
                case Begin(_, take):
                    self._begin(take)
                case Append(_, _, parts):
                    self._append(folder, parts)
                case End():
                    self._close(folder)
        except OSError as error:
            self._close(folder)
            return Done(order, error)
        return Done(order)

    def _begin(self, take: Take) -> None:
        folder = take.folder
        folder.mkdir(parents=True, mode=0o700)
        (folder / TAKE_FILE).write_text(take.header.model_dump_json())
        files = self._files[folder] = []
        for position, init in enumerate(take.session.init):
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND
            files.append(os.open(take.file(position), flags, 0o600))
            _write(files[-1], init)

    def _append(self, folder: Path, parts: PerRendition) -> None:
        files = self._files.get(folder)
        if files is None:
            # An order behind the failed one.
            message = "this take is over"
            raise OSError(message)
        for file, part in zip(files, parts, strict=True):
            _write(file, part)

    def _close(self, folder: Path) -> None:
        for file in self._files.pop(folder, ()):
            os.close(file)


def _write(file: int, data: bytes | memoryview) -> None:
    """Write all of `data`: in one call, unless the disk is just filling up."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(file, rest) :]


def _size(order: Order) -> float:
    return sum(len(part) for part in order.parts) if isinstance(order, Append) else 0
