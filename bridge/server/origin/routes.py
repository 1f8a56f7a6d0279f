"""What the origin answers to each address under `/live/`. Loop-side only.

Cache lifetimes as in RFC 8216bis appendix B.1: what a blocking directive names never changes, so it
may be kept for six target durations; the plain playlist for half of one. Errors are kept for one
second, less than B.1 allows: what is too far ahead now is right for everybody a moment later, and
a cache that still says no then would stop all players behind it.
"""

import asyncio
import logging
import re
from collections.abc import Callable
from functools import partial
from typing import Final
from urllib.parse import parse_qsl

from bridge.errors import BridgeError, InputError, NotFoundError
from bridge.server.origin.answers import Answer, Asked, Fields, Held, Reply
from bridge.server.origin.archive import ProgrammeArchive
from bridge.server.origin.live import HOLD_TARGET_DURATIONS, LiveProgramme
from bridge.server.origin.origin import Origin
from bridge.server.origin.playlist import PlaylistType, utc
from bridge.server.origin.rendered import EVERY_SITE
from bridge.server.origin.segments import Bytes, Position
from bridge.server.origin.texts import multivariant
from bridge.server.origin.tracks import Track, init_of, media_of

logger = logging.getLogger(__name__)

_PROGRAMME: Final = r"/live/(?P<programme>[a-z0-9-]{1,64})/"
_MEDIA: Final = re.compile(
    _PROGRAMME + r"(?P<session>[a-z0-9]{8,32})/(?P<rendition>[a-z0-9]{1,16})/"
    r"(?:init(?:-(?P<init>[va]))?\.mp4|(?P<kind>[psva])(?P<number>[0-9]{1,9})\.m4s)"
)
_TEXT: Final = re.compile(
    _PROGRAMME + r"(?P<file>index\.m3u8|(?:dvr|vod)\.m3u8|manifest\.mpd|now"
    r"|(?P<rendition>[a-z0-9]{1,16})(?:-(?P<whole>dvr|vod))?\.m3u8)"
)
_WHOLE_NUMBER: Final = re.compile(r"[0-9]{1,15}")
_BLOCKING_TARGET_DURATIONS: Final = 6
_IMMUTABLE: Final = "public, max-age=86400, immutable"
_BRIEFLY: Final = "public, max-age=1"
_NEVER: Final = "no-store"
_METHODS: Final = "GET, HEAD, OPTIONS"
_MOST_KEPT: Final = 64
"""Replies kept for the many who ask for the newest. Media bytes among them are the window's."""
_WHOLE: Final = {"dvr": PlaylistType.EVENT, "vod": PlaylistType.VOD}

_PREFLIGHT: Final = Answer(
    204,
    (
        *EVERY_SITE,
        ("Access-Control-Allow-Methods", _METHODS),
        ("Access-Control-Allow-Headers", "Range"),
        ("Access-Control-Max-Age", "86400"),
    ),
)


def refusal(status: int, message: str) -> Answer:
    """One line of text: whoever reads it looks at a player's network log."""
    fields: Fields = (("Cache-Control", _BRIEFLY),)
    if status == 503:
        fields = (("Cache-Control", _NEVER), ("Retry-After", "1"))
    kind = ("Content-Type", "text/plain; charset=utf-8")
    return Answer(status, (*EVERY_SITE, *fields, kind), f"{message}\n".encode())


_TOO_LATE: Final = refusal(503, "The programme has stalled; try again.")


