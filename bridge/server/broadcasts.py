"""Broadcast processes: started, told what to do, started again when they die, ended in order."""

import asyncio
import logging
import os
import random
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Sequence
from typing import Final

from bridge.clock import Clock
from bridge.concurrency.backoff import Backoff
from bridge.protocol.broadcast_config import BroadcastConfig
from bridge.protocol.messages import BroadcastState

logger = logging.getLogger(__name__)

COMMAND: Final = (sys.executable, "-m", "bridge.broadcast")
_BACKOFF: Final = Backoff(first=0.5, most=10.0)
_SETTLED_SECONDS: Final = 30.0
"""So long alive, and the next death is a new one: no pause before the first restart."""
_END_SECONDS: Final = 8.0
_TERM_SECONDS: Final = 2.0
_ENVIRONMENT: Final = (
    "PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "PYTHONPATH", "PYTHONUNBUFFERED", "VIRTUAL_ENV",
)  # fmt: skip
"""What a child needs of ours; nothing that may hold a secret."""


class Spares:
    """Keeps one idle process: importing codecs takes a second that nobody should wait for."""

    def __init__(self, command: Sequence[str], *, warm: bool) -> None:
        self._command = command
        self._warm = warm
        self._next: asyncio.Task[Process] | None = None

    def start(self) -> None:
        """Start the first spare."""
        if self._warm and self._next is None:
            self._next = asyncio.create_task(self._spawn(), name="spare-broadcast")

    async def take(self) -> Process:
        """Return a process that waits for its configuration; another spare is started."""
        waiting, self._next = self._next, None
        process = await waiting if waiting is not None else await self._spawn()
        if process.returncode is not None:
            process = await self._spawn()
        self.start()
        return process

    async def stop(self) -> None:
        """End the spare."""
        waiting, self._next, self._warm = self._next, None, False
        if waiting is not None:
            await end(await waiting)

    async def _spawn(self) -> Process:
        environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
        return await asyncio.create_subprocess_exec(
            *self._command,
            stdin=PIPE,
            env=environment,
            # A person's Ctrl-C reaches the server alone, which then ends broadcasts in order.
            start_new_session=True,
        )


async def tell(process: Process, config: BroadcastConfig) -> None:
    """Write the configuration; a child that died meanwhile is found by whoever waits for it."""
    assert process.stdin is not None  # noqa: S101 - PIPE was asked for
    try:
        process.stdin.write(config.model_dump_json().encode() + b"\n")
        await process.stdin.drain()
    except (BrokenPipeError, ConnectionResetError):
        logger.warning("a broadcast died before it was told what to do")


async def end(process: Process) -> None:
    """End a child in order: by its standard input, then SIGTERM, then SIGKILL."""
    assert process.stdin is not None  # noqa: S101 - PIPE was asked for
    process.stdin.close()
    for seconds, force in ((_END_SECONDS, process.terminate), (_TERM_SECONDS, process.kill)):
        try:
            await asyncio.wait_for(process.wait(), seconds)
        except TimeoutError:
            logger.warning("broadcast %d does not end by itself", process.pid)
            force()
        else:
            return
    await process.wait()


class BroadcastRun:
    """One programme on air for as long as wanted, by one process after another. Loop-side only.

    `configure(restarts)` makes the configuration of the next process; `on_change` is called at
    each change of `state`.
    """

    def __init__(
        self,
        name: str,
        spares: Spares,
        *,
        configure: Callable[[int], BroadcastConfig],
        on_change: Callable[[], None],
        clock: Clock,
    ) -> None:
        self.name = name
        self.state = BroadcastState.STARTING
        self.restarts = 0
        self._spares = spares
        self._configure = configure
        self._on_change = on_change
        self._clock = clock
        self._random = random.Random()  # noqa: S311 - jitter, not a secret
        self._process: Process | None = None
        self._ending = asyncio.Event()
        self._task = asyncio.create_task(self._supervise(), name=f"broadcast-{name}")

    @property
    def pid(self) -> int | None:
        """The process on air now."""
        return self._process.pid if self._process else None

    def set_on(self) -> None:
        """Note that the programme can be played."""
        if self.state in {BroadcastState.STARTING, BroadcastState.RESTARTING}:
            self._set(BroadcastState.ON)

    async def stop(self) -> None:
        """End the broadcast in order, within about ten seconds. Idempotent."""
        self._ending.set()
        if self.state is not BroadcastState.OFF:
            self._set(BroadcastState.ENDING)
        if self._process is not None and self._process.returncode is None:
            await end(self._process)
        await asyncio.gather(self._task, return_exceptions=True)
        self._set(BroadcastState.OFF)

    async def _supervise(self) -> None:
        deaths = 0
        while not self._ending.is_set():
            self._process = await self._spares.take()
            if self._ending.is_set():
                await end(self._process)
                return
            begin = self._clock.monotonic()
            await tell(self._process, self._configure(self.restarts))
            code = await self._process.wait()
            if self._ending.is_set():
                return
            logger.error("broadcast of %s died with %d; starting another", self.name, code)
            deaths = 0 if self._clock.monotonic() - begin > _SETTLED_SECONDS else deaths + 1
            self.restarts += 1
            self._set(BroadcastState.RESTARTING)
            await self._pause(deaths)

    async def _pause(self, deaths: int) -> None:
        if deaths <= 1:
            return
        try:
            seconds = _BACKOFF.pause(deaths - 2, self._random)
            await asyncio.wait_for(self._ending.wait(), seconds)
        except TimeoutError:
            return

    def _set(self, state: BroadcastState) -> None:
        if self.state is not state:
            self.state = state
            self._on_change()
