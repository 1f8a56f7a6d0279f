"""HTTP views of the origin: thin, and the same for every player and cache in front.

Cache lifetimes as in RFC 8216bis appendix B.1: what a blocking directive names never changes, so it
may be kept for six target durations; the plain playlist for half of one.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from aiohttp import web

from bridge.errors import BridgeError, InputError, NotFoundError, StreamEndedError
from bridge.server.origin.live import BusyError, LiveProgramme, StalledError
from bridge.server.origin.origin import Origin
from bridge.server.origin.window import Position

PLAYLIST_TYPE: Final = "application/vnd.apple.mpegurl"
_NUMBER: Final = re.compile(r"\d{1,15}")
_CORS: Final = {
    "Access-Control-Allow-Origin": "*",
    # hls.js tunes in by Age, and may read it across origins only when told so.
    "Access-Control-Expose-Headers": "Age, Date",
    "Access-Control-Allow-Headers": "Range",
}
_IMMUTABLE: Final = "public, max-age=86400, immutable"

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class OriginViews:
    """Routes under `/live/`."""

    def __init__(self, origin: Origin) -> None:
        self._origin = origin

    def routes(self) -> list[web.RouteDef]:
        """Every route; GET answers HEAD too."""
        paths: dict[str, Answer] = {
            "index.m3u8": self._multivariant,
            "programme.m3u8": self._media_playlist,
            r"{session:[a-z0-9]+}/init.mp4": self._init,
            r"{session:[a-z0-9]+}/p{number:\d+}.m4s": self._part,
            r"{session:[a-z0-9]+}/s{number:\d+}.m4s": self._segment,
        }
        routes = []
        for path, answer in paths.items():
            full = "/live/{programme}/" + path
            routes.append(web.get(full, _with_origin_errors(answer)))
            routes.append(web.options(full, _preflight))
        return routes

    def _find(self, request: web.Request) -> LiveProgramme:
        return self._origin.find(request.match_info["programme"])

    async def _multivariant(self, request: web.Request) -> web.Response:
        return web.Response(
            text=self._find(request).multivariant(),
            content_type=PLAYLIST_TYPE,
            headers={**_CORS, "Cache-Control": "public, max-age=1"},
        )

    async def _media_playlist(self, request: web.Request) -> web.Response:
        programme = self._find(request)
        position = read_directives(request.query)
        rendered = await programme.playlist(position)
        etag = f'"{rendered.version}"'
        seconds = 6 * programme.target_duration if position else programme.target_duration // 2 or 1
        headers = {
            **_CORS,
            "Cache-Control": f"public, max-age={seconds}",
            "ETag": etag,
            "Vary": "Accept-Encoding",
        }
        if position is None and request.headers.get("If-None-Match") == etag:
            return web.Response(status=304, headers=headers)
        if "gzip" in request.headers.get("Accept-Encoding", ""):
            headers["Content-Encoding"] = "gzip"
            return web.Response(body=rendered.gzipped, content_type=PLAYLIST_TYPE, headers=headers)
        return web.Response(body=rendered.text, content_type=PLAYLIST_TYPE, headers=headers)

    async def _init(self, request: web.Request) -> web.Response:
        data = self._find(request).window.session(request.match_info["session"]).init
        if not data:
            message = "This session has no init section any more."
            raise NotFoundError(message)
        return _media(data)

    async def _part(self, request: web.Request) -> web.Response:
        number = int(request.match_info["number"])
        return _media(await self._find(request).part(request.match_info["session"], number))

    async def _segment(self, request: web.Request) -> web.Response:
        number = int(request.match_info["number"])
        window = self._find(request).window
        data = window.find_segment(request.match_info["session"], number)
        if data is None:
            message = "There is no such segment, or no longer."
            raise NotFoundError(message)
        return _media(data)


def read_directives(query: Mapping[str, str]) -> Position | None:
    """Read `_HLS_msn` and `_HLS_part`; None without. Raises InputError when malformed."""
    msn, part = query.get("_HLS_msn"), query.get("_HLS_part")
    if msn is None and part is None:
        return None
    if msn is None:
        message = "_HLS_part needs _HLS_msn."
        raise InputError(message, code="directive")
    if not _NUMBER.fullmatch(msn) or (part is not None and not _NUMBER.fullmatch(part)):
        message = "_HLS_msn and _HLS_part are whole numbers."
        raise InputError(message, code="directive")
    return Position(int(msn), None if part is None else int(part))


def _media(data: bytes | memoryview) -> web.Response:
    return web.Response(
        body=bytes(data),
        content_type="video/mp4",
        headers={**_CORS, "Cache-Control": _IMMUTABLE},
    )


async def _preflight(_request: web.Request) -> web.Response:
    return web.Response(
        status=204, headers={**_CORS, "Access-Control-Allow-Methods": "GET, HEAD, OPTIONS"}
    )


def _with_origin_errors(answer: Answer) -> Answer:
    """Answer errors in a way that caches in front do not keep for long."""

    async def view(request: web.Request) -> web.StreamResponse:
        try:
            return await answer(request)
        except NotFoundError as error:
            return _refusal(404, error)
        except InputError as error:
            return _refusal(400, error)
        except (BusyError, StalledError, StreamEndedError) as error:
            return _refusal(503, error)

    return view


def _refusal(status: int, error: BridgeError) -> web.Response:
    headers = {**_CORS, "Cache-Control": "public, max-age=1"}
    if status == 503:
        headers |= {"Retry-After": "1", "Cache-Control": "no-store"}
    return web.Response(status=status, text=error.message + "\n", headers=headers)
