"""All programmes that this server holds, by name."""

import asyncio
import logging
import shutil
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Final

from bridge.clock import Clock
from bridge.errors import NotFoundError
from bridge.protocol.upload import ProgrammeDescription
from bridge.server.origin.archive import ProgrammeArchive
from bridge.server.origin.archive_writer import ArchiveWriter, Done
from bridge.server.origin.live import LiveProgramme
from bridge.server.origin.texts import ArchiveTexts
from bridge.server.origin.window import MediaWindow

logger = logging.getLogger(__name__)

_KEPT_AFTER_END: Final = 300.0
"""Seconds for which the last window of an ended programme stays, for players that come late."""
_ARCHIVES_KEPT: Final = 32
"""Indices of programmes that are over; each is some hundred kilobytes an hour."""
_EPOCH: Final = 1_577_836_800
"""2020-01-01: sequence numbers stay below 2**31, which is all that some players can count."""
_GOES_ON_SECONDS: Final = 60.0
"""A window this old is not gone on with: nobody waits any more, and whether the disk had all of it
is not known."""


class Origin:
    """Finds, makes, ends and forgets programmes. Loop-side only.

    `folder` is where programmes are written down; None: they cannot be rewound, and after a restart
    they begin anew. A programme that is over and `withheld` is there for nobody.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        listed: int,
        folder: Path | None = None,
        withheld: Callable[[str], bool] = lambda _name: False,
    ) -> None:
        self._clock = clock
        self._listed = listed
        self._folder = folder
        self._withheld = withheld
        self._programmes: dict[str, LiveProgramme] = {}
        self._forgetting: dict[str, asyncio.TimerHandle] = {}
        self._loading: dict[str, asyncio.Task[ProgrammeArchive | None]] = {}
        self._archives: OrderedDict[str, ProgrammeArchive] = OrderedDict()
        self._texts: OrderedDict[ProgrammeArchive, ArchiveTexts] = OrderedDict()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._writer = ArchiveWriter(self._wrote)

    def start(self) -> None:
        """Begin to write programmes down. Once."""
        self._loop = asyncio.get_running_loop()
        self._writer.start()

    async def stop(self) -> None:
        """Bring what is queued to the disk. Idempotent."""
        await asyncio.to_thread(self._writer.stop)

    def wall(self) -> float:
        """Seconds since the epoch, by the clock that programmes are dated with."""
        return self._clock.wall()

    def find(self, name: str) -> LiveProgramme:
        """Raise NotFoundError unless there is such a programme with something to play."""
        programme = self._programmes.get(name)
        if programme is None or not programme.ready:
            message = "There is no such programme on air."
            raise NotFoundError(message)
        return programme

    def get(self, name: str) -> LiveProgramme | None:
        """Return the programme, also before its first part."""
        return self._programmes.get(name)

    def open(self, name: str, description: ProgrammeDescription) -> LiveProgramme:
        """Return the programme, made if need be; one that has ended is begun anew."""
        known = self._programmes.get(name)
        if known is not None and not known.window.ended:
            return known
        first = self._first_msn(description)
        if known is not None:
            first = max(first, known.window.next_msn)
            self._cancel_forgetting(name)
        archive = self._new_archive(name)
        self._programmes[name] = LiveProgramme(MediaWindow(first, self._listed), archive)
        return self._programmes[name]

    async def restore(self, name: str) -> None:
        """Go on with a programme that was on air when the server went away.

        Its sequence numbers go on, and players find the window that they know. Nothing happens
        when it was not written down.
        """
        archive = self._new_archive(name)
        if archive is None:
            return
        await asyncio.to_thread(archive.load, ended=False)
        session = archive.session
        if session is None or session.next_part is None:
            return
        segments, discontinuities = await asyncio.to_thread(archive.restore, 2 * self._listed)
        window = MediaWindow(self._first_msn(session.description), self._listed)
        if self._clock.wall() - session.wall(session.next_part) < _GOES_ON_SECONDS:
            window.restore(segments, discontinuities)
        else:
            window.restore((), discontinuities + 1)
        self._programmes[name] = LiveProgramme(window, archive)
        logger.info("programme %s goes on at %d", name, window.next_msn)

    def end(self, name: str) -> None:
        """End a programme that may have been left without an end; idempotent."""
        programme = self._programmes.get(name)
        if programme is None:
            return
        if not programme.window.ended:
            logger.info("programme %s ends", name)
        programme.end()
        if name not in self._forgetting:
            loop = asyncio.get_running_loop()
            self._forgetting[name] = loop.call_later(_KEPT_AFTER_END, self._forget, name)

    def close(self) -> None:
        """Answer all held requests; for the server's own end."""
        for programme in self._programmes.values():
            programme.release()
        for name in list(self._forgetting):
            self._cancel_forgetting(name)

    def withholds(self, name: str) -> bool:
        """Whether a programme is over and its host shows it to nobody."""
        programme = self._programmes.get(name)
        return (programme is None or programme.ended) and self._withheld(name)

    async def archive(self, name: str) -> ProgrammeArchive | None:
        """Return what is written down of a programme, live or over; None when nothing is."""
        if self.withholds(name):
            return None
        programme = self._programmes.get(name)
        if programme is not None:
            return programme.archive
        if name in self._archives:
            self._archives.move_to_end(name)
            return self._archives[name]
        loading = self._loading.get(name)
        if loading is None:
            loading = self._loading[name] = asyncio.create_task(self._load(name))
        return await asyncio.shield(loading)

    async def delete(self, name: str) -> None:
        """Remove what is written down of a programme that is over. Raises OSError."""
        programme = self._programmes.get(name)
        if self._folder is None or (programme is not None and not programme.ended):
            return
        self._cancel_forgetting(name)
        self._programmes.pop(name, None)
        self._archives.pop(name, None)
        await asyncio.to_thread(shutil.rmtree, self._folder / name, ignore_errors=True)

    def texts(self, archive: ProgrammeArchive) -> ArchiveTexts:
        """Playlists and manifest of an archive."""
        texts = self._texts.get(archive)
        if texts is None:
            texts = self._texts[archive] = ArchiveTexts(archive)
            while len(self._texts) > _ARCHIVES_KEPT:
                self._texts.popitem(last=False)
        self._texts.move_to_end(archive)
        return texts

    def _first_msn(self, description: ProgrammeDescription) -> int:
        """Where a programme begins to count that is not known to have counted before.

        In parts of wall clock: a segment has at least one part, so that no earlier life of this
        programme has come as far. Never 0, which old players take for "none".
        """
        return 1 + int((self._clock.wall() - _EPOCH) / description.part_duration)

    def _new_archive(self, name: str) -> ProgrammeArchive | None:
        # A rehearsal's name has the room's and a secret: it is nobody's later.
        if self._folder is None or "-" in name:
            return None
        self._archives.pop(name, None)
        return ProgrammeArchive(self._folder / name, self._writer)

    async def _load(self, name: str) -> ProgrammeArchive | None:
        archive = self._new_archive(name)
        try:
            if archive is not None:
                await asyncio.to_thread(archive.load, ended=True)
        finally:
            self._loading.pop(name, None)
        if archive is None or archive.session is None:
            return None
        self._archives[name] = archive
        while len(self._archives) > _ARCHIVES_KEPT:
            self._archives.popitem(last=False)
        return archive

    def _wrote(self, done: Done) -> None:
        """Pass on what the writer did. On its thread."""
        if self._loop is None:
            return
        try:
            self._loop.call_soon_threadsafe(self._note, done)
        except RuntimeError:
            # The loop is over; the disk has it, and that is what counts now.
            if not self._loop.is_closed():
                raise

    def _note(self, done: Done) -> None:
        done.order.archive.done(done)

    def _forget(self, name: str) -> None:
        self._forgetting.pop(name, None)
        programme = self._programmes.pop(name, None)
        if programme is not None and programme.archive is not None and programme.archive.ended:
            self._archives[name] = programme.archive

    def _cancel_forgetting(self, name: str) -> None:
        handle = self._forgetting.pop(name, None)
        if handle is not None:
            handle.cancel()
