"""The door for a broadcast's uploads; see `bridge.protocol.upload`."""

import re
from collections.abc import Callable
from typing import Final

from aiohttp import web
from pydantic import ValidationError

from bridge.errors import ConflictError, InputError, NotFoundError, TokenError
from bridge.protocol.upload import (
    INIT_BOXES,
    MAX_INIT_BYTES,
    MAX_PART_BYTES,
    PART_BOXES,
    SESSION_PATTERN,
    ProgrammeDescription,
    part_number,
    split,
)
from bridge.server.origin.live import LiveProgramme
from bridge.server.origin.origin import Origin
from bridge.server.origin.window import OutOfOrderError

_MAX_DESCRIPTION_BYTES: Final = 16 * 1024


class UploadViews:
    """Routes under `/ingest/`.

    `check_token(token, programme)` raises TokenError unless the token is the broadcast token of the
    room that the programme belongs to.
    """

    def __init__(self, origin: Origin, check_token: Callable[[str, str], None]) -> None:
        self._origin = origin
        self._check_token = check_token

    def routes(self) -> list[web.RouteDef]:
        """Every route."""
        base = "/ingest/{programme}/{session}"
        return [
            web.put(base, self._describe),
            web.put(base + "/init", self._init),
            web.put(base + r"/parts/{number:\d{1,9}}", self._part),
            web.put(base + "/end", self._end),
        ]

    async def _describe(self, request: web.Request) -> web.Response:
        name, session = self._admit(request)
        body = await _read(request, _MAX_DESCRIPTION_BYTES)
        try:
            description = ProgrammeDescription.model_validate_json(body)
        except ValidationError as error:
            message = f"Malformed description: {error.errors()[0]['msg']}"
            raise InputError(message) from None
        self._origin.open(name, description).open_session(session, description)
        return web.json_response({"ok": True})

    async def _init(self, request: web.Request) -> web.Response:
        name, session = self._admit(request)
        body = await _read(request, MAX_INIT_BYTES)
        programme = self._programme(name)
        described = programme.window.session(session).description
        programme.put_init(session, split(body, INIT_BOXES, len(described.renditions)))
        return web.json_response({"ok": True})

    async def _part(self, request: web.Request) -> web.Response:
        name, session = self._admit(request)
        body = await _read(request, MAX_PART_BYTES)
        programme = self._programme(name)
        described = programme.window.session(session).description
        parts = split(body, PART_BOXES, len(described.renditions))
        number = int(request.match_info["number"])
        if any(part_number(part) != number for part in parts):
            message = f"These are not the fragments of part {number}."
            raise InputError(message, code="torn")
        try:
            new = programme.put_part(session, number, parts)
        except OutOfOrderError as error:
            return web.json_response({"next": error.next, "detail": error.message}, status=409)
        return web.json_response({"ok": True, "new": new})

    async def _end(self, request: web.Request) -> web.Response:
        name, session = self._admit(request)
        programme = self._programme(name)
        current = programme.window.current
        if current is None or current.name != session:
            message = "Only the current session can end the programme."
            raise ConflictError(message, code="session_over")
        self._origin.end(name)
        return web.json_response({"ok": True})

    def _admit(self, request: web.Request) -> tuple[str, str]:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer":
            message = "Uploads need the broadcast's token."
            raise TokenError(message)
        name, session = request.match_info["programme"], request.match_info["session"]
        self._check_token(token, name)
        if not re.fullmatch(SESSION_PATTERN, session):
            message = "A session's name is 8 to 32 lower-case letters and digits."
            raise InputError(message)
        return name, session

    def _programme(self, name: str) -> LiveProgramme:
        programme = self._origin.get(name)
        if programme is None:
            message = "Describe the session first."
            raise NotFoundError(message)
        return programme


async def _read(request: web.Request, limit: int) -> bytes:
    """Read a body of at most `limit` bytes, whole."""
    if (request.content_length or 0) > limit:
        message = f"At most {limit} bytes."
        raise InputError(message, code="too_large")
    body = bytearray()
    async for chunk in request.content.iter_chunked(64 * 1024):
        body += chunk
        if len(body) > limit:
            message = f"At most {limit} bytes."
            raise InputError(message, code="too_large")
    return bytes(body)