class Routes:
    """The `Ask` of this server's origin."""

    def __init__(self, origin: Origin) -> None:
        self._origin = origin
        self._media: dict[str, Answer] = {}
        self._held: dict[Asked, Held] = {}

    def __call__(self, asked: Asked) -> Reply:
        """Answer; never raises an error of ours."""
        if asked.method == "OPTIONS":
            return _PREFLIGHT
        held = self._held.get(asked)
        if held is not None and not held.until.done():
            return held
        reply = _guarded(partial(self._find, asked))
        if isinstance(reply, Held):
            self._remember(asked, reply)
        return reply

    def _remember(self, asked: Asked, held: Held) -> None:
        """Say the same to everybody who asks the same; thousands do before it is there."""
        if len(self._held) >= _MOST_KEPT:
            self._held = {key: one for key, one in self._held.items() if not one.until.done()}
        if len(self._held) < _MOST_KEPT:
            self._held[asked] = held

    def _find(self, asked: Asked) -> Reply:
        if media := _MEDIA.fullmatch(asked.path):
            return self._media_answer(asked, media)
        text = _TEXT.fullmatch(asked.path)
        if text is None:
            message = "There is nothing at this address."
            raise NotFoundError(message)
        name, file = text["programme"], text["file"]
        if file == "now":
            return _now(self._origin.wall())
        whole = text["whole"] or (file[:3] if file in {"dvr.m3u8", "vod.m3u8"} else None)
        if whole or file == "manifest.mpd":
            return self._whole(asked, name, text["rendition"], whole)
        programme = self._origin.find(name)
        if file == "index.m3u8":
            return multivariant(programme.description).answer(asked, _BRIEFLY)
        return self._live_playlist(asked, programme, text["rendition"])

    def _live_playlist(self, asked: Asked, programme: LiveProgramme, rendition: str) -> Reply:
        # An ended playlist ignores directives, whatever they are (RFC 8216bis 6.2.5.2).
        position = None if programme.window.ended else read_directives(asked.query)
        target = programme.target_duration
        seconds = target // 2 or 1 if position is None else _BLOCKING_TARGET_DURATIONS * target
        cache = f"public, max-age={seconds}"
        # A rendition that is not there is not waited for.
        now = programme.playlist(rendition)
        until = programme.await_position(position) if position is not None else None
        if until is None:
            return now.answer(asked, cache)
        return _held(
            until,
            lambda: programme.playlist(rendition).answer(asked, cache),
            HOLD_TARGET_DURATIONS * target,
        )

    def _media_answer(self, asked: Asked, names: re.Match[str]) -> Reply:
        known = self._media.get(asked.path)
        if known is not None:
            return known
        programme = self._origin.get(names["programme"])
        if programme is None:
            return self._from_disk(names)
        if names["kind"] == "p":
            return self._part(asked.path, programme, names)
        session, rendition = names["session"], names["rendition"]
        data = (
            programme.window.find_init(session, rendition)
            if names["kind"] is None
            else programme.window.find_segment(session, rendition, int(names["number"]))
        )
        return self._keep(asked.path, _track(names, data)) if data else self._from_disk(names)

    def _part(self, path: str, programme: LiveProgramme, names: re.Match[str]) -> Reply:
        session, rendition, number = names["session"], names["rendition"], int(names["number"])

        def answer() -> Answer:
            return self._keep(path, programme.part(session, rendition, number))

        until = programme.await_part(session, number)
        if until is None:
            return answer()
        return _held(until, answer, HOLD_TARGET_DURATIONS * programme.target_duration)

    def _keep(self, path: str, data: Bytes) -> Answer:
        known = self._media.get(path)
        if known is None:
            if len(self._media) >= _MOST_KEPT:
                self._media.pop(next(iter(self._media)))
            known = self._media[path] = _media(data)
        return known

    async def _from_disk(self, names: re.Match[str]) -> Answer:
        try:
            data = await self._read(names)
            if data is not None:
                return _media(_track(names, data))
        except InputError as error:
            return refusal(404, error.message)
        except OSError as error:
            logger.warning("archive of %s: %s", names["programme"], error.strerror)
            return refusal(503, "The disk does not answer; try again.")
        return refusal(404, "There is no such segment, or no longer.")

    async def _read(self, names: re.Match[str]) -> bytes | None:
        """Read a segment or init section from the disk. Raises OSError."""
        archive = await self._origin.archive(names["programme"])
        if archive is None or names["kind"] == "p":
            return None
        session, rendition = names["session"], names["rendition"]
        if names["kind"] is None:
            return archive.find_init(session, rendition)
        return await archive.read(session, rendition, int(names["number"]))

    def _whole(self, asked: Asked, name: str, rendition: str | None, whole: str | None) -> Reply:
        """Answer with a playlist of everything, at once or after reading it from the disk."""

        def answer(archive: ProgrammeArchive | None) -> Answer:
            if archive is None:
                message = "Nothing of this programme is kept."
                raise NotFoundError(message)
            texts = self._origin.texts(archive)
            if whole is None:
                rendered = texts.manifest()
            elif rendition is None:
                rendered = texts.multivariant(_WHOLE[whole])
            else:
                rendered = texts.media(rendition, _WHOLE[whole])
            return rendered.answer(asked, _BRIEFLY)

        async def later() -> Answer:
            archive = await self._origin.archive(name)
            try:
                return answer(archive)
            except BridgeError as error:
                return _refused(error)

        programme = self._origin.get(name)
        if programme is None:
            return later()
        try:
            return answer(None if self._origin.withholds(name) else programme.archive)
        except BridgeError as error:
            return _refused(error)


