"""`python -m bridge.broadcast`: one broadcast, told what to do on standard input.

The interpreter may be started long before the line comes: importing codecs takes a second that
nobody should wait for when going live.
"""

import logging
import os
import sys
from collections.abc import Iterable
from io import FileIO
from pathlib import Path

import uvloop
from pydantic import ValidationError

from bridge.broadcast.broadcast import Broadcast
from bridge.broadcast.standard_input import ended
from bridge.clock import SystemClock
from bridge.errors import SettingsError, SetupError
from bridge.log import Redactor, set_up
from bridge.protocol.broadcast_config import (
    BroadcastConfig,
    BroadcastOrder,
    DestinationConfig,
)

logger = logging.getLogger("bridge.broadcast")

_NICENESS = -10
_AUTOGROUP = Path("/proc/self/autogroup")

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_USAGE = 2


def _go_before_others() -> None:
    """Ask for the processor before whatever else runs here; a late tick cannot be made up for."""
    try:
        os.setpriority(os.PRIO_PROCESS, 0, _NICENESS)
        # With autogroup scheduling (sched(7)) niceness counts within a session only, and each
        # broadcast has one of its own: the session's share is what must grow.
        if _AUTOGROUP.exists():
            _AUTOGROUP.write_text(str(_NICENESS))
    except OSError as error:
        logger.debug("not allowed to raise our priority: %s", error.strerror)


async def _run(config: BroadcastConfig, redactor: Redactor, source: FileIO) -> int:
    broadcast = Broadcast(config, SystemClock())

    def take(line: bytes) -> None:
        try:
            order = BroadcastOrder.model_validate_json(line)
        except ValidationError as error:
            logger.error("malformed order: %s", _places(error))  # noqa: TRY400 - it may tell a key
            return
        _hide(redactor, order.destinations or ())
        broadcast.order(order)

    async with ended(source, take) as asked_to_end:
        return EXIT_OK if await broadcast.run(asked_to_end) else EXIT_FAILED


def _hide(redactor: Redactor, destinations: Iterable[DestinationConfig]) -> None:
    for destination in destinations:
        redactor.add(destination.url)
        redactor.add(destination.url.rpartition("/")[2])


def _places(error: ValidationError) -> str:
    """Say where something is malformed: the values may be secrets."""
    return ", ".join(".".join(map(str, item["loc"])) for item in error.errors())


def main() -> int:
    """Read the configuration, be on air until standard input ends, and say how it went."""
    # Without a buffer, in which the orders behind the first line would be lost.
    source = FileIO(sys.stdin.fileno(), closefd=False)
    line = source.readline()
    if not line:
        return EXIT_OK
    try:
        config = BroadcastConfig.model_validate_json(line)
    except ValidationError as error:
        sys.stderr.write(f"broadcast: malformed configuration: {_places(error)}\n")
        return EXIT_USAGE
    redactor = Redactor([config.token])
    _hide(redactor, config.destinations)
    set_up(config.log_level, redactor)
    _go_before_others()
    try:
        return uvloop.run(_run(config, redactor, source))
    except (SettingsError, SetupError) as error:
        # The operator's to mend: what to do is what he needs, not where it was found.
        logger.error("%s", error.message)  # noqa: TRY400 - see above
        return EXIT_FAILED


if __name__ == "__main__":
    sys.exit(main())
