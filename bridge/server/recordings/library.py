"""All recordings of this installation: a folder each, with a journal.

<folder>/<id>/recording.json            see `journal`
<folder>/<id>/programme-<n>.part.mp4    while recording: one per broadcast of the debate
<folder>/<id>/programme.mp4, ...        once ready: see `shelf`
<folder>/.<id>                          deleted, and not gone yet
"""

import asyncio
import base64
import logging
import secrets
import shutil
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bridge.clock import Clock
from bridge.errors import BridgeError, ConflictError, InputError, NotFoundError
from bridge.rooms.model import Room, Side
from bridge.server.recordings import derived, finisher, journal, shelf
from bridge.server.recordings.clip import ClipCutter
from bridge.server.recordings.journal import Journal
from bridge.server.recordings.model import (
    Access,
    ChapterMark,
    RecordingEntry,
    RecordingFile,
    RecordingState,
    part_number,
)
from bridge.server.recordings.seal import seal

logger = logging.getLogger(__name__)

_DAY_SECONDS: Final = 86_400
_RETENTION_EVERY: Final = 3600.0


class RecordingLibrary:
    """Opens, finishes, lists and finds recordings. Loop-side only.

    Finishing is background work, one recording at a time. A crash at any moment leaves a journal
    that is not "ready", and the next `start` does the rest.
    """

    def __init__(
        self,
        folder: Path,
        *,
        ffmpeg: str | None,
        clock: Clock,
        key: Ed25519PrivateKey | None = None,
        retention_days: int | None = None,
    ) -> None:
        """Make one; `key` signs what is finished, without it nothing is sealed."""
        self._folder = folder
        self._ffmpeg = ffmpeg
        self._clock = clock
        self._key = key
        self._retention_days = retention_days
        self._cutter = ClipCutter(ffmpeg)
        self._journals: dict[str, Journal] = {}
        self._shelves: dict[str, _Shelf] = {}
        """What is in the folders; read once, and when something is made."""
        self._progress: dict[str, float] = {}
        # Bounded by the number of recordings: each is queued once, when it begins to finish.
        self._queue: asyncio.Queue[str] = asyncio.Queue()
        self._tasks: tuple[asyncio.Task[None], ...] = ()
        self.on_deleted: Callable[[str], Awaitable[None]] = _nothing_else
        """Gets the room of a recording that has been deleted."""
        self.on_ready: Callable[[str], None] = _nobody_waits
        """Gets each recording that is ready and not copied yet."""

    async def start(self, on_air: Collection[str] = ()) -> None:
        """Read what is on the disk and begin to finish what a crash left.

        The debates in rooms `on_air` are about to go on: their recordings stay open.
        """
        self._journals = await asyncio.to_thread(self._read_all)
        for entry in self._journals.values():
            await self._look(entry)
        for entry in list(self._journals.values()):
            going_on = entry.state is RecordingState.RECORDING and entry.room in on_air
            if entry.state is not RecordingState.READY and not going_on:
                self._begin_to_finish(entry)
        self._tasks = (
            asyncio.create_task(self._finish_in_turn(), name="recordings-finisher"),
            asyncio.create_task(self._keep_no_longer(), name="recordings-retention"),
        )

    async def stop(self) -> None:
        """Leave unfinished what is not finished; the next `start` goes on. Idempotent."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = ()

    def open(self, room: Room) -> Path:
        """Return the folder that the room's broadcast records into, made if there is none.

        A broadcast that is started again gets the same folder until `finish`.
        Raises OSError when the folder cannot be made.
        """
        for entry in self._journals.values():
            if entry.room == room.id and entry.state is RecordingState.RECORDING:
                return self._folder / entry.id
        entry = Journal(
            id=_new_id(),
            room=room.id,
            motion=room.motion,
            names={side: room.name(side) for side in Side},
            started_at=self._clock.wall(),
        )
        folder = self._folder / entry.id
        folder.mkdir(mode=0o700, parents=True)
        journal.save(folder, entry)
        journal.sync_folder(self._folder)
        self._journals[entry.id] = entry
        return folder

    def next_number(self, folder: Path) -> int:
        """Return the number for the next broadcast that records into `folder`, from 1 on."""
        numbers = (part_number(path.name) for path in finisher.part_files(folder))
        return 1 + max((number for number in numbers if number is not None), default=0)

    def finish(self, room_id: str) -> None:
        """Begin to finish the room's recording, if one is open. Its broadcast must have ended."""
        for entry in list(self._journals.values()):
            if entry.room == room_id and entry.state is RecordingState.RECORDING:
                self._begin_to_finish(entry)

    def entries(self) -> list[RecordingEntry]:
        """All recordings, newest first."""
        newest_first = sorted(self._journals.values(), key=lambda entry: -entry.started_at)
        return [self._entry(entry) for entry in newest_first]

    def entry(self, recording: str) -> RecordingEntry:
        """Return one recording, whoever may see it. Raises NotFoundError."""
        return self._entry(self._journal(recording))

    def find(self, recording: str, file_name: str) -> RecordingFile:
        """Return a listed file. Raises NotFoundError for any other, whatever its name."""
        entry = self._journals.get(recording)
        for file in self._shelf(entry).files if entry else ():
            if file.name == file_name:
                return file
        raise _not_found()

    def withheld(self, room: str) -> bool:
        """Whether a debate that is over may be seen by its host alone."""
        of_room = [entry for entry in self._journals.values() if entry.room == room]
        return any(entry.access is Access.HOST for entry in of_room)

    def paths(self, recording: str) -> list[Path]:
        """Return all that can be downloaded of a recording; nothing when it is gone."""
        entry = self._journals.get(recording)
        return [file.path for file in self._shelf(entry).files] if entry else []

    async def note_copy(self, recording: str) -> None:
        """Note that its copy in another place is complete. Raises OSError."""
        entry = self._journals.get(recording)
        if entry is not None:
            await self._settle(self._folder / recording, entry.model_copy(update={"copied": True}))

    async def change(
        self, recording: str, *, title: str | None = None, access: Access | None = None
    ) -> RecordingEntry:
        """Rename a recording, or let others see it. Raises NotFoundError, OSError."""
        given = {"title": title, "access": access}
        update = {name: value for name, value in given.items() if value is not None}
        entry = self._journal(recording).model_copy(update=update)
        await self._settle(self._folder / recording, entry)
        return self._entry(entry)

    async def delete(self, recording: str) -> None:
        """Remove a recording with all its files, and what players had of the debate.

        Raises NotFoundError, ConflictError while it is recorded or finished, OSError.
        """
        entry = self._journal(recording)
        if entry.state in {RecordingState.RECORDING, RecordingState.FINISHING}:
            message = "This recording is still being made. Wait until it is ready."
            raise ConflictError(message, code="recording_unfinished")
        gone = self._folder / f".{recording}"
        # The new name first: half a recording must never be listed.
        await asyncio.to_thread((self._folder / recording).rename, gone)
        del self._journals[recording]
        self._shelves.pop(recording, None)
        await asyncio.to_thread(shutil.rmtree, gone, ignore_errors=True)
        logger.info("recordings: %s is deleted", recording)
        await self.on_deleted(entry.room)

    async def cut(
        self, recording: str, begin: Fraction, end: Fraction, *, exact: bool
    ) -> RecordingFile:
        """Return a clip, in seconds. Raises what `ClipCutter.cut` raises, and NotFoundError."""
        entry = self._journal(recording)
        if entry.state is not RecordingState.READY:
            message = "This recording is not ready yet."
            raise ConflictError(message, code="recording_unfinished")
        path = await self._cutter.cut(self._folder / recording, begin, end, exact=exact)
        await self._look(entry)
        return self.find(recording, path.name)

    async def wait_idle(self) -> None:
        """Return when nothing waits to be finished."""
        await self._queue.join()

    def _read_all(self) -> dict[str, Journal]:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = {}
        for folder in self._folder.iterdir():
            if not folder.is_dir():
                continue
            if folder.name.startswith("."):
                # A crash in the middle of a deletion.
                shutil.rmtree(folder, ignore_errors=True)
                continue
            try:
                entry = journal.load(folder)
            except InputError as error:
                logger.warning("recordings: %s; left alone", error.message)
                continue
            if entry.id != folder.name:
                logger.warning("recordings: %s is another recording's folder", folder.name)
                continue
            if entry.state is RecordingState.READY:
                # A crash between "ready" and the removal of the parts left them.
                finisher.drop_parts(folder)
            found[entry.id] = entry
        return found

    def _begin_to_finish(self, entry: Journal) -> None:
        changes = {"state": RecordingState.FINISHING, "reason": ""}
        self._journals[entry.id] = entry.model_copy(update=changes)
        self._queue.put_nowait(entry.id)

    async def _finish_in_turn(self) -> None:
        await self._derive_missing()
        while True:
            recording = await self._queue.get()
            try:
                await self._finish_one(recording)
            except OSError:
                # The journal itself could not be written: the disk. The next start tries again.
                logger.exception("recordings: %s is left as it is", recording)
            finally:
                self._queue.task_done()

    async def _derive_missing(self) -> None:
        """Make what earlier versions did not make, or a crash left out, beside finished films."""
        for entry in list(self._journals.values()):
            folder = self._folder / entry.id
            if entry.state is not RecordingState.READY:
                continue
            if await asyncio.to_thread(derived.missing, folder):
                await derived.derive(folder, self._ffmpeg)
                await self._look(entry)
            if not entry.copied:
                self.on_ready(entry.id)

    async def _finish_one(self, recording: str) -> None:
        folder = self._folder / recording
        entry = self._journals[recording]
        await asyncio.to_thread(journal.save, folder, entry)
        try:
            duration = await finisher.finish(
                folder, self._ffmpeg, on_progress=partial(self._progress.__setitem__, recording)
            )
        except (BridgeError, OSError) as error:
            reason = error.message if isinstance(error, BridgeError) else str(error.strerror)
            logger.warning("recordings: %s is not finished: %s", recording, reason)
            failed = {"state": RecordingState.FAILED, "reason": reason}
            await self._settle(folder, entry.model_copy(update=failed))
            return
        finally:
            self._progress.pop(recording, None)
        await derived.derive(folder, self._ffmpeg)
        await self._seal(folder, entry)
        ready = {"state": RecordingState.READY, "duration": duration}
        # As it is now: its host may have renamed it meanwhile.
        await self._settle(folder, self._journals[recording].model_copy(update=ready))
        await asyncio.to_thread(finisher.drop_parts, folder)
        self.on_ready(recording)
        logger.info("recordings: %s is ready, %.1f s", recording, duration)

    async def _seal(self, folder: Path, entry: Journal) -> None:
        """Sign what was recorded; a recording that cannot be sealed is a recording all the same."""
        if self._key is None:
            return
        try:
            await asyncio.to_thread(seal, folder, entry, self._key)
        except (BridgeError, OSError):
            logger.exception("recordings: %s is not sealed", entry.id)

    async def _keep_no_longer(self) -> None:
        """Delete what is older than it may be, once an hour."""
        while self._retention_days is not None:
            oldest = self._clock.wall() - self._retention_days * _DAY_SECONDS
            for entry in list(self._journals.values()):
                over = entry.started_at + (entry.duration or 0.0)
                if over < oldest and entry.state in {RecordingState.READY, RecordingState.FAILED}:
                    logger.info("recordings: %s is older than it may be", entry.id)
                    await self._delete_quietly(entry.id)
            await asyncio.sleep(_RETENTION_EVERY)

    async def _delete_quietly(self, recording: str) -> None:
        try:
            await self.delete(recording)
        except (BridgeError, OSError):
            logger.exception("recordings: %s cannot be deleted", recording)

    async def _settle(self, folder: Path, entry: Journal) -> None:
        """Disk first: what is listed as ready must survive a crash."""
        try:
            await asyncio.to_thread(journal.save, folder, entry)
        finally:
            self._journals[entry.id] = entry
            await self._look(entry)

    async def _look(self, entry: Journal) -> None:
        self._shelves[entry.id] = await asyncio.to_thread(_read_shelf, self._folder, entry)

    def _shelf(self, entry: Journal) -> "_Shelf":
        return self._shelves.get(entry.id, _EMPTY)

    def _journal(self, recording: str) -> Journal:
        entry = self._journals.get(recording)
        if entry is None:
            raise _not_found()
        return entry

    def _entry(self, entry: Journal) -> RecordingEntry:
        found = self._shelf(entry)
        return RecordingEntry(
            id=entry.id,
            room=entry.room,
            motion=entry.motion,
            title=entry.title or entry.motion,
            access=entry.access,
            names=dict(entry.names),
            started_at=entry.started_at,
            duration=entry.duration,
            state=entry.state,
            progress=self._progress.get(entry.id),
            reason=entry.reason,
            files=found.files,
            chapters=found.chapters,
        )


@dataclass(frozen=True, slots=True)
class _Shelf:
    files: tuple[RecordingFile, ...] = ()
    chapters: tuple[ChapterMark, ...] = ()


_EMPTY: Final = _Shelf()


def _read_shelf(folder: Path, entry: Journal) -> _Shelf:
    own = folder / entry.id
    ready = entry.state is RecordingState.READY
    return _Shelf(shelf.files(own, entry.state), shelf.chapters(own) if ready else ())


def _nobody_waits(_recording: str) -> None:
    """Stand in until somebody wants to know."""


async def _nothing_else(_room: str) -> None:
    """Stand in until somebody wants to know."""


def _not_found() -> NotFoundError:
    message = "There is no such recording."
    return NotFoundError(message, code="recording_not_found")


def _new_id() -> str:
    """128 random bits in 26 lower-case letters and digits: the address is the permission."""
    return base64.b32encode(secrets.token_bytes(16)).decode().rstrip("=").lower()
