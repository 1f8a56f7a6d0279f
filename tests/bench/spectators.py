"""How many spectators hold the next playlist until the answer is late: `make bench-spectators`.

First the origin alone, by its lane and by plain aiohttp handlers; then the whole server with a
programme on air, and Varnish in front of it. Two processes load two processors here: what the crowd
itself uses is in the table.
"""

import argparse
import asyncio
import contextlib
import json
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil

from bridge.protocol.messages import IngestState
from bridge.rooms.model import Side
from tests.bench.on_air import say
from tests.e2e.stack import Bridge, HeadlessDebater, HostEye
from tests.helpers import until
from tests.varnish import varnish

_LATE_MS = 50.0
_SECONDS = 8.0
_HEAD = (
    "way", "spectators", "p50 ms", "p99 ms", "max ms", "CPU of a core: origin", "crowd",
    "origin MB", "refused", "skipped ticks",
)  # fmt: skip


async def main(arguments: Sequence[str] = ()) -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench spectators")
    parser.add_argument("--alone", type=int, nargs="*", default=[1000, 2000, 4000, 6000, 8000])
    parser.add_argument("--live", type=int, nargs="*", default=[1000, 2000, 4000, 6000])
    parser.add_argument("--edge", type=int, nargs="*", default=[1000, 3000, 10000])
    options = parser.parse_args(arguments)
    say(f"| {' | '.join(_HEAD)} |")
    say("|---" * len(_HEAD) + "|")
    for way in ("aiohttp", "lane"):
        await _alone(way, options.alone)
    async with _on_air() as (bridge, room, eye):
        address = urlsplit(bridge.url)
        assert address.hostname is not None
        assert address.port is not None
        for count in options.live:
            if await _row("server", bridge.pid, address.port, room, count, eye) > _LATE_MS:
                break
        with tempfile.TemporaryDirectory() as folder:
            # Few threads: more than processors only contend, and all who wait queue for them.
            pools = (
                "thread_pools=1", "thread_pool_min=20", "thread_pool_max=40",
                "thread_queue_limit=20000", "timeout_idle=75",
            )  # fmt: skip
            async with varnish(Path(folder), address.port, *pools) as url:
                port = urlsplit(url).port
                assert port is not None
                for count in options.edge:
                    await _row("Varnish", bridge.pid, port, room, count, eye)


async def _alone(way: str, counts: Sequence[int]) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.bench.origin_alone", way, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        port = int(await process.stdout.readline())
        for count in counts:
            if await _row(way, process.pid, port, "room", count, None) > _LATE_MS:
                break
    finally:
        process.terminate()
        await process.wait()


@contextlib.asynccontextmanager
async def _on_air() -> AsyncIterator[tuple[Bridge, str, HostEye]]:
    with tempfile.TemporaryDirectory() as folder:
        bridge = Bridge(Path(folder))
        await bridge.start()
        try:
            room = await bridge.create()
            async with (
                HostEye(room["links"]["host"]) as eye,
                HeadlessDebater(room["links"]["proposition"]),
                HeadlessDebater(room["links"]["opposition"]),
            ):
                path = f"/api/v1/rooms/{room['id']}/start"
                await bridge.call("POST", path, token=room["host_token"])
                await until(
                    lambda: {eye.ingest(side) for side in Side} == {IngestState.RECEIVING},
                    "both debaters are received",
                )
                await asyncio.sleep(8)
                yield bridge, room["id"], eye
        finally:
            await bridge.stop()


async def _row(
    way: str, pid: int, port: int, programme: str, count: int, eye: HostEye | None
) -> float:
    """Print a row; returns p99 in milliseconds."""
    origin, before = psutil.Process(pid), _skipped(eye)
    crowd = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.bench.crowd", "127.0.0.1", str(port), programme, str(count),
        str(_SECONDS), stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert crowd.stdout is not None
    asked = asyncio.create_task(crowd.stdout.read())
    # The middle of the run: everybody is there.
    await asyncio.sleep(3 + count / 2000 + 1)
    origin.cpu_percent()
    await asyncio.sleep(_SECONDS - 3)
    used = origin.cpu_percent() / 100
    memory = origin.memory_info().rss / 1e6
    figures: dict[str, Any] = json.loads(await asked)
    await crowd.wait()
    refused = ", ".join(f"{number} x {kind}" for kind, number in figures["refused"].items())
    cells = (
        way,
        str(count),
        f"{figures['p50']:.1f}",
        f"{figures['p99']:.1f}",
        f"{figures['max']:.1f}",
        f"{used:.2f}",
        f"{figures['client_cpu']:.2f}",
        f"{memory:.0f}",
        refused or "none",
        "" if eye is None else str(_skipped(eye) - before),
    )
    say(f"| {' | '.join(cells)} |")
    return float(figures["p99"])


def _skipped(eye: HostEye | None) -> int:
    if eye is None or eye.room is None or eye.room.host is None or eye.room.host.programme is None:
        return 0
    return eye.room.host.programme.skipped
