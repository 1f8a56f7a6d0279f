"""Standard input as the parent's hand: when it lets go, the broadcast ends."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import BinaryIO


@asynccontextmanager
async def ended(source: BinaryIO) -> AsyncIterator[asyncio.Event]:
    """Give an event that is set when `source` ends or SIGTERM comes. Loop-side only.

    `source` is a pipe; what is written to it is read and ignored.
    """
    loop = asyncio.get_running_loop()
    event = asyncio.Event()
    reader = asyncio.StreamReader()
    transport, _ = await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), source
    )

    async def drain() -> None:
        while await reader.read(4096):
            pass
        event.set()

    # The server ends us by closing the pipe; a person's Ctrl-C is the server's business.
    loop.add_signal_handler(signal.SIGTERM, event.set)
    loop.add_signal_handler(signal.SIGINT, lambda: None)
    task = asyncio.create_task(drain())
    try:
        yield event
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        transport.close()
