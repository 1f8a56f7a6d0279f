"""A programme as players meet it: playlists rendered once per version, and requests that wait."""

import asyncio
import gzip
import secrets
import zlib
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import Final, Self

from bridge.errors import BridgeError, InputError, NotFoundError, StreamEndedError
from bridge.protocol.upload import ProgrammeDescription
from bridge.server.origin.playlist import (
    MediaPlaylist,
    PartLine,
    SegmentLines,
    Variant,
    render_media,
    render_multivariant,
)
from bridge.server.origin.window import MediaWindow, Position, Segment

_SEGMENTS_WITH_PARTS: Final = 2
"""Complete segments whose parts are listed: RFC 8216bis wants them gone 3 target durations from
the edge, and hls.js stays stuck on a segment for as long as its parts are listed."""
_HOLD_TARGET_DURATIONS: Final = 3

_Awaited = Position | tuple[str, int]
"""A place in the playlist, or session and number of a part."""


class BusyError(BridgeError):
    """As many requests are held as the server allows."""

    code = "busy"


class StalledError(BridgeError):
    """The awaited part did not come within three target durations."""

    code = "stalled"


@dataclass(frozen=True, slots=True)
class RenderedPlaylist:
    """One version of a playlist, shared by all answers."""

    etag: str
    text: bytes
    gzipped: bytes

    @classmethod
    def of(cls, text: str, etag: str) -> Self:
        """Encode once for everybody; the same text is the same bytes, so no time stamp."""
        identity = text.encode()
        return cls(etag, identity, gzip.compress(identity, compresslevel=6, mtime=0))


@dataclass(slots=True)
class _Wait:
    """What requests for the same thing share."""

    future: asyncio.Future[None]
    requests: int = 0


