"""Who watches right now: a count from heartbeats, without cookies. Loop-side only.

A page draws a name when it opens and tells it every ten seconds. Names are as easily made up as
they are drawn, so the count is for people, not for money; what making them up can cost is bounded
by the number of names that are kept.
"""

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from statistics import median
from typing import Annotated, Final

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from bridge.clock import Clock

_FORGOTTEN_SECONDS: Final = 25.0
"""Two heartbeats may be lost."""
_NEVER_KEPT: Final = {"Cache-Control": "no-store"}
_MOST_VIEWERS: Final = 100_000
"""Names kept over all rooms, some 200 bytes each."""


class Heartbeat(BaseModel):
    """Body of `POST /api/v1/rooms/{room}/viewers`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    viewer: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
    """Drawn by the page."""
    latency: Annotated[float, Field(ge=0, le=86_400, allow_inf_nan=False)] | None = None
    """Seconds behind the debate; None when not live."""
    leaving: bool = False


@dataclass(slots=True)
class _Viewer:
    seen: float
    latency: float | None


@dataclass(slots=True)
class _Room:
    """The one who was heard longest ago comes first."""

    viewers: OrderedDict[str, _Viewer] = field(default_factory=OrderedDict)


class Audience:
    """Counts the viewers of every room."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._rooms: dict[str, _Room] = {}
        self._count = 0

    def hear(self, room: str, beat: Heartbeat) -> int:
        """Take note of a heartbeat; returns how many watch."""
        found = self._rooms.setdefault(room, _Room())
        self._forget(room)
        if found.viewers.pop(beat.viewer, None) is not None:
            self._count -= 1
        if not beat.leaving and self._count < _MOST_VIEWERS:
            found.viewers[beat.viewer] = _Viewer(self._clock.monotonic(), beat.latency)
            self._count += 1
            self._rooms[room] = found
        return len(found.viewers)

    def count(self, room: str) -> int:
        """Return how many watch."""
        self._forget(room)
        return len(self._rooms[room].viewers) if room in self._rooms else 0

    def latency(self, room: str) -> float | None:
        """Return the median of what viewers say, in seconds; None when nobody does."""
        self._forget(room)
        viewers = self._rooms[room].viewers.values() if room in self._rooms else ()
        told = [one.latency for one in viewers if one.latency is not None]
        return median(told) if told else None

    def _forget(self, room: str) -> None:
        """Forget who has not been heard of for a while; each is looked at once."""
        found = self._rooms.get(room)
        if found is None:
            return
        last = self._clock.monotonic() - _FORGOTTEN_SECONDS
        while found.viewers and next(iter(found.viewers.values())).seen < last:
            found.viewers.popitem(last=False)
            self._count -= 1
        if not found.viewers:
            del self._rooms[room]


class AudienceViews:
    """What pages that play ask for. `find(room)` raises NotFoundError for a room there is not."""

    def __init__(
        self, audience: Audience, clock: Clock, find: Callable[[str], Awaitable[object]]
    ) -> None:
        self._audience = audience
        self._clock = clock
        self._find = find

    def routes(self) -> list[web.RouteDef]:
        """Every route."""
        return [
            web.get("/api/v1/time", self._time),
            web.post("/api/v1/rooms/{room}/viewers", self._hear),
        ]

    async def _time(self, _request: web.Request) -> web.Response:
        return web.json_response({"now": self._clock.wall()}, headers=_NEVER_KEPT)

    async def _hear(self, request: web.Request) -> web.Response:
        beat = Heartbeat.model_validate_json(await request.read())
        room = request.match_info["room"]
        await self._find(room)
        return web.json_response({"viewers": self._audience.hear(room, beat)}, headers=_NEVER_KEPT)
