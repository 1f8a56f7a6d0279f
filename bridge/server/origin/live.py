"""A programme as players meet it live: playlists rendered once per version, requests that wait."""

import asyncio
import secrets
from fractions import Fraction
from math import ceil
from typing import Final

from bridge.errors import InputError, NotFoundError, StreamEndedError
from bridge.protocol.upload import ProgrammeDescription, RenditionDescription
from bridge.server.origin.archive import ProgrammeArchive
from bridge.server.origin.live_playlist import describe_live
from bridge.server.origin.playlist import render_media
from bridge.server.origin.rendered import RenderedText
from bridge.server.origin.segments import Bytes, Position
from bridge.server.origin.window import MediaWindow

PLAYLIST_TYPE: Final = "application/vnd.apple.mpegurl"
HOLD_TARGET_DURATIONS: Final = 3
"""RFC 8216bis 6.2.5.2: what cannot be answered within these is a 503."""

_Awaited = Position | tuple[str, int]
"""A place in the playlist, or session and number of a part."""


class LiveProgramme:
    """One programme of the origin. Loop-side only.

    Bytes are in the window before the playlist's version changes, and waiters are woken in the same
    turn of the loop: whatever a playlist names can be fetched.
    """

    def __init__(self, window: MediaWindow, archive: ProgrammeArchive | None = None) -> None:
        self._window = window
        self.archive = archive
        self._waits: dict[_Awaited, asyncio.Future[None]] = {}
        self._version = 0
        # The playlist's address outlives us; what a cache keeps of another run must not match.
        self._run = secrets.token_hex(4)
        self._rendered: dict[str, RenderedText] = {}

    @property
    def ended(self) -> bool:
        """Whether nothing more comes."""
        return self._window.ended

    @property
    def window(self) -> MediaWindow:
        """The model; read only."""
        return self._window

    @property
    def awaited(self) -> int:
        """How many different things requests wait for."""
        return len(self._waits)

    @property
    def ready(self) -> bool:
        """Whether there is anything to play."""
        return bool(self._window.listed())

    @property
    def target_duration(self) -> int:
        """EXT-X-TARGETDURATION, seconds."""
        return ceil(self.description.segment_duration)

    @property
    def description(self) -> ProgrammeDescription:
        """Of the newest segment. Raises NotFoundError before the first session."""
        newest = self._window.newest
        if newest is not None:
            return newest.session.description
        if self._window.current is None:
            message = "This programme has not begun."
            raise NotFoundError(message)
        return self._window.current.description

    @property
    def renditions(self) -> tuple[RenditionDescription, ...]:
        """What players can choose among."""
        return self.description.renditions

    def open_session(self, name: str, description: ProgrammeDescription) -> None:
        """See MediaWindow."""
        self._window.open_session(name, description)

    def put_init(self, name: str, data: tuple[bytes, ...]) -> None:
        """See MediaWindow."""
        self._window.put_init(name, data)

    def put_part(self, name: str, number: int, data: tuple[bytes, ...]) -> bool:
        """See MediaWindow; wakes whoever waits for it, and has it written down."""
        new = self._window.put_part(name, number, data)
        if new:
            self._publish()
            if self.archive is not None:
                self.archive.append(self._window.listed()[-1], number, data)
        return new

    def end(self) -> None:
        """End the programme: ENDLIST, and every held request is answered. Idempotent."""
        if not self._window.ended:
            self._window.end()
            self._publish()
            if self.archive is not None:
                self.archive.end()

    def release(self) -> None:
        """Answer every held request; for the server's own end."""
        for future in self._waits.values():
            future.set_exception(StreamEndedError("The server is going away; try again."))
            # Nobody may be waiting any more; that is no error.
            future.exception()
        self._waits.clear()

    def await_position(self, position: Position) -> asyncio.Future[None] | None:
        """Return None when the playlist shows `position` already, or else what to wait for.

        One future for all who wait for the same. Raises InputError for a position too far ahead.
        """
        if self._window.ended:
            return None
        position = self._window.normalise(position)
        if self._window.has(position):
            return None
        self._check_not_too_far(position)
        return self._wait(position)

    def await_part(self, session: str, number: int) -> asyncio.Future[None] | None:
        """Return what to wait for when that is the part that comes next, or else None."""
        hinted = self._window.hinted()
        if hinted is None or (hinted[0].name, hinted[1]) != (session, number):
            return None
        return self._wait((session, number))

    def part(self, session: str, rendition: str, number: int) -> Bytes:
        """Return a part. Raises NotFoundError."""
        found = self._window.find_part(session, rendition, number)
        if found is None:
            message = "There is no such part, or no longer."
            raise NotFoundError(message)
        return found

    def playlist(self, rendition: str) -> RenderedText:
        """Return the newest playlist of a rendition. Raises NotFoundError."""
        rendered = self._rendered.get(rendition)
        if rendered is None:
            if rendition not in {one.name for one in self.renditions}:
                message = "There is no such rendition."
                raise NotFoundError(message)
            text = render_media(describe_live(self._window, rendition))
            etag = f"{self._run}.{rendition}.{self._version}"
            rendered = RenderedText(etag, text.encode(), PLAYLIST_TYPE)
            self._rendered[rendition] = rendered
        return rendered

    def _wait(self, key: _Awaited) -> asyncio.Future[None]:
        wait = self._waits.get(key)
        if wait is None:
            wait = self._waits[key] = asyncio.get_running_loop().create_future()
        return wait

    def _check_not_too_far(self, position: Position) -> None:
        # RFC 8216bis 6.2.5.2; the Advance Part Limit is rounded up, as hls.js asks far ahead
        # after a slow answer.
        limit = ceil(Fraction(3) / self.description.part_duration)
        too_far = position.msn > self._window.last_published_msn + 2
        if too_far or self._window.parts_ahead(position) > limit:
            message = "That is too far ahead of the live edge."
            raise InputError(message, code="too_far")

    def _publish(self) -> None:
        self._version += 1
        self._rendered.clear()
        for key in [key for key in self._waits if self._arrived(key)]:
            self._waits.pop(key).set_result(None)

    def _arrived(self, key: _Awaited) -> bool:
        if isinstance(key, Position):
            return self._window.has(key)
        hinted = self._window.hinted()
        # Either it is here, or another session has taken over and it never will be.
        return hinted is None or (hinted[0].name, hinted[1]) != key