class HeldRequests:
    """Counts held requests over all programmes against one limit. Loop-side only."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.count = 0

    async def hold(self, future: asyncio.Future[None], seconds: float) -> None:
        """Wait for `future`, shared by many. Raises BusyError, StalledError or what it holds."""
        if self.count >= self._limit:
            message = "Too many requests are waiting; try again."
            raise BusyError(message)
        self.count += 1
        try:
            await asyncio.wait_for(asyncio.shield(future), seconds)
        except TimeoutError:
            message = "The programme has stalled; try again."
            raise StalledError(message) from None
        finally:
            self.count -= 1


class LiveProgramme:
    """One programme of the origin. Loop-side only.

    Bytes are in the window before the playlist's version changes, and waiters are woken in the same
    turn of the loop: whatever a playlist names can be fetched.
    """

    def __init__(self, *, first_msn: int, listed: int, held: HeldRequests) -> None:
        self._window = MediaWindow(first_msn, listed)
        self._held = held
        self._waits: dict[_Awaited, _Wait] = {}
        self._version = 0
        # The playlist's address outlives us; what a cache keeps of another run must not match.
        self._run = secrets.token_hex(4)
        self._rendered: RenderedPlaylist | None = None

    @property
    def window(self) -> MediaWindow:
        """The model; read only."""
        return self._window

    @property
    def waiters(self) -> int:
        """How many requests are held for this programme."""
        return sum(wait.requests for wait in self._waits.values())

    @property
    def ready(self) -> bool:
        """Whether there is anything to play."""
        return bool(self._window.listed())

    @property
    def target_duration(self) -> int:
        """EXT-X-TARGETDURATION, seconds."""
        return ceil(self._description.segment_duration)

    @property
    def _description(self) -> ProgrammeDescription:
        segments = self._window.listed()
        if segments:
            return segments[-1].session.description
        if self._window.current is None:
            message = "This programme has not begun."
            raise NotFoundError(message)
        return self._window.current.description

    def open_session(self, name: str, description: ProgrammeDescription) -> None:
        """See MediaWindow."""
        self._window.open_session(name, description)

    def put_init(self, name: str, data: bytes) -> None:
        """See MediaWindow."""
        self._window.put_init(name, data)

    def put_part(self, name: str, number: int, data: bytes) -> bool:
        """See MediaWindow; wakes whoever waits for it."""
        new = self._window.put_part(name, number, data)
        if new:
            self._publish()
        return new

    def end(self) -> None:
        """End the programme: ENDLIST, and every held request is answered. Idempotent."""
        if not self._window.ended:
            self._window.end()
            self._publish()

    def release(self) -> None:
        """Answer every held request with what there is; for the server's own end."""
        for wait in self._waits.values():
            wait.future.set_exception(StreamEndedError("The server is going away; try again."))
            # Nobody may be waiting any more; that is no error.
            wait.future.exception()
        self._waits.clear()

    def multivariant(self) -> RenderedPlaylist:
        """Return the multivariant playlist, which is the same for a session's whole life."""
        described = self._description
        text = render_multivariant(
            (
                Variant(
                    uri="programme.m3u8",
                    bandwidth=described.bandwidth,
                    average_bandwidth=described.average_bandwidth,
                    codecs=described.codecs,
                    width=described.width,
                    height=described.height,
                    fps=described.fps,
                ),
            )
        )
        return RenderedPlaylist.of(text, f"{zlib.crc32(text.encode()):08x}")

    async def playlist(self, position: Position | None) -> RenderedPlaylist:
        """Return the playlist as soon as it shows `position` (None: at once).

        Raises InputError for a position too far ahead, BusyError, StalledError.
        """
        if position is not None and not self._window.ended:
            position = self._window.normalise(position)
            if not self._window.has(position):
                self._check_not_too_far(position)
                await self._wait(position)
        return self._render()

    async def part(self, session: str, number: int) -> bytes | memoryview:
        """Return a part; the hinted one as soon as it is whole. Raises NotFoundError otherwise."""
        found = self._window.find_part(session, number)
        hinted = self._window.hinted()
        if found is None and hinted and (hinted[0].name, hinted[1]) == (session, number):
            await self._wait((session, number))
            found = self._window.find_part(session, number)
        if found is None:
            message = "There is no such part, or no longer."
            raise NotFoundError(message)
        return found

    async def _wait(self, key: _Awaited) -> None:
        wait = self._waits.get(key)
        if wait is None:
            wait = self._waits[key] = _Wait(asyncio.get_running_loop().create_future())
        wait.requests += 1
        try:
            await self._held.hold(wait.future, _HOLD_TARGET_DURATIONS * self.target_duration)
        finally:
            wait.requests -= 1
            if not wait.requests and self._waits.get(key) is wait:
                del self._waits[key]

    def _check_not_too_far(self, position: Position) -> None:
        # RFC 8216bis 6.2.5.2; the Advance Part Limit is rounded up, as hls.js asks far ahead
        # after a slow answer.
        limit = ceil(Fraction(3) / self._description.part_duration)
        too_far = position.msn > self._window.last_published_msn + 2
        if too_far or self._window.parts_ahead(position) > limit:
            message = "That is too far ahead of the live edge."
            raise InputError(message, code="too_far")

    def _publish(self) -> None:
        self._version += 1
        self._rendered = None
        for key in list(self._waits):
            if self._arrived(key):
                self._waits.pop(key).future.set_result(None)

    def _arrived(self, key: _Awaited) -> bool:
        if isinstance(key, Position):
            return self._window.has(key)
        hinted = self._window.hinted()
        # Either it is here, or another session has taken over and it never will be.
        return hinted is None or (hinted[0].name, hinted[1]) != key

    def _render(self) -> RenderedPlaylist:
        if self._rendered is None:
            text = render_media(self._describe())
            self._rendered = RenderedPlaylist.of(text, f"{self._run}.{self._version}")
        return self._rendered

    def _describe(self) -> MediaPlaylist:
        segments = self._window.listed()
        if not segments:
            message = "This programme has not begun."
            raise NotFoundError(message)
        ended = self._window.ended
        with_parts = 0 if ended else _SEGMENTS_WITH_PARTS + 1
        hinted = self._window.hinted()
        return MediaPlaylist(
            segment_duration=self._description.segment_duration,
            part_target=self._description.part_duration,
            media_sequence=segments[0].msn,
            discontinuity_sequence=self._window.discontinuity_sequence(),
            segments=tuple(
                _lines(
                    segment,
                    first=index == 0,
                    parts=index >= len(segments) - with_parts,
                    published=ended or index < len(segments) - 1,
                )
                for index, segment in enumerate(segments)
            ),
            preload_hint=f"{hinted[0].name}/p{hinted[1]}.m4s" if hinted else None,
            ended=ended,
        )


def _lines(segment: Segment, *, first: bool, parts: bool, published: bool) -> SegmentLines:
    name, duration = segment.session.name, segment.session.description.part_duration
    listed = range(len(segment.parts)) if parts else ()
    return SegmentLines(
        # The first listed segment's own discontinuity is counted once it has scrolled out.
        discontinuity=segment.discontinuity,
        map_uri=f"{name}/init.mp4" if first or segment.discontinuity else None,
        program_date_time=segment.start_wall,
        parts=tuple(
            PartLine(f"{name}/p{segment.first_part + index}.m4s", duration, index == 0)
            for index in listed
        ),
        duration=segment.duration,
        uri=f"{name}/s{segment.number}.m4s" if published else None,
    )
