"""The lane: everything that connections for `/live/` share."""

import asyncio
import logging
from collections.abc import Awaitable
from typing import Final

from aiohttp import web
from multidict import CIMultiDict

from bridge.server.lane import head as heads
from bridge.server.lane.connection import LaneConnection
from bridge.server.lane.crowds import Crowds, Waiting
from bridge.server.lane.refusals import BUSY, refused
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

    def read(self, answer: Awaitable[Answer], waiting: Waiting) -> bool:
        """Have `waiting` get an answer that must be awaited; False when there are too many."""
        if len(self._reads) >= _MOST_READS:
            return False
        task = asyncio.ensure_future(_deliver(answer, waiting))
        self._reads.add(task)
        task.add_done_callback(self._reads.discard)
        return True

    async def answer(self, asked: Asked) -> Answer:
        """Answer as the lane does, for whoever has a connection of another kind."""
        reply = self._ask(asked)
        if isinstance(reply, Answer):
            return reply
        guest = _Guest()
        if not isinstance(reply, Held):
            if not self.read(reply, guest):
                asyncio.ensure_future(reply).cancel()
                return BUSY
            return await guest.answer
        if not self.crowds.hold(guest, reply):
            return BUSY
        try:
            return await guest.answer
        finally:
            self.crowds.leave(guest, reply)

    async def view(self, request: web.Request) -> web.Response:
        """Answer a request that aiohttp has read: one that came behind another's, or its body."""
        try:
            heads.check_method(request.method)
        except heads.MalformedError as error:
            return _response(refused(error))
        asked = Asked(
            method=request.method,
            path=request.path,
            query=request.query_string,
            takes_gzip=heads.takes_gzip(request.headers.get("Accept-Encoding", "")),
            etags=heads.etags(request.headers.get("If-None-Match")),
        )
        return _response(await self.answer(asked))

    async def stop(self) -> None:
        """Give up what waits for the disk. Idempotent."""
        for task in self._reads:
            task.cancel()
        await asyncio.gather(*self._reads, return_exceptions=True)


def _response(answer: Answer) -> web.Response:
    return web.Response(
        status=answer.status, headers=CIMultiDict(answer.fields), body=bytes(answer.body)
    )


class _Guest:
    """Waits like a connection of the lane."""

    def __init__(self) -> None:
        self.answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()

    def deliver(self, answer: Answer) -> None:
        """Let whoever waits go on, unless they left."""
        if not self.answer.done():
            self.answer.set_result(answer)


async def _deliver(answer: Awaitable[Answer], waiting: Waiting) -> None:
    waiting.deliver(await answer)
