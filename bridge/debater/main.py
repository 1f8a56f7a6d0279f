"""Runs one debater until a signal or the debate's end."""

import asyncio
import signal
from pathlib import Path

from bridge.debater.debater import Debater, Pattern


async def main(
    invite: str, media: Path | None, name: str | None, *, pattern: Pattern = Pattern.FACE
) -> None:
    """Debate until SIGTERM, SIGINT or the debate's end, then leave politely.

    Raises what `Debater` does.
    """
    debater = Debater(invite, media=media, name=name, pattern=pattern)
    running = asyncio.create_task(debater.run())
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, debater.leave)
    try:
        await running
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
