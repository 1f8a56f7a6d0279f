"""API v1: JSON in, JSON or problem+json out."""

import asyncio
import ipaddress
import socket
import unicodedata
from collections.abc import Iterable
from typing import Annotated, Any, Final
from urllib.parse import quote, urlsplit

from aiohttp import web
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from bridge import __version__
from bridge.errors import InputError, NotFoundError, TokenError
from bridge.protocol.messages import dump
from bridge.protocol.show import SceneChoice
from bridge.protocol.tokens import Grant, TokenSigner
from bridge.rooms.model import Phase, Role, Room, Side
from bridge.server.debates import Debates
from bridge.server.lan import is_loopback
from bridge.server.lane.lane import Lane
from bridge.server.listening import Addresses
from bridge.server.origin.origin import Origin
from bridge.server.qr import QrDrawing, drawing
from bridge.server.recordings.library import RecordingLibrary
from bridge.server.recordings.model import RecordingEntry, download_name
from bridge.server.terminal import WITH_CODE, PrintInvites
from bridge.settings import Settings

_SCHEMES: Final = {"rtmp", "rtmps"}
_BODY_SECONDS: Final = 10.0
_INSIDE: Final = (".localhost", ".local", ".internal")


def _plain(text: str) -> str:
    if any(unicodedata.category(character) in {"Cc", "Cs"} for character in text):
        message = "control characters are not allowed"
        raise ValueError(message)
    return text


def _destination(url: str) -> str:
    try:
        parts = urlsplit(url)
        valid = parts.scheme in _SCHEMES and parts.hostname and parts.path.strip("/")
        _ = parts.port
    except ValueError:
        valid = None
    if not valid or any(character.isspace() for character in url):
        message = "an RTMP address looks like rtmp://server/app/stream-key"
        raise ValueError(message)
    return url


Name = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=60),
    AfterValidator(_plain),
]
Motion = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=200),
    AfterValidator(_plain),
]
DestinationUrl = Annotated[
    str,
    StringConstraints(strip_whitespace=True, max_length=1000),
    AfterValidator(_plain),
    AfterValidator(_destination),
]


class NewRoom(BaseModel):
    """Body of `POST /api/v1/rooms`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    motion: Motion
    proposition: Name
    opposition: Name
    destinations: Annotated[tuple[DestinationUrl, ...], Field(max_length=8)] = ()
    isolated: bool = False
    """Whether each debater's own tracks are kept beside the recording."""


