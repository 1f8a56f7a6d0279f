"""An origin without a bridge around it, fed by a timer: `python -m tests.bench.origin_alone WAY`.

WAY is `lane`, or `aiohttp` for the same answers by plain handlers. Prints the port.
"""

import asyncio
import gc
import resource
import sys
from functools import partial

import uvloop
from aiohttp import web

from bridge.clock import SystemClock
from bridge.server.lane.lane import Lane
from bridge.server.origin.origin import Origin
from bridge.server.origin.routes import Routes
from tests.server import SESSION, description, init_bytes, part_bytes

_BACKLOG = 4096


async def serve(way: str) -> None:
    origin = Origin(SystemClock(), listed=10)
    lane = Lane(Routes(origin), max_held=100_000)
    app = web.Application()
    app.router.add_route("*", "/live/{rest:.*}", lane.view)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    assert runner.server is not None
    made = partial(lane.connection, runner.server) if way == "lane" else runner.server
    loop = asyncio.get_running_loop()
    server = await loop.create_server(made, "127.0.0.1", 0, backlog=_BACKLOG)
    programme = origin.open("room", description())
    programme.open_session(SESSION, description())
    programme.put_init(SESSION, (init_bytes(),))
    begin, number = loop.time(), 0
    while True:
        programme.put_part(SESSION, number, (part_bytes(number),))
        number += 1
        if number == 12:
            sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
            sys.stdout.flush()
        # The first ones at once, so that there is a window to begin with.
        await asyncio.sleep(max(0.0, begin + (number - 12) * 0.4 - loop.time()))


if __name__ == "__main__":
    _, limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    gc.disable()
    uvloop.run(serve(sys.argv[1]))