def read_directives(query: str) -> Position | None:
    """Read `_HLS_msn` and `_HLS_part`; None without. Raises InputError when malformed."""
    if "_HLS_" not in query:
        return None
    given = dict(parse_qsl(query, keep_blank_values=True))
    msn, part = given.get("_HLS_msn"), given.get("_HLS_part")
    if msn is None and part is None:
        return None
    if msn is None:
        message = "_HLS_part needs _HLS_msn."
        raise InputError(message, code="directive")
    numbers = (msn,) if part is None else (msn, part)
    if not all(_WHOLE_NUMBER.fullmatch(value) for value in numbers):
        message = "_HLS_msn and _HLS_part are whole numbers."
        raise InputError(message, code="directive")
    return Position(int(msn), None if part is None else int(part))


def _guarded(make: Callable[[], Reply]) -> Reply:
    try:
        return make()
    except BridgeError as error:
        return _refused(error)


def _refused(error: BridgeError) -> Answer:
    match error:
        case NotFoundError():
            return refusal(404, error.message)
        case InputError():
            return refusal(400, error.message)
        case _:
            return refusal(503, error.message)


def _held(until: asyncio.Future[None], make: Callable[[], Answer], seconds: float) -> Held:
    # For everybody of the crowd: made by the first who is answered.
    made: list[Answer] = []

    def answer() -> Answer:
        if not made:
            made.append(_answer(until.exception(), make))
        return made[0]

    return Held(until, answer, _TOO_LATE, seconds)


def _answer(failed: BaseException | None, make: Callable[[], Answer]) -> Answer:
    if isinstance(failed, BridgeError):
        return _refused(failed)
    try:
        return make()
    except BridgeError as error:
        return _refused(error)


def _track(names: re.Match[str], data: Bytes) -> Bytes:
    """Return what was asked for of a segment or init section. Raises InputError, NotFoundError."""
    if names["kind"] is None:
        return init_of(bytes(data), Track(names["init"])) if names["init"] else data
    if names["kind"] == "s":
        return data
    track = media_of(data, Track(names["kind"]))
    if not track:
        message = "There is no such track."
        raise NotFoundError(message)
    return track


def _media(data: Bytes) -> Answer:
    fields = (("Cache-Control", _IMMUTABLE), ("Content-Type", "video/mp4"))
    return Answer(200, (*EVERY_SITE, *fields), data)


def _now(wall: float) -> Answer:
    fields = (("Cache-Control", _NEVER), ("Content-Type", "text/plain"))
    return Answer(200, (*EVERY_SITE, *fields), utc(wall).encode())
