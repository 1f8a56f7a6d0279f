"""What tests of every layer use."""

import asyncio
import inspect
import socket
from collections.abc import Callable
from typing import Any


async def until(condition: Callable[[], Any], what: str, *, seconds: float = 20.0) -> Any:
    """Poll `condition` until it is true and return its value; fail with `what` otherwise."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while True:
        value = condition()
        if inspect.isawaitable(value):
            value = await value
        if value:
            return value
        if loop.time() > end:
            message = f"waited {seconds:g} s in vain until {what}; last: {value!r}"
            raise AssertionError(message)
        await asyncio.sleep(0.05)


def free_port() -> int:
    """Return a loopback TCP port that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
