"""Routes of a debate's destinations. Every one is the host's."""

from aiohttp import web

from bridge.log import mask_url
from bridge.protocol.tokens import TokenSigner
from bridge.rooms.model import Destination
from bridge.rooms.platforms import PLATFORMS, label, warning
from bridge.server.addresses import NewDestination, refuse_private
from bridge.server.destinations import Destinations
from bridge.server.requests import read_body, require_host
from bridge.settings import Settings


class DestinationRoutes:
    """Routes under `/api/v1/rooms/{room}/destinations`, and the platforms there are."""

    def __init__(self, settings: Settings, destinations: Destinations, signer: TokenSigner) -> None:
        self._settings = settings
        self._destinations = destinations
        self._signer = signer

    def routes(self) -> list[web.RouteDef]:
        """Every route."""
        room = "/api/v1/rooms/{room}/destinations"
        return [
            web.get("/api/v1/platforms", self._platforms),
            web.post(room, self._add),
            web.delete(room + "/{destination}", self._remove),
            web.post(room + "/{destination}/retry", self._retry),
            web.post(room + "/{destination}/test", self._test),
        ]

    async def _platforms(self, _request: web.Request) -> web.Response:
        return web.json_response(
            [
                {"name": each.name, "label": each.label, "tests_unseen": bool(each.test_query)}
                for each in PLATFORMS.values()
            ]
        )

    async def _add(self, request: web.Request) -> web.Response:
        grant = require_host(request, self._signer)
        body = NewDestination.model_validate_json(await read_body(request))
        if not self._settings.allow_private_destinations:
            refuse_private([body.address])
        added = await self._destinations.add(grant.room, body.address)
        return web.json_response(self._as_json(added), status=201)

    async def _remove(self, request: web.Request) -> web.Response:
        grant = require_host(request, self._signer)
        await self._destinations.remove(grant.room, request.match_info["destination"])
        return web.Response(status=204)

    async def _retry(self, request: web.Request) -> web.Response:
        grant = require_host(request, self._signer)
        await self._destinations.retry(grant.room, request.match_info["destination"])
        return web.Response(status=204)

    async def _test(self, request: web.Request) -> web.Response:
        grant = require_host(request, self._signer)
        report = await self._destinations.test(grant.room, request.match_info["destination"])
        return web.json_response(report.model_dump(mode="json"))

    def _as_json(self, destination: Destination) -> dict[str, str]:
        return {
            "id": destination.id,
            "label": label(destination.url),
            "address": mask_url(destination.url),
            "warning": warning(destination.url, self._settings.video_kbps),
        }
