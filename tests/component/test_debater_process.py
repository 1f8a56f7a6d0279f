"""`python -m bridge.debater` as the command line and the demo start it."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from unittest.mock import ANY

import pytest_asyncio

from tests.debater_room import ROOM, SmallRoom
from tests.helpers import until


@pytest_asyncio.fixture
async def room() -> AsyncIterator[SmallRoom]:
    room = SmallRoom()
    await room.start()
    yield room
    await room.stop()


async def debater_process(line: bytes) -> asyncio.subprocess.Process:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bridge.debater",
        stdin=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin is not None
    process.stdin.write(line + b"\n")
    await process.stdin.drain()
    return process


async def ended(process: asyncio.subprocess.Process) -> tuple[int | None, str]:
    async with asyncio.timeout(30):
        _, said = await process.communicate()
    return process.returncode, said.decode()


async def test_process_leaves_politely_on_sigterm(room: SmallRoom) -> None:
    order = {"invite": room.invite("opposition"), "media": None, "name": "Zoë", "pattern": "sync"}
    process = await debater_process(json.dumps(order).encode())
    await until(lambda: room.seats, "he sits")
    process.terminate()
    assert await ended(process) == (0, ANY)
    assert room.left == ["opposition"]


async def test_process_says_why_it_may_not_sit_and_hides_the_token(room: SmallRoom) -> None:
    order = {"invite": f"{room.url}/debate/{ROOM}#forged-secret"}
    code, said = await ended(await debater_process(json.dumps(order).encode()))
    assert code == 1
    assert "not valid" in said
    assert "forged-secret" not in said
    assert "Traceback" not in said


async def test_process_refuses_a_malformed_order_without_repeating_it() -> None:
    line = b'{"invite": "http://x/debate/y#very-secret", "colour": "blue", "name": 5}'
    code, said = await ended(await debater_process(line))
    assert code == 2
    assert "colour" in said
    assert "very-secret" not in said
