"""RTMP: pushes the encoded programme to one destination, for as long as the programme lasts.

    encoder --put--> GopQueue (4 MiB, 8 s) --> child process --> server

A destination that fails is tried again for ever, because its host wants it back; it slows nothing
else down. Only what looks like a wrong key waits for a minute, or for the host to say "try again".
"""

import asyncio
import logging
import random
from collections.abc import Callable
from contextlib import suppress
from fractions import Fraction
from math import inf
from typing import Final

from bridge.broadcast.media.packets import CodecParameters, EncodedPacket
from bridge.broadcast.outputs.connection import Connection, Target
from bridge.broadcast.outputs.feed import post, watch
from bridge.broadcast.outputs.gop_queue import GopQueue
from bridge.broadcast.outputs.liveness import (
    REFUSALS,
    Ended,
    Liveness,
    Verdict,
    accepted,
    in_words,
    judge,
)
from bridge.clock import Clock
from bridge.concurrency.backoff import Backoff
from bridge.log import mask_url
from bridge.protocol.messages import DestinationReport, OutputState

logger = logging.getLogger(__name__)

_BACKOFF: Final = Backoff(first=0.5, most=30.0)
_LOST_SECONDS: Final = 120.0
_LOST_PAUSE: Final = 3.0
"""So often it is tried while viewers still wait for it: platforms keep a lost stream open for 60
to 90 seconds, and end it then."""
_REJECTED_PAUSE: Final = 60.0
_SETTLED_SECONDS: Final = 30.0
"""So long on air, and the next fault is a new one: backing off starts from the beginning."""
_DEGRADED_SECONDS: Final = 10.0
"""How long a drop is shown to the host."""

ReportListener = Callable[[DestinationReport], None]
"""Loop-side."""


