"""The lane: everything that connections for `/live/` share."""

import asyncio
import logging
from collections.abc import Awaitable
from typing import Final

from aiohttp import web
from multidict import CIMultiDict

from bridge.server.lane import head as heads
from bridge.server.lane.connection import LaneConnection
from bridge.server.lane.crowds import Crowds
from bridge.server.lane.wire import Wire
from bridge.server.origin.answers import Answer, Ask, Asked, Held, Reply

logger = logging.getLogger(__name__)

KEEP_ALIVE_SECONDS: Final = 75.0
"""Longer than any request is held, and than proxies keep their own side."""
_MOST_READS: Final = 64
"""Answers that wait for the disk at once; above it 503."""


class Lane:
    """Answers what is below `/live/` by `ask`, for thousands of connections. Loop-side only.

    At most `max_held` requests wait at once, each on a connection of its own.
    """

    def __init__(self, ask: Ask, *, max_held: int) -> None:
        self._ask = ask
        self._reads: set[asyncio.Task[None]] = set()
        self.crowds = Crowds(max_held)
        self.wire = Wire()

    @property
    def held(self) -> int:
        """Requests that wait now."""
        return self.crowds.count

    def ask(self, asked: Asked) -> Reply:
        """Return what the origin says."""
        return self._ask(asked)

    def connection(self, server: web.Server) -> LaneConnection:
        """Make the connection of one more client of `server`, whose life and other requests it has.

        For `loop.create_server`.
        """
        return LaneConnection(self, server, keepalive_timeout=KEEP_ALIVE_SECONDS, access_log=None)

    def read(self, answer: Awaitable[Answer], connection: LaneConnection) -> bool:
        """Have `connection` get an answer that must be awaited; False when there are too many."""
        if len(self._reads) >= _MOST_READS:
            return False
        task = asyncio.ensure_future(_deliver(answer, connection))
        self._reads.add(task)
        task.add_done_callback(self._reads.discard)
        return True

    async def answer(self, asked: Asked) -> Answer:
        """Answer as the lane does, for whoever has a connection of another kind."""
        reply = self._ask(asked)
        if isinstance(reply, Answer):
            return reply
        if not isinstance(reply, Held):
            return await reply
        try:
            await asyncio.wait_for(asyncio.shield(reply.until), reply.seconds)
        except TimeoutError:
            return reply.too_late
        except Exception:  # noqa: BLE001 - `answer` says what it means
            logger.debug("a held request ends with the server")
        return reply.answer()

    async def view(self, request: web.Request) -> web.Response:
        """Answer a request that aiohttp has read: one that was pipelined behind another's."""
        asked = Asked(
            method=request.method,
            path=request.path,
            query=request.query_string,
            takes_gzip=heads.takes_gzip(request.headers.get("Accept-Encoding", "")),
            etags=heads.etags(request.headers.get("If-None-Match")),
        )
        answer = await self.answer(asked)
        return web.Response(
            status=answer.status, headers=CIMultiDict(answer.fields), body=bytes(answer.body)
        )

    async def stop(self) -> None:
        """Give up what waits for the disk. Idempotent."""
        for task in self._reads:
            task.cancel()
        await asyncio.gather(*self._reads, return_exceptions=True)


async def _deliver(answer: Awaitable[Answer], connection: LaneConnection) -> None:
    connection.deliver(await answer)
