"""Routes of recordings: the list, what their hosts do with them, and their files."""

from collections.abc import Callable
from fractions import Fraction
from typing import Annotated, Any, Final
from urllib.parse import quote

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from bridge.errors import NotFoundError, TokenError
from bridge.protocol.tokens import PassSigner, TokenSigner
from bridge.rooms.model import Role
from bridge.server.recordings.library import RecordingLibrary
from bridge.server.recordings.model import Access, RecordingEntry, RecordingFile, download_name
from bridge.server.requests import bearer, read_body, require_host_of

_TYPES: Final = {
    ".mp4": "video/mp4",
    ".m4a": "audio/mp4",
    ".mkv": "video/x-matroska",
    ".vtt": "text/vtt; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
    ".json": "application/json",
    ".jpg": "image/jpeg",
}
_DAY: Final = 86_400


class Change(BaseModel):
    """Body of `PATCH /api/v1/recordings/{recording}`; what is left out stays."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: Annotated[
        str | None,
        StringConstraints(
            strip_whitespace=True, min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$"
        ),
    ] = None
    access: Access | None = None


class NewClip(BaseModel):
    """Body of `POST /api/v1/recordings/{recording}/clips`: seconds from the beginning."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    begin: Annotated[float, Field(ge=0, le=_DAY)]
    end: Annotated[float, Field(gt=0, le=_DAY)]
    exact: bool = False
    """Begin with the very picture, which encodes up to two seconds anew; else with the keyframe
    before."""


class RecordingRoutes:
    """Routes under `/api/v1/recordings` and `/recordings`."""

    def __init__(
        self,
        recordings: RecordingLibrary,
        signer: TokenSigner,
        passes: PassSigner,
        base: Callable[[web.Request], str],
    ) -> None:
        self._recordings = recordings
        self._signer = signer
        self._passes = passes
        self._base = base

    def routes(self) -> list[web.RouteDef]:
        """Every route."""
        one = "/api/v1/recordings/{recording}"
        return [
            web.get("/api/v1/recordings", self._list),
            web.get(one, self._show),
            web.patch(one, self._change),
            web.delete(one, self._delete),
            web.post(one + "/clips", self._cut),
            web.get("/recordings/{recording}/{file}", self._file),
        ]

    async def _list(self, request: web.Request) -> web.Response:
        own = self._hosted_room(request)
        found = [
            self._as_json(request, entry, mine=entry.room == own)
            for entry in self._recordings.entries()
            if entry.access is Access.PUBLIC or entry.room == own
        ]
        return web.json_response(found, headers={"Cache-Control": "no-store"})

    async def _show(self, request: web.Request) -> web.Response:
        entry = self._recordings.entry(request.match_info["recording"])
        mine = entry.room == self._hosted_room(request)
        if entry.access is Access.HOST and not mine:
            message = "There is no such recording."
            raise NotFoundError(message, code="recording_not_found")
        return web.json_response(self._as_json(request, entry, mine=mine))

    async def _change(self, request: web.Request) -> web.Response:
        entry = self._own(request)
        change = Change.model_validate_json(await read_body(request))
        changed = await self._recordings.change(entry.id, title=change.title, access=change.access)
        return web.json_response(self._as_json(request, changed, mine=True))

    async def _delete(self, request: web.Request) -> web.Response:
        await self._recordings.delete(self._own(request).id)
        return web.Response(status=204)

    async def _cut(self, request: web.Request) -> web.Response:
        entry = self._own(request)
        clip = NewClip.model_validate_json(await read_body(request))
        begin, end = (Fraction(round(time * 1000), 1000) for time in (clip.begin, clip.end))
        file = await self._recordings.cut(entry.id, begin, end, exact=clip.exact)
        return web.json_response(self._file_as_json(request, entry, file, mine=True), status=201)

    async def _file(self, request: web.Request) -> web.StreamResponse:
        """Answer with sendfile(2); ranges and conditions are aiohttp's."""
        recording, name = request.match_info["recording"], request.match_info["file"]
        file = self._recordings.find(recording, name)
        entry = self._recordings.entry(recording)
        permitted = self._passes.allows(request.query.get("pass", ""), recording)
        if entry.access is Access.HOST and not permitted:
            message = "There is no such recording."
            raise NotFoundError(message, code="recording_not_found")
        headers = {
            "Cache-Control": "private, max-age=0",
            "Content-Type": _TYPES.get(file.path.suffix, "application/octet-stream"),
        }
        if "download" in request.query:
            nice = quote(download_name(entry, file))
            headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{nice}"
        return web.FileResponse(file.path, headers=headers)

    def _own(self, request: web.Request) -> RecordingEntry:
        """Return the recording of the route, for its host. Raises TokenError, NotFoundError."""
        entry = self._recordings.entry(request.match_info["recording"])
        require_host_of(request, self._signer, entry.room)
        return entry

    def _hosted_room(self, request: web.Request) -> str | None:
        """Room whose host asks; None for anybody else."""
        token = bearer(request)
        if not token:
            return None
        try:
            grant = self._signer.read(token)
        except TokenError:
            return None
        return grant.room if grant.role is Role.HOST else None

    def _as_json(
        self, request: web.Request, entry: RecordingEntry, *, mine: bool
    ) -> dict[str, Any]:
        """As everybody sees it; for its host also what he may do, with passes if it needs them."""
        passed = self._passes.sign(entry.id) if mine and entry.access is Access.HOST else ""
        described = as_json(entry, self._base(request), passed)
        return {**described, "mine": mine, "reason": entry.reason if mine else ""}

    def _file_as_json(
        self, request: web.Request, entry: RecordingEntry, file: RecordingFile, *, mine: bool
    ) -> dict[str, Any]:
        passed = self._passes.sign(entry.id) if mine and entry.access is Access.HOST else ""
        return _file_as_json(entry, file, self._base(request), passed)


def as_json(entry: RecordingEntry, base: str, passed: str = "") -> dict[str, Any]:
    """Describe a recording as the API does; `base` goes before the paths of its files."""
    return {
        "id": entry.id,
        "room": entry.room,
        "motion": entry.motion,
        "title": entry.title,
        "access": entry.access.value,
        "names": dict(entry.names),
        "started_at": entry.started_at,
        "duration": entry.duration,
        "state": entry.state.value,
        "progress": entry.progress,
        "bytes": entry.bytes,
        "files": [_file_as_json(entry, file, base, passed) for file in entry.files],
        "chapters": [{"at": mark.at, "title": mark.title} for mark in entry.chapters],
    }


def _file_as_json(
    entry: RecordingEntry, file: RecordingFile, base: str, passed: str
) -> dict[str, Any]:
    query = f"?pass={passed}" if passed else ""
    return {
        "kind": file.kind,
        "name": file.name,
        "url": f"{base}/recordings/{entry.id}/{file.name}{query}",
        "bytes": file.bytes,
    }
