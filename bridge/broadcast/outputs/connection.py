"""One connection to one RTMP destination: a child process, fed and watched from the loop."""

import asyncio
import contextlib
import json
import logging
import ssl
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

import bridge
from bridge.broadcast.media.packets import CodecParameters, EncodedPacket
from bridge.broadcast.outputs import flv
from bridge.broadcast.outputs.constant_rate import ConstantRate
from bridge.broadcast.outputs.gop_queue import GopQueue
from bridge.broadcast.outputs.liveness import Ended, Liveness, Progress, accepted, assess
from bridge.clock import Clock

logger = logging.getLogger(__name__)

_CHILD: Final = "bridge.broadcast.outputs.restream_child"
_WATCH_SECONDS: Final = 0.5
_EXIT_SECONDS: Final = 1.0
_GATHER_SECONDS: Final = 0.05
"""What comes within it goes in one write: each wakes the child, who would do little each time."""
_DEBIAN_ROOTS: Final = Path("/etc/ssl/certs/ca-certificates.crt")
_ENCODER: Final = f"debate-bridge {bridge.__version__}"


class ChildLine(BaseModel):
    """What the child says on its standard output."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    acked: Annotated[int, Field(ge=0)] = 0
    """Bytes that the server's machine has acknowledged."""
    error: Annotated[str, Field(max_length=200)] | None = None
    errno: int = 0
    forbidden: bool = False
    """The address is not a public one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where a destination is."""

    url: str
    """With the stream key: a secret."""
    allow_private: bool = False
    """Whether loopback and private addresses may be connected to."""
    padded: bool = True
    """Whether pictures are padded to a constant bit rate."""
    roots: Path | None = None
    """Certificate roots for rtmps; default: the machine's."""


class Connection:
    """Starts a child, feeds it the queue as FLV, ends when it does. Loop-side only; use once."""

    def __init__(
        self,
        target: Target,
        parameters: CodecParameters,
        queue: GopQueue,
        clock: Clock,
        on_progress: Callable[["Connection"], None],
        *,
        start: Fraction | None = None,
        attempt: int = 0,
    ) -> None:
        """Make one; timestamp 0 is programme time `start`, or that of the first packet.

        `attempt` chooses among the addresses of a name that has several.
        """
        self._target = target
        self._parameters = parameters
        self._queue = queue
        self._clock = clock
        self._on_progress = on_progress
        self._wake = asyncio.Event()
        self._finishing = False
        self._attempt = attempt
        self._rate = ConstantRate(parameters) if target.padded else None
        self._last_line = ChildLine()
        self.start = start
        self.progress = Progress(acked_at=clock.monotonic())
        self.pid: int | None = None

    @property
    def liveness(self) -> Liveness:
        """How it is now."""
        return assess(self.progress, self._clock.monotonic())

    def wake(self) -> None:
        """Tell that the queue has something."""
        self._wake.set()

    def finish(self) -> None:
        """Send what is queued, then unpublish; `run` returns when that is done."""
        self._finishing = True
        self._wake.set()

    async def run(self) -> Ended:
        """Publish until the child ends, by itself or because it must. Cancelling kills it."""
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", _CHILD,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            # FFmpeg's own log would tell the URL.
            stderr=asyncio.subprocess.DEVNULL,
            cwd=Path(bridge.__file__).parent.parent,
            env={"LANG": "C.UTF-8"},
        )  # fmt: skip
        assert child.stdin is not None  # noqa: S101 - asked for above
        assert child.stdout is not None  # noqa: S101 - PIPE was asked for
        self.pid = child.pid
        feed = asyncio.create_task(self._feed(child.stdin), name="restream-feed")
        listen = asyncio.create_task(self._listen(child.stdout), name="restream-listen")
        liveness = Liveness.CONNECTING
        try:
            while not listen.done() and not (liveness := self.liveness).dead:
                await asyncio.wait({listen}, timeout=_WATCH_SECONDS)
                self._on_progress(self)
        finally:
            await self._end(child, feed, listen)
        return Ended(
            liveness=liveness,
            accepted=accepted(self.progress, self._clock.monotonic()),
            errno=self._last_line.errno,
            words=self._last_line.error or "",
            forbidden=self._last_line.forbidden,
        )

    async def _end(
        self,
        child: asyncio.subprocess.Process,
        feed: asyncio.Task[None],
        listen: asyncio.Task[None],
    ) -> None:
        try:
            # It has said its last word, or it never will.
            await asyncio.wait_for(child.wait(), _EXIT_SECONDS if listen.done() else 0)
        except TimeoutError:
            # kill, not terminate: a child that hangs in a socket would not mind.
            with contextlib.suppress(ProcessLookupError):
                child.kill()
            await child.wait()
        for task in (feed, listen):
            task.cancel()
        for outcome in await asyncio.gather(feed, listen, return_exceptions=True):
            if isinstance(outcome, Exception):
                logger.error("restream: child %s was not served", child.pid, exc_info=outcome)
        if child.stdin is not None:
            child.stdin.close()

    async def _feed(self, pipe: asyncio.StreamWriter) -> None:
        """Write the configuration, the header and then whatever comes."""
        config = {
            "url": self._target.url,
            "ca": str(self._target.roots or _machine_roots()),
            "allow_private": self._target.allow_private,
            "attempt": self._attempt,
        }
        pipe.write(json.dumps(config).encode() + b"\n")
        pipe.write(flv.header(self._parameters, _ENCODER))
        try:
            while True:
                # Before `take`, so that a packet put in between is not slept over.
                self._wake.clear()
                packets = self._queue.take()
                if not packets and self._finishing:
                    break
                if packets:
                    pipe.write(self._tags(packets))
                await self._drain(pipe)
                if not packets:
                    await self._wake.wait()
                    await asyncio.sleep(0 if self._finishing else _GATHER_SECONDS)
            pipe.close()
            await pipe.wait_closed()
        except ConnectionError:
            # The child has gone; `_listen` sees its last words and then the end.
            logger.debug("restream: child %s closed its input", self.pid)

    def _tags(self, packets: list[EncodedPacket]) -> bytes:
        start = self.start = packets[0].time if self.start is None else self.start
        rate = self._rate
        return b"".join(
            flv.tag(replace(packet, data=rate.pad(packet)) if rate else packet, start)
            for packet in packets
        )

    async def _drain(self, pipe: asyncio.StreamWriter) -> None:
        self.progress = replace(self.progress, blocked_since=self._clock.monotonic())
        await pipe.drain()
        self.progress = replace(self.progress, blocked_since=None)

    async def _listen(self, pipe: asyncio.StreamReader) -> None:
        """Read the child's lines to their end."""
        async for text in pipe:
            try:
                line = ChildLine.model_validate_json(text)
            except ValidationError:
                logger.warning("restream: child %s said what is not in the protocol", self.pid)
                continue
            self._last_line = line
            self.progress = self.progress.heard(line.acked, self._clock.monotonic())


def _machine_roots() -> Path:
    """Debian's certificate roots, or those where Python's OpenSSL expects them."""
    elsewhere = ssl.get_default_verify_paths().cafile
    if _DEBIAN_ROOTS.exists() or elsewhere is None:
        return _DEBIAN_ROOTS
    return Path(elsewhere)
