"""API v1: JSON in, JSON or problem+json out."""

from typing import Annotated
from urllib.parse import urlsplit

from aiohttp import web
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from bridge import __version__
from bridge.protocol.events import MAX_TEXT
from bridge.protocol.messages import dump
from bridge.protocol.show import SceneChoice
from bridge.protocol.tokens import TokenSigner
from bridge.rooms.model import Phase, Role, Room, Side
from bridge.server.addresses import NewDestination, plain, refuse_private
from bridge.server.debates import Debates
from bridge.server.destinations import MOST
from bridge.server.lan import is_loopback
from bridge.server.lane.lane import Lane
from bridge.server.listening import Addresses
from bridge.server.origin.origin import Origin
from bridge.server.qr import QrDrawing, drawing
from bridge.server.recordings.library import RecordingLibrary
from bridge.server.recordings.model import Access
from bridge.server.recordings.routes import as_json
from bridge.server.requests import read_body, require_host
from bridge.server.terminal import WITH_CODE, PrintInvites
from bridge.settings import Settings

Name = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=60),
    AfterValidator(plain),
]
Motion = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=200),
    AfterValidator(plain),
]


class NewRoom(BaseModel):
    """Body of `POST /api/v1/rooms`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    motion: Motion
    proposition: Name
    opposition: Name
    destinations: Annotated[tuple[NewDestination, ...], Field(max_length=MOST)] = ()
    isolated: bool = False
    """Whether each debater's own tracks are kept beside the recording."""


class NewMarker(BaseModel):
    """Body of `POST /api/v1/rooms/{room}/markers`: a chapter begins here."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    text: Annotated[
        str,
        StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_TEXT),
        AfterValidator(plain),
    ]


class Api:
    """Routes under `/api/v1/rooms` and `/healthz`."""

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
            web.post(room + "/markers", self._mark),
            web.get("/healthz", self._health),
        ]

    async def _create(self, request: web.Request) -> web.Response:
        body = NewRoom.model_validate_json(await read_body(request))
        addresses = tuple(item.address for item in body.destinations)
        if not self._settings.allow_private_destinations:
            refuse_private(addresses)
        room = await self._debates.create(
            body.motion,
            body.proposition,
            body.opposition,
            addresses,
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
        room = await self._debates.find(require_host(request, self._signer).room)
        links = self._all_links(request, room)
        # Drawn here and not fetched by address: an address with a token in it would be logged.
        codes: dict[str, QrDrawing] = {name: drawing(links[name]) for name in WITH_CODE}
        return web.json_response({**links, "qr": codes}, headers={"Cache-Control": "no-store"})

    async def _rehearse(self, request: web.Request) -> web.Response:
        room = await self._debates.rehearse(require_host(request, self._signer).room)
        return await self._state(request, room)

    async def _start(self, request: web.Request) -> web.Response:
        room = await self._debates.start(require_host(request, self._signer).room)
        return await self._state(request, room)

    async def _stop(self, request: web.Request) -> web.Response:
        room = await self._debates.stop(require_host(request, self._signer).room)
        return await self._state(request, room)

    async def _choose_scene(self, request: web.Request) -> web.Response:
        grant = require_host(request, self._signer)
        choice = SceneChoice.model_validate_json(await read_body(request))
        await self._debates.choose_scene(grant.room, choice)
        return web.json_response(dump(choice))

    async def _mark(self, request: web.Request) -> web.Response:
        grant = require_host(request, self._signer)
        marker = NewMarker.model_validate_json(await read_body(request))
        await self._debates.mark(grant.room, marker.text)
        return web.Response(status=204)

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
        recordings = [
            entry
            for entry in self._recordings.entries()
            if entry.room == room.id and entry.access is not Access.HOST
        ]
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
                "recordings": [as_json(entry, base) for entry in recordings],
            },
            headers={"Cache-Control": "no-store"},
        )
