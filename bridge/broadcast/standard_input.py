"""Standard input as the parent's hand: it tells what to do, and when it lets go, all ends."""

import asyncio
import logging
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from io import FileIO
from typing import Final

logger = logging.getLogger(__name__)

_MOST_BYTES: Final = 256 * 1024
"""Of one line. The longest carries a few addresses."""


@asynccontextmanager
async def ended(source: FileIO, on_line: Callable[[bytes], None]) -> AsyncIterator[asyncio.Event]:
    """Give an event that is set when `source` ends or SIGTERM comes. Loop-side only.

    `source` is a pipe; `on_line` gets each line that is written to it. A line that is too long is
    the parent's fault, and ends it all.
    """
    loop = asyncio.get_running_loop()
    event = asyncio.Event()
    reader = asyncio.StreamReader(_MOST_BYTES)
    transport, _ = await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), source
    )

    async def follow() -> None:
        try:
            async for line in reader:
                on_line(line)
        except ValueError:
            logger.exception("standard input: a line of more than %d bytes", _MOST_BYTES)
        event.set()

    # The server ends us by closing the pipe; a person's Ctrl-C is the server's business.
    loop.add_signal_handler(signal.SIGTERM, event.set)
    loop.add_signal_handler(signal.SIGINT, lambda: None)
    task = asyncio.create_task(follow())
    try:
        yield event
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        transport.close()
