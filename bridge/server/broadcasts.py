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
from bridge.protocol.broadcast_config import BroadcastConfig, BroadcastOrder
from bridge.protocol.messages import BroadcastState

logger = logging.getLogger(__name__)

COMMAND: Final = (sys.executable, "-m", "bridge.broadcast")
_BACKOFF: Final = Backoff(first=0.5, most=10.0)
_SETTLED_SECONDS: Final = 30.0
"""So long alive, and the next death is a new one: no pause before the first restart."""
_RENEW_SECONDS: Final = 5.0
_END_SECONDS: Final = 8.0
_TERM_SECONDS: Final = 2.0
ENVIRONMENT: Final = (
    "PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "PYTHONPATH", "PYTHONUNBUFFERED", "VIRTUAL_ENV",
)  # fmt: skip
"""What a child needs of ours; nothing that may hold a secret."""


class Spares:
    """Keeps one idle process: importing codecs takes a second that nobody should wait for.

    Loop-side only. The next spare is started some seconds after the last was taken, so that its
    imports do not compete with the first pictures of the broadcast that took it.
    """

    def __init__(self, command: Sequence[str], *, warm: bool) -> None:
        self._command = command
        self._warm = warm
        self._spare: Process | None = None
        self._renewal: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start the first spare."""
        self._renew(after=0.0)

    async def take(self) -> Process:
        """Return a process that waits for its configuration. Raises OSError."""
        spare, self._spare = self._spare, None
        process = spare if spare is not None and spare.returncode is None else await self._spawn()
        self._renew(after=_RENEW_SECONDS)
        return process

    async def stop(self) -> None:
        """End the spare. Idempotent."""
        self._warm = False
        if self._renewal is not None:
            self._renewal.cancel()
            await asyncio.gather(self._renewal, return_exceptions=True)
        spare, self._spare = self._spare, None
        if spare is not None:
            await end(spare)

    def _renew(self, after: float) -> None:
        if self._warm and (self._renewal is None or self._renewal.done()):
            self._renewal = asyncio.create_task(self._replace(after), name="spare-broadcast")

    async def _replace(self, after: float) -> None:
        await asyncio.sleep(after)
        if self._spare is None:
            try:
                self._spare = await self._spawn()
            except OSError as error:
                # It is a convenience; whoever needs a process will hear of it.
                logger.warning("no spare broadcast: %s", error.strerror)

    async def _spawn(self) -> Process:
        environment = {name: os.environ[name] for name in ENVIRONMENT if name in os.environ}
        return await asyncio.create_subprocess_exec(
            *self._command,
            stdin=PIPE,
            env=environment,
            # A person's Ctrl-C reaches the server alone, which then ends broadcasts in order.
            start_new_session=True,
        )


async def tell(process: Process, what: BroadcastConfig | BroadcastOrder) -> None:
    """Write one line; a child that died meanwhile is found by whoever waits for it."""
    assert process.stdin is not None  # noqa: S101 - PIPE was asked for
    try:
        # One line, far smaller than a pipe's buffer: never waits for a child that does not read.
        process.stdin.write(what.model_dump_json(exclude_none=True).encode() + b"\n")
        await process.stdin.drain()
    except (BrokenPipeError, ConnectionResetError):
        logger.warning("a broadcast died before it was told something")


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

    `configure()` makes the configuration of the next process; `on_change` is called at each
    change of `state`: STARTING, RESTARTING, ENDING or OFF. Whether there is something to see yet
    is not known here.
    """

    def __init__(
        self,
        name: str,
        spares: Spares,
        *,
        configure: Callable[[], BroadcastConfig],
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
        self._told: Process | None = None
        """The process that has its configuration."""
        self._ending = asyncio.Event()
        self._task = asyncio.create_task(self._supervise(), name=f"broadcast-{name}")

    @property
    def pid(self) -> int | None:
        """The process on air now."""
        return self._process.pid if self._process else None

    async def stop(self) -> None:
        """End the broadcast in order, within about ten seconds. Idempotent."""
        self._ending.set()
        if self.state is not BroadcastState.OFF:
            self._set(BroadcastState.ENDING)
        if self._process is not None and self._process.returncode is None:
            await end(self._process)
        await self._task
        self._set(BroadcastState.OFF)

    async def order(self, order: BroadcastOrder) -> None:
        """Tell the process on air; one that is still to come is configured anew in any case."""
        if self._told is not None and self._told.returncode is None:
            await tell(self._told, order)

    async def _supervise(self) -> None:
        """Run one process after another until the end is asked for."""
        early_deaths = 0
        while not self._ending.is_set():
            begin = self._clock.monotonic()
            try:
                reason = await self._run_once()
            except OSError as error:
                reason = f"could not be started: {error.strerror}"
            if self._ending.is_set():
                return
            logger.error("broadcast of %s %s; starting another", self.name, reason)
            settled = self._clock.monotonic() - begin > _SETTLED_SECONDS
            early_deaths = 0 if settled else early_deaths + 1
            self.restarts += 1
            self._set(BroadcastState.RESTARTING)
            await self._pause(early_deaths)

    async def _run_once(self) -> str:
        """Be on air with one process; returns how it ended. Raises OSError."""
        process = self._process = await self._spares.take()
        if self._ending.is_set():
            await end(process)
        else:
            await self._tell(process)
        code = await process.wait()
        return f"was killed by signal {-code}" if code < 0 else f"ended with {code}"

    async def _tell(self, process: Process) -> None:
        """Configure it as things are now. Raises OSError, and ends it then."""
        try:
            config = self._configure()
        except OSError:
            await end(process)
            raise
        # `tell` writes before anything else can run: no order falls in between.
        self._told = process
        await tell(process, config)

    async def _pause(self, early_deaths: int) -> None:
        if early_deaths <= 1:
            # A first death is an accident: the debate is on air, so at once.
            return
        try:
            seconds = _BACKOFF.pause(early_deaths - 2, self._random)
            await asyncio.wait_for(self._ending.wait(), seconds)
        except TimeoutError:
            return

    def _set(self, state: BroadcastState) -> None:
        if self.state is not state:
            self.state = state
            self._on_change()