class RestreamOutput:
    """An `Output` that pushes to one RTMP destination and never gives it up."""

    def __init__(
        self,
        destination: str,
        target: Target,
        *,
        parameters: CodecParameters,
        clock: Clock,
        on_report: ReportListener,
        backoff: Backoff = _BACKOFF,
    ) -> None:
        self.name = f"restream {destination}"
        self.destination = destination
        self._target = target
        self._label = mask_url(target.url)
        self._parameters = parameters
        self._clock = clock
        self._on_report = on_report
        self._backoff = backoff
        self._rng = random.Random()  # noqa: S311 - jitter, not a secret
        self._queue = GopQueue()
        self._ready = asyncio.Event()
        self._stopping = asyncio.Event()
        self._hurried = asyncio.Event()
        self._connection: Connection | None = None
        self._task: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._report = DestinationReport(id=destination, state=OutputState.PREPARING)
        self._ever_accepted = False
        self._refusals = 0
        self._attempt = 0
        self._start: Fraction | None = None
        self._sent_before = 0
        self._dropped_seen = 0
        self._degraded_until = 0.0
        self._taken_at = -inf
        self._live_since: float | None = None

    def start(self) -> None:
        """Begin. Loop-side only, once."""
        self._loop = asyncio.get_running_loop()
        self._on_report(self._report)
        self._task = watch(self._loop.create_task(self._run(), name=self.name), self._failed)

    def put(self, packet: EncodedPacket) -> None:
        """Take a packet. Encoder thread; never blocks."""
        self._queue.put(packet)
        post(self._loop, self._woken)

    async def stop(self, deadline: float) -> None:
        """Send what is queued, unpublish, end the child. Loop-side only; idempotent."""
        self._stopping.set()
        self._hurried.set()
        self._ready.set()
        if self._connection is not None:
            self._connection.finish()
        if self._task is None:
            return
        _, unfinished = await asyncio.wait({self._task}, timeout=deadline)
        for task in unfinished:
            logger.warning("%s: %s did not take the end in time", self.name, self._label)
            task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._tell(state=OutputState.STOPPED)

    def retry(self) -> None:
        """End the pause before the next try, if there is one. Loop-side only."""
        self._attempt = 0
        self._hurried.set()

    @property
    def child_pid(self) -> int | None:
        """Process id of the child, while there is one."""
        return None if self._connection is None else self._connection.pid

    def _woken(self) -> None:
        if self._connection is not None:
            self._connection.wake()
        elif self._queue.ready:
            self._ready.set()

    def _failed(self) -> None:
        self._tell(state=OutputState.STOPPED, detail="This destination has failed; see the log.")

    async def _run(self) -> None:
        await self._ready.wait()
        while not self._stopping.is_set():
            ended = await self._connect()
            if not self._stopping.is_set():
                await self._pause(ended)

    async def _connect(self) -> Ended:
        """Publish until it ends."""
        logger.info("%s: connecting to %s", self.name, self._label)
        connection = Connection(
            self._target,
            self._parameters,
            self._queue,
            self._clock,
            self._progressed,
            # Timestamps go on across connections: for a platform it is still the same stream.
            start=self._start,
            attempt=self._report.retries,
        )
        self._live_since = None
        self._queue.connect()
        self._connection = connection
        try:
            ended = await connection.run()
        finally:
            self._connection = None
            self._start = connection.start
            self._queue.disconnect()
            self._sent_before += connection.progress.acked_bytes
        self._ever_accepted = self._ever_accepted or ended.accepted
        return ended

    async def _pause(self, ended: Ended) -> None:
        """Say what happened and wait before the next try; `stop` and `retry` end the wait."""
        verdict = judge(ended, ever_accepted=self._ever_accepted)
        now = self._clock.monotonic()
        if self._live_since is not None and now - self._live_since >= _SETTLED_SECONDS:
            self._attempt = 0
        self._refusals = self._refusals + 1 if verdict is Verdict.REFUSED else 0
        rejected = verdict is Verdict.FORBIDDEN or self._refusals >= REFUSALS
        pause = _REJECTED_PAUSE if rejected else self._backoff.pause(self._attempt, self._rng)
        if verdict is Verdict.LOST and now - self._taken_at < _LOST_SECONDS:
            pause = min(pause, _LOST_PAUSE)
        self._attempt += 1
        words = in_words(ended, verdict)
        logger.warning("%s: %s: %s Next try in %.1f s", self.name, self._label, words, pause)
        self._tell(
            state=OutputState.REJECTED if rejected else OutputState.RETRYING,
            detail=words,
            retries=self._report.retries + 1,
            sent_bytes=self._sent_before,
            next_try_at=round(self._clock.wall() + pause, 1),
        )
        self._hurried.clear()
        if self._stopping.is_set():
            return
        with suppress(TimeoutError):
            await asyncio.wait_for(self._hurried.wait(), pause)
        self._tell(next_try_at=None)

    def _progressed(self, connection: Connection) -> None:
        """Twice a second while a connection runs."""
        now = self._clock.monotonic()
        if self._queue.dropped != self._dropped_seen:
            self._dropped_seen = self._queue.dropped
            self._degraded_until = now + _DEGRADED_SECONDS
        sent = self._sent_before + connection.progress.acked_bytes
        if connection.liveness is not Liveness.PUBLISHING:
            self._tell(sent_bytes=sent)
            return
        if self._live_since is None:
            self._live_since = now
            logger.info("%s: on air at %s", self.name, self._label)
        if accepted(connection.progress, now):
            self._refusals = 0
            self._ever_accepted = True
            self._taken_at = now
        if now < self._degraded_until:
            detail = "The connection is too slow; pictures are being left out."
            self._tell(state=OutputState.DEGRADED, detail=detail, sent_bytes=sent)
        else:
            self._tell(state=OutputState.LIVE, detail="", sent_bytes=sent)

    def _tell(self, **changes: object) -> None:
        report = self._report.model_copy(update={**changes, "dropped": self._queue.dropped})
        if report != self._report:
            self._report = report
            self._on_report(report)
