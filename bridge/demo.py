"""`debate-bridge demo`: a server with one debate on air between two drawn debaters."""

import asyncio
import json
import logging
import sys
from asyncio.subprocess import PIPE, Process
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from bridge.server.app import serve
from bridge.server.listening import Addresses
from bridge.settings import Settings

logger = logging.getLogger(__name__)

_MOTION = "This house believes that the best argument should win, not the loudest"
_NAMES = {"proposition": "Ada Lovelace", "opposition": "Charles Babbage"}


async def run_demo(settings: Settings) -> None:
    """Serve until stopped; the debate goes on air as soon as both debaters have joined."""
    address: asyncio.Future[Addresses] = asyncio.get_running_loop().create_future()
    server = asyncio.create_task(serve(settings, on_ready=address.set_result, resume=False))
    debaters: list[Process] = []
    try:
        first: list[asyncio.Future[Any]] = [server, address]
        await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
        if address.done():
            debaters += await _go_on_air(address.result())
        await server
    finally:
        await asyncio.gather(*(_dismiss(debater) for debater in debaters))
        server.cancel()
        with suppress(asyncio.CancelledError):
            await server


async def _go_on_air(addresses: Addresses) -> list[Process]:
    async with aiohttp.ClientSession(addresses.local, raise_for_status=True) as http:
        async with http.post("/api/v1/rooms", json={"motion": _MOTION, **_NAMES}) as response:
            room: dict[str, Any] = await response.json()
        links = room["links"]
        debaters = [
            await _seat(_locally(links[side], addresses), name) for side, name in _NAMES.items()
        ]
        headers = {"Authorization": f"Bearer {room['host_token']}"}
        async with http.post(f"/api/v1/rooms/{room['id']}/start", headers=headers):
            pass
    lines = "\n".join(f"  {name:<12} {url}" for name, url in links.items())
    sys.stdout.write(
        f"\nOn air: {_MOTION}\n{lines}\n  recordings   {addresses.shown}/recordings\n\n"
    )
    sys.stdout.flush()
    return debaters


def _locally(link: str, addresses: Addresses) -> str:
    """Return a link as our own debaters follow it: past TLS, whose authority they do not know."""
    parts = urlsplit(link)
    return f"{addresses.local}{parts.path}#{parts.fragment}"


async def _seat(invite: str, name: str) -> Process:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bridge.debater", stdin=PIPE, start_new_session=True
    )
    assert process.stdin is not None  # noqa: S101 - PIPE was asked for
    process.stdin.write(json.dumps({"invite": invite, "media": None, "name": name}).encode())
    process.stdin.write(b"\n")
    await process.stdin.drain()
    return process


async def _dismiss(debater: Process) -> None:
    if debater.returncode is None:
        debater.terminate()
        try:
            await asyncio.wait_for(debater.wait(), 5)
        except TimeoutError:
            debater.kill()
            await debater.wait()
