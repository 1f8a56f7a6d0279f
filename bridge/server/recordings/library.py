"""All recordings of this installation: a folder each, with a journal.

<folder>/<id>/recording.json            see `journal`
<folder>/<id>/programme-<n>.part.mp4    while recording: one per broadcast of the debate
<folder>/<id>/programme.mp4             once ready
"""

import asyncio
import base64
import logging
import secrets
from collections.abc import Collection
from pathlib import Path

from bridge.clock import Clock
from bridge.errors import BridgeError, InputError, NotFoundError
from bridge.rooms.model import Room, Side
from bridge.server.recordings import derived, finisher, journal
from bridge.server.recordings.journal import Journal
from bridge.server.recordings.model import (
    PROGRAMME_FILE,
    RecordingEntry,
    RecordingFile,
    RecordingState,
    part_number,
)

logger = logging.getLogger(__name__)


class RecordingLibrary:
    """Opens, finishes, lists and finds recordings. Loop-side only.

    Finishing is background work, one recording at a time. A crash at any moment leaves a journal
    that is not "ready", and the next `start` does the rest.
    """

    def __init__(self, folder: Path, *, ffmpeg: str | None, clock: Clock) -> None:
        self._folder = folder
        self._ffmpeg = ffmpeg
        self._clock = clock
        self._journals: dict[str, Journal] = {}
        # Bounded by the number of recordings: each is queued once, when it begins to finish.
        self._queue: asyncio.Queue[str] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    async def start(self, on_air: Collection[str] = ()) -> None:
        """Read what is on the disk and begin to finish what a crash left.

        The debates in rooms `on_air` are about to go on: their recordings stay open.
        """
        self._journals = await asyncio.to_thread(self._read_all)
        for entry in list(self._journals.values()):
            going_on = entry.state is RecordingState.RECORDING and entry.room in on_air
            if entry.state is not RecordingState.READY and not going_on:
                self._begin_to_finish(entry)
        self._task = asyncio.create_task(self._finish_in_turn(), name="recordings-finisher")

    async def stop(self) -> None:
        """Leave unfinished what is not finished; the next `start` goes on. Idempotent."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

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

    def find(self, recording: str, file_name: str) -> Path:
        """Path of a listed file. Raises NotFoundError for any other, whatever its name."""
        entry = self._journals.get(recording)
        for file in self._files(entry) if entry else ():
            if file.name == file_name:
                return file.path
        message = "There is no such recording."
        raise NotFoundError(message, code="recording_not_found")

    async def wait_idle(self) -> None:
        """Return when nothing waits to be finished."""
        await self._queue.join()

    def _read_all(self) -> dict[str, Journal]:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = {}
        for folder in self._folder.iterdir():
            if not folder.is_dir():
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
        while True:
            recording = await self._queue.get()
            try:
                await self._finish_one(recording)
            except OSError:
                # The journal itself could not be written: the disk. The next start tries again.
                logger.exception("recordings: %s is left as it is", recording)
            finally:
                self._queue.task_done()

    async def _finish_one(self, recording: str) -> None:
        folder = self._folder / recording
        entry = self._journals[recording]
        await asyncio.to_thread(journal.save, folder, entry)
        try:
            duration = await finisher.finish(folder, self._ffmpeg, on_progress=_ignore_progress)
        except (BridgeError, OSError) as error:
            reason = error.message if isinstance(error, BridgeError) else str(error.strerror)
            logger.warning("recordings: %s is not finished: %s", recording, reason)
            failed = {"state": RecordingState.FAILED, "reason": reason}
            await self._settle(folder, entry.model_copy(update=failed))
            return
        await derived.derive(folder, self._ffmpeg)
        ready = {"state": RecordingState.READY, "duration": duration}
        await self._settle(folder, entry.model_copy(update=ready))
        await asyncio.to_thread(finisher.drop_parts, folder)
        logger.info("recordings: %s is ready, %.1f s", recording, duration)

    async def _settle(self, folder: Path, entry: Journal) -> None:
        """Disk first: what is listed as ready must survive a crash."""
        try:
            await asyncio.to_thread(journal.save, folder, entry)
        finally:
            self._journals[entry.id] = entry

    def _entry(self, entry: Journal) -> RecordingEntry:
        return RecordingEntry(
            id=entry.id,
            room=entry.room,
            motion=entry.motion,
            names=dict(entry.names),
            started_at=entry.started_at,
            duration=entry.duration,
            state=entry.state,
            reason=entry.reason,
            files=self._files(entry),
        )

    def _files(self, entry: Journal) -> tuple[RecordingFile, ...]:
        folder = self._folder / entry.id
        if entry.state is RecordingState.READY:
            paths = [folder / PROGRAMME_FILE]
        elif entry.state is RecordingState.FAILED and folder.is_dir():
            paths = finisher.part_files(folder)
        else:
            paths = []
        return tuple(
            RecordingFile(kind="programme", name=path.name, path=path, bytes=path.stat().st_size)
            for path in paths
            if path.is_file()
        )


def _ignore_progress(done: float) -> None:
    """Stand in until the list shows it."""


def _new_id() -> str:
    """128 random bits in 26 lower-case letters and digits: the address is the permission."""
    return base64.b32encode(secrets.token_bytes(16)).decode().rstrip("=").lower()
