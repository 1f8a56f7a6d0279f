"""HTTP views of the origin: thin, and the same for every player and cache in front.

Cache lifetimes as in RFC 8216bis appendix B.1: what a blocking directive names never changes, so it
may be kept for six target durations; the plain playlist for half of one. Errors are kept for one
second, less than B.1 allows: what is too far ahead now is right for everybody a moment later, and
a cache that still says no then would stop all players behind it.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from aiohttp import ETag, web

from bridge.errors import BridgeError, InputError, NotFoundError, StreamEndedError
from bridge.server.origin.live import BusyError, LiveProgramme, RenderedPlaylist, StalledError
from bridge.server.origin.origin import Origin
from bridge.server.origin.window import Position

PLAYLIST_TYPE: Final = "application/vnd.apple.mpegurl"
_PREFIX: Final = "/live/"
_WHOLE_NUMBER: Final = re.compile(r"[0-9]{1,15}")
_IN_PATH: Final = "[0-9]{1,9}"
_BLOCKING_TARGET_DURATIONS: Final = 6
_IMMUTABLE: Final = "public, max-age=86400, immutable"
_BRIEFLY: Final = "public, max-age=1"
_NEVER: Final = "no-store"
_EVERY_SITE: Final = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Headers": "Range",
    # hls.js tunes in by Age, and may read it across origins only when told so.
    "Access-Control-Expose-Headers": "Age, Date",
    # The safe headers' same-origin rule is for pages.
    "Cross-Origin-Resource-Policy": "cross-origin",
}

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
            "{session:[a-z0-9]+}/init.mp4": self._init,
            f"{{session:[a-z0-9]+}}/p{{number:{_IN_PATH}}}.m4s": self._part,
            f"{{session:[a-z0-9]+}}/s{{number:{_IN_PATH}}}.m4s": self._segment,
        }
        routes = []
        for path, answer in paths.items():
            full = _PREFIX + "{programme}/" + path
            routes.append(web.get(full, _with_origin_errors(answer)))
            routes.append(web.options(full, _preflight))
        return routes

    def _find(self, request: web.Request) -> LiveProgramme:
        return self._origin.find(request.match_info["programme"])

    async def _multivariant(self, request: web.Request) -> web.Response:
        return _playlist(request, self._find(request).multivariant(), _BRIEFLY)

    async def _media_playlist(self, request: web.Request) -> web.Response:
        programme = self._find(request)
        # An ended playlist ignores directives, whatever they are (RFC 8216bis 6.2.5.2).
        position = None if programme.window.ended else read_directives(request.query)
        rendered = await programme.playlist(position)
        target = programme.target_duration
        seconds = target // 2 or 1 if position is None else _BLOCKING_TARGET_DURATIONS * target
        return _playlist(request, rendered, f"public, max-age={seconds}")

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
    given = (msn,) if part is None else (msn, part)
    if not all(_WHOLE_NUMBER.fullmatch(value) for value in given):
        message = "_HLS_msn and _HLS_part are whole numbers."
        raise InputError(message, code="directive")
    return Position(int(msn), None if part is None else int(part))


async def open_to_every_site(request: web.Request, response: web.StreamResponse) -> None:
    """Signal `on_response_prepare`: any page may play us, and read our errors, too."""
    if request.path.startswith(_PREFIX):
        response.headers.update(_EVERY_SITE)


def _playlist(request: web.Request, rendered: RenderedPlaylist, cache: str) -> web.Response:
    # Weak: the compressed bytes and the plain ones are one version.
    etag = ETag(rendered.etag, is_weak=True)
    if request.if_none_match and etag.value in {one.value for one in request.if_none_match}:
        response = web.Response(status=304)
    elif _takes_gzip(request):
        response = web.Response(body=rendered.gzipped, content_type=PLAYLIST_TYPE)
        response.headers["Content-Encoding"] = "gzip"
    else:
        response = web.Response(body=rendered.text, content_type=PLAYLIST_TYPE)
    response.etag = etag
    response.headers["Cache-Control"] = cache
    response.headers["Vary"] = "Accept-Encoding"
    return response


def _takes_gzip(request: web.Request) -> bool:
    for item in request.headers.get("Accept-Encoding", "").split(","):
        coding, _, quality = item.partition(";")
        if coding.strip().lower() == "gzip":
            return quality.replace(" ", "") not in {"q=0", "q=0.0", "q=0.00", "q=0.000"}
    return False


def _media(data: bytes | memoryview) -> web.Response:
    return web.Response(
        body=bytes(data), content_type="video/mp4", headers={"Cache-Control": _IMMUTABLE}
    )


async def _preflight(_request: web.Request) -> web.Response:
    return web.Response(status=204, headers={"Access-Control-Allow-Methods": "GET, HEAD, OPTIONS"})


def _with_origin_errors(answer: Answer) -> Answer:
    """Answer errors as one line of text: whoever reads them looks at a player's network log."""

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
    headers = {"Cache-Control": _BRIEFLY}
    if status == 503:
        headers = {"Cache-Control": _NEVER, "Retry-After": "1"}
    return web.Response(status=status, text=error.message + "\n", headers=headers)
