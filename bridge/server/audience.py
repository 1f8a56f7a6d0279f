"""Who watches right now: a count from heartbeats, without cookies. Loop-side only.

A page draws a name when it opens and tells it every ten seconds. Names are as easily made up as
they are drawn, so the count is for people, not for money. Addresses would not tell more, for all
viewers behind a proxy share one. So the newcomers of a room are bounded, which bounds how fast and
how far a liar moves its count, and the names over all rooms, which bounds the memory.
"""

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from itertools import islice
from statistics import median
from typing import Annotated, Final

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from bridge.clock import Clock
from bridge.rooms.model import Phase, Room
from bridge.server.rate import TokenBucket

_FORGOTTEN_SECONDS: Final = 25.0
"""Two heartbeats may be lost."""
_NEVER_KEPT: Final = {"Cache-Control": "no-store"}
_MOST_VIEWERS: Final = 100_000
"""Names kept over all rooms, some 400 bytes each."""
_NEWCOMERS_PER_SECOND: Final = 200.0
"""Of a room. Who comes too soon is counted with a later heartbeat: 5,000 at once within 20 s."""
_NEWCOMERS_AT_ONCE: Final = 2000.0
_ASKED_FOR_MEDIAN: Final = 1000
"""Enough for a tenth of a second; sorting everybody would hold up the loop."""


class Heartbeat(BaseModel):
    """Body of `POST /api/v1/rooms/{room}/viewers`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    viewer: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
    """Drawn by the page."""
    latency: Annotated[float, Field(ge=0, le=86_400, allow_inf_nan=False)] | None = None
    """Seconds behind the debate; None when not live."""
    leaving: bool = False


@dataclass(slots=True)
class _Room:
    newcomers: TokenBucket
    latencies: dict[str, float | None] = field(default_factory=dict)
    """By viewer; the one who was heard longest ago comes first."""


class Audience:
    """Counts the viewers of every room."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._rooms: dict[str, _Room] = {}
        self._heard: OrderedDict[tuple[str, str], float] = OrderedDict()
        """When, by room and viewer; the one who was heard longest ago comes first."""

    def hear(self, room: str, beat: Heartbeat) -> int:
        """Take note of a heartbeat; returns how many watch."""
        self._forget()
        key = (room, beat.viewer)
        if beat.leaving:
            self._drop(key)
        elif key in self._heard or self._has_place(room):
            self._heard[key] = self._clock.monotonic()
            self._heard.move_to_end(key)
            latencies = self._rooms[room].latencies
            latencies.pop(beat.viewer, None)
            latencies[beat.viewer] = beat.latency
        return self.count(room)

    def count(self, room: str) -> int:
        """Return how many watch."""
        self._forget()
        found = self._rooms.get(room)
        return len(found.latencies) if found else 0

    def latency(self, room: str) -> float | None:
        """Return the median of what the last heard say, in seconds; None when nobody does."""
        self._forget()
        found = self._rooms.get(room)
        last = islice(reversed(found.latencies.values()), _ASKED_FOR_MEDIAN) if found else ()
        told = [latency for latency in last if latency is not None]
        return median(told) if told else None

    def _has_place(self, room: str) -> bool:
        """Whether one more is counted in a room, which is there afterwards."""
        if len(self._heard) >= _MOST_VIEWERS:
            return False
        if room not in self._rooms:
            bucket = TokenBucket(self._clock, _NEWCOMERS_PER_SECOND, _NEWCOMERS_AT_ONCE)
            self._rooms[room] = _Room(bucket)
        return self._rooms[room].newcomers.take()

    def _forget(self) -> None:
        """Forget who has not been heard of for a while, in every room; each is looked at once."""
        last = self._clock.monotonic() - _FORGOTTEN_SECONDS
        while self._heard and next(iter(self._heard.values())) < last:
            self._drop(next(iter(self._heard)))

    def _drop(self, key: tuple[str, str]) -> None:
        """Forget one viewer, and his room when he was the last there."""
        if self._heard.pop(key, None) is None:
            return
        room, viewer = key
        del self._rooms[room].latencies[viewer]
        if not self._rooms[room].latencies:
            del self._rooms[room]


class AudienceViews:
    """What pages that play ask for. `find(room)` raises NotFoundError for a room there is not."""

    def __init__(
        self, audience: Audience, clock: Clock, find: Callable[[str], Awaitable[Room]]
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
        room = await self._find(request.match_info["room"])
        # Before and afterwards there is nothing live to watch.
        viewers = self._audience.hear(room.id, beat) if room.phase is Phase.LIVE else 0
        return web.json_response({"viewers": viewers}, headers=_NEVER_KEPT)
