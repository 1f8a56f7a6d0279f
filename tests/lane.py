"""A server with a lane on a real socket, for tests that need nothing else of the server."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from aiohttp import web

from bridge.server.lane.lane import Lane


@asynccontextmanager
async def serving(app: web.Application, lane: Lane) -> AsyncIterator[tuple[str, int]]:
    """Serve until the block ends; yields host and port."""
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    assert runner.server is not None
    loop = asyncio.get_running_loop()
    server = await loop.create_server(partial(lane.connection, runner.server), "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()
    finally:
        server.close()
        await lane.stop()
        await runner.cleanup()