class Api:
    """Routes under `/api/v1` and `/healthz`, and the files of recordings."""

    def __init__(
        self,
        settings: Settings,
        *,
        debates: Debates,
        origin: Origin,
        lane: Lane,
        recordings: RecordingLibrary,
        signer: TokenSigner,
        addresses: Addresses,
        print_invites: PrintInvites | None,
    ) -> None:
        self._settings = settings
        self._debates = debates
        self._origin = origin
        self._lane = lane
        self._recordings = recordings
        self._signer = signer
        self._addresses = addresses
        self._print_invites = print_invites

    def routes(self) -> list[web.RouteDef]:
        """Every route."""
        room = "/api/v1/rooms/{room}"
        return [
            web.post("/api/v1/rooms", self._create),
            web.get(room, self._show),
            web.get(room + "/links", self._links),
            web.post(room + "/rehearse", self._rehearse),
            web.post(room + "/start", self._start),
            web.post(room + "/stop", self._stop),
            web.put(room + "/scene", self._choose_scene),
            web.get("/api/v1/recordings", self._list_recordings),
            web.get("/recordings/{recording}/{file}", self._file),
            web.get("/healthz", self._health),
        ]

    async def _create(self, request: web.Request) -> web.Response:
        body = NewRoom.model_validate_json(await _read(request))
        if not self._settings.allow_private_destinations:
            refuse_private(body.destinations)
        room = await self._debates.create(
            body.motion,
            body.proposition,
            body.opposition,
            body.destinations,
            isolated=body.isolated,
        )
        links = self._all_links(request, room)
        if self._print_invites is not None:
            self._print_invites(room, links)
        answer = {
            "id": room.id,
            "host_token": self._signer.sign(room.id, Role.HOST),
            "links": links,
        }
        return web.json_response(answer, status=201)

    async def _show(self, request: web.Request) -> web.Response:
        return await self._state(request, await self._debates.find(request.match_info["room"]))

    async def _links(self, request: web.Request) -> web.Response:
        room = await self._debates.find(self._require_host(request).room)
        links = self._all_links(request, room)
        # Drawn here and not fetched by address: an address with a token in it would be logged.
        codes: dict[str, QrDrawing] = {name: drawing(links[name]) for name in WITH_CODE}
        return web.json_response({**links, "qr": codes}, headers={"Cache-Control": "no-store"})

    async def _rehearse(self, request: web.Request) -> web.Response:
        room = await self._debates.rehearse(self._require_host(request).room)
        return await self._state(request, room)

    async def _start(self, request: web.Request) -> web.Response:
        room = await self._debates.start(self._require_host(request).room)
        return await self._state(request, room)

    async def _stop(self, request: web.Request) -> web.Response:
        room = await self._debates.stop(self._require_host(request).room)
        return await self._state(request, room)

    async def _choose_scene(self, request: web.Request) -> web.Response:
        grant = self._require_host(request)
        choice = SceneChoice.model_validate_json(await _read(request))
        await self._debates.choose_scene(grant.room, choice)
        return web.json_response(dump(choice))

    async def _list_recordings(self, request: web.Request) -> web.Response:
        entries = self._recordings.entries()
        return web.json_response(recordings_as_json(entries, self.base(request)))

    async def _file(self, request: web.Request) -> web.StreamResponse:
        recording, name = request.match_info["recording"], request.match_info["file"]
        path = self._recordings.find(recording, name)
        headers = {"Cache-Control": "private, max-age=0"}
        if "download" in request.query:
            nice = self._nice_name(recording, name)
            headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(nice)}"
        return web.FileResponse(path, headers=headers)

    async def _health(self, _request: web.Request) -> web.Response:
        return web.json_response(
            {"status": "ok", "version": __version__, "held_requests": self._lane.held}
        )

    def base(self, request: web.Request) -> str:
        """Start of absolute links: as configured, or as the request came."""
        if self._settings.public_url is not None:
            return self._settings.base_url
        if self._settings.tls and request.scheme == "http":
            # A program of ours on the plain loopback site: people have to come by the other.
            return self._addresses.shown
        return f"{request.scheme}://{request.host}"

    def _shared_base(self, request: web.Request) -> str:
        """Start of links for other devices, to which this machine's `localhost` is no use."""
        base = self.base(request)
        if self._settings.tls and is_loopback(urlsplit(base).hostname or ""):
            return self._addresses.shown
        return base

    def _require_host(self, request: web.Request) -> Grant:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer" or not token:
            message = "This needs the host's link."
            raise TokenError(message)
        return self._signer.require(token, request.match_info["room"], Role.HOST)

    def _all_links(self, request: web.Request, room: Room) -> dict[str, str]:
        base = self._shared_base(request)
        invites = {
            side.value: f"{base}/debate/{room.id}#{self._signer.sign(room.id, Role(side.value))}"
            for side in Side
        }
        return {
            "host": f"{self.base(request)}/host/{room.id}#{self._signer.sign(room.id, Role.HOST)}",
            **invites,
            "watch": f"{base}/watch/{room.id}",
            "hls": f"{base}/live/{room.id}/index.m3u8",
        }

    async def _state(self, request: web.Request, room: Room) -> web.Response:
        base = self.base(request)
        live = f"{base}/live/{room.id}"
        programme = self._origin.get(room.id)
        public = room.phase is not Phase.WAITING
        playable = public and programme is not None and programme.ready
        archive = await self._origin.archive(room.id) if public else None
        kept = archive if archive is not None and archive.takes else None
        recordings = [entry for entry in self._recordings.entries() if entry.room == room.id]
        return web.json_response(
            {
                "id": room.id,
                "motion": room.motion,
                "names": {side.value: room.name(side) for side in Side},
                "phase": room.phase.value,
                "started_at": room.started_at,
                "hls": f"{live}/index.m3u8" if playable else None,
                "dvr": f"{live}/dvr.m3u8" if kept else None,
                "vod": f"{live}/vod.m3u8" if kept and kept.ended else None,
                "recordings": recordings_as_json(recordings, base),
            },
            headers={"Cache-Control": "no-store"},
        )

    def _nice_name(self, recording: str, name: str) -> str:
        for entry in self._recordings.entries():
            for file in entry.files:
                if (entry.id, file.name) == (recording, name):
                    return download_name(entry, file)
        message = "There is no such recording."
        raise NotFoundError(message)


async def _read(request: web.Request) -> bytes:
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            return await request.read()
    except TimeoutError:
        raise web.HTTPRequestTimeout from None


def recordings_as_json(entries: Iterable[RecordingEntry], base: str) -> list[dict[str, Any]]:
    """List recordings as the API does; `base` goes before the files' paths."""
    return [
        {
            "id": entry.id,
            "room": entry.room,
            "motion": entry.motion,
            "names": dict(entry.names),
            "started_at": entry.started_at,
            "duration": entry.duration,
            "state": entry.state,
            "files": [
                {
                    "kind": file.kind,
                    "url": f"{base}/recordings/{entry.id}/{file.name}",
                    "bytes": file.bytes,
                }
                for file in entry.files
            ],
        }
        for entry in entries
    ]


def refuse_private(urls: Iterable[str]) -> None:
    """Raise InputError for destinations that are plainly inside our own network."""
    for url in urls:
        if _inside(urlsplit(url).hostname or ""):
            message = (
                "destinations: this address is inside a private network. "
                "The operator can allow that with BRIDGE_ALLOW_PRIVATE_DESTINATIONS."
            )
            raise InputError(message, code="private_destination")


def _inside(host: str) -> bool:
    """Whether a host says by itself that it is not on the public Internet. Resolves nothing."""
    name = host.rstrip(".")
    try:
        # The short and hexadecimal forms that the system's resolver takes for an address, too.
        packed = socket.inet_aton(name)
    except OSError:
        packed = None
    try:
        address = ipaddress.ip_address(packed or name.partition("%")[0])
    except ValueError:
        return f".{name}".endswith(_INSIDE)
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return not (mapped or address).is_global or address.is_multicast
