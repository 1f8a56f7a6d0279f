"""Low-Latency HLS: packages on a thread, uploads from the loop.

    encoder --put--> channel (2 s, CLEAR) --> packager thread --> backlog (2 s) --> PUTs in order

Nothing here is worth waiting for: what is later than two seconds is given up, and a new upload
session (a new random name, which the origin puts behind a discontinuity) opens with a segment.
"""

import asyncio
import logging
import math
import random
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from bridge.broadcast.media.packets import EncodedPacket, Grid, Rendition
from bridge.broadcast.outputs import fmp4
from bridge.broadcast.outputs.backlog import Backlog
from bridge.broadcast.outputs.feed import packet_channel, post, watch
from bridge.broadcast.outputs.origin_client import OriginClient, Outcome
from bridge.broadcast.outputs.packager import Packager, Part
from bridge.concurrency.backoff import Backoff
from bridge.concurrency.worker import Worker
from bridge.errors import ChannelClosedError, OutputLostError, OutputRejectedError
from bridge.protocol.messages import OutputState
from bridge.protocol.upload import ProgrammeDescription, RenditionDescription

logger = logging.getLogger(__name__)

_CHANNEL_SECONDS: Final = 2.0
_BACKOFF: Final = Backoff(first=0.1, most=1.0)
_REJECTED_PAUSE: Final = 1.0
"""The server said no. It may be another one in a second, after a restart."""
_GOOD: Final = frozenset({OutputState.PREPARING, OutputState.LIVE, OutputState.STOPPED})
_CONTAINER_BPS: Final = 16_000
"""Boxes: some 600 bytes of sample tables per part of 0.4 s, with room to spare."""
_AUDIO_MARGIN: Final = 1.1
"""AAC's rate control drifts around its target."""

StateListener = Callable[[OutputState, str], None]
"""New state, and words for people; loop-side."""


def describe(
    renditions: Sequence[Rendition], grid: Grid, start_wall: float
) -> ProgrammeDescription:
    """Describe the programme for the origin; `start_wall` is the epoch time of frame 0."""
    return ProgrammeDescription(
        fps=grid.fps,
        part_frames=grid.part_frames,
        segment_frames=grid.segment_frames,
        start_wall=start_wall,
        renditions=tuple(_describe(one, grid) for one in renditions),
    )


def _describe(rendition: Rendition, grid: Grid) -> RenditionDescription:
    """Describe one.

    The peak is that of a segment which begins with a full VBV: one second of video (the encoder's
    bufsize) on top of the segment's own.
    """
    parameters = rendition.parameters
    picture = parameters.video_bit_rate if rendition.has_picture else 0
    sound = parameters.audio_bit_rate * _AUDIO_MARGIN + _CONTAINER_BPS
    segment_seconds = grid.segment_frames / grid.fps
    return RenditionDescription(
        name=rendition.name,
        codecs=rendition.codecs,
        bandwidth=math.ceil(picture * (1 + 1 / segment_seconds) + sound),
        average_bandwidth=math.ceil(picture + sound),
        width=parameters.width if rendition.has_picture else None,
        height=parameters.height if rendition.has_picture else None,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class OriginAddress:
    """Where the parts go."""

    server_url: str
    token: str
    """Broadcast token: a secret."""
    programme: str


class HlsOutput:
    """An `Output` that keeps the server's origin fed."""

    def __init__(
        self,
        origin: OriginAddress,
        *,
        renditions: Sequence[Rendition],
        grid: Grid,
        start_wall: float,
        on_state: StateListener,
    ) -> None:
        self.name = "hls"
        self._origin = origin
        self._grid = grid
        self._description = describe(renditions, grid, start_wall)
        self._names = tuple(one.name for one in renditions)
        self._init = b"".join(
            fmp4.init_segment(one.parameters, picture=one.has_picture) for one in renditions
        )
        self._on_state = on_state
        # The sound is the same in all renditions; each picture is a track of its own.
        tracks = 1 + sum(one.has_picture for one in renditions)
        self._channel = packet_channel(_CHANNEL_SECONDS, tracks)
        self._backlog = Backlog(grid)
        self._worker = Worker("hls-packager", self._package, on_failure=self._packager_failed)
        self._rng = random.Random()  # noqa: S311 - jitter, not a secret
        self._wake = asyncio.Event()
        self._state: tuple[OutputState, str] | None = None
        self._ending = False
        self._done = False
        self._session = ""
        self._session_number = -1
        self._described = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._uploads: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin. Loop-side only, once."""
        self._loop = asyncio.get_running_loop()
        uploads = self._loop.create_task(self._upload(), name="hls-upload")
        self._uploads = watch(uploads, self._upload_failed)
        self._worker.start()
        self._report(OutputState.PREPARING)

    def put(self, packet: EncodedPacket) -> None:
        """Take a packet. Encoder thread; never blocks."""
        self._channel.put(packet)

    async def stop(self, deadline: float) -> None:
        """Send what is left and the end of the programme. Loop-side only; idempotent."""
        self._channel.close()
        if self._uploads is None:
            return
        # Not cancelled by wait: the task ends by itself once the packager has seen the end.
        _, unfinished = await asyncio.wait({self._uploads}, timeout=deadline)
        for task in unfinished:
            logger.warning("hls: gave up %d parts at the end", len(self._backlog))
            task.cancel()
        await asyncio.gather(self._uploads, return_exceptions=True)
        await asyncio.to_thread(self._worker.join, 1.0)
        self._report(OutputState.STOPPED)

    @property
    def dropped(self) -> int:
        """Parts and packets that spectators never got."""
        return self._backlog.dropped + self._channel.dropped

    def _package(self) -> None:
        """Run on the packager thread until the channel is closed."""
        packager = Packager(self._grid, self._names)
        while True:
            try:
                packet = self._channel.take()
            except ChannelClosedError:
                post(self._loop, self._finish, packager.flush())
                return
            if self._channel.take_overflowed():
                # Whether `packet` is from before or after the hole is not known: it goes too.
                packager = Packager(self._grid, self._names)
                post(self._loop, self._backlog.restart)
            elif packet is not None and (parts := packager.put(packet)):
                post(self._loop, self._queue, parts)

    def _packager_failed(self, error: Exception) -> None:
        """Send what is made and end: a fault of ours, and no later part would be better."""
        post(self._loop, self._report, OutputState.STOPPED, f"packaging failed: {error}")
        post(self._loop, self._finish, [])

    def _upload_failed(self) -> None:
        self._report(OutputState.STOPPED, "The upload has failed; see the log.")

    def _queue(self, parts: list[Part]) -> None:
        for part in parts:
            self._backlog.put(part)
        self._wake.set()

    def _finish(self, parts: list[Part]) -> None:
        self._ending = True
        self._queue(parts)

    async def _upload(self) -> None:
        """Send the head of the backlog until the end has been sent. Never gives up by itself."""
        address = self._origin
        client = OriginClient(address.server_url, address.token, address.programme)
        attempt = 0
        try:
            while not self._done:
                try:
                    if await self._step(client):
                        attempt = 0
                except OutputLostError as error:
                    self._report(OutputState.RETRYING, error.message)
                    await asyncio.sleep(_BACKOFF.pause(attempt, self._rng))
                    attempt += 1
                except OutputRejectedError as error:
                    self._report(OutputState.REJECTED, error.message)
                    self._backlog.restart()
                    self._done = self._ending
                    await asyncio.sleep(_REJECTED_PAUSE)
        finally:
            await client.close()

    async def _step(self, client: OriginClient) -> bool:
        """Do one upload, or wait for something to send; True when a part was taken."""
        part = self._backlog.head()
        if part is None:
            await self._idle(client)
            return False
        if not self._described or self._session_number != self._backlog.session:
            await self._open(client)
            return False
        answer = await client.put_part(self._session, part.number, part.data)
        if answer.outcome is Outcome.TAKEN:
            self._backlog.sent(part)
            self._report(OutputState.LIVE)
            return True
        if answer.outcome is Outcome.OUT_OF_ORDER:
            logger.info("hls: the origin wants part %d, not %d", answer.next, part.number)
            self._backlog.skip_to(answer.next)
            return False
        self._described = False
        message = "the origin has forgotten the session"
        raise OutputLostError(message)

    async def _idle(self, client: OriginClient) -> None:
        if not self._ending:
            self._wake.clear()
            await self._wake.wait()
            return
        if self._session:
            await client.end(self._session)
        self._done = True

    async def _open(self, client: OriginClient) -> None:
        """Describe the session; under a new name unless the origin has just forgotten this one."""
        self._described = False
        if self._session_number != self._backlog.session:
            self._session_number = self._backlog.session
            self._session = secrets.token_hex(8)
            if self._state is not None and self._state[0] is not OutputState.PREPARING:
                self._report(OutputState.DEGRADED, "starting again behind a discontinuity")
        answer = await client.describe(self._session, self._description, self._init)
        if answer.outcome is Outcome.TAKEN:
            self._described = True
            return
        self._session_number = -1
        message = "the origin does not take this programme yet"
        raise OutputLostError(message)

    def _report(self, state: OutputState, detail: str = "") -> None:
        if self._state != (state, detail):
            self._state = (state, detail)
            log = logger.info if state in _GOOD else logger.warning
            log("hls: %s%s", state, f", {detail}" if detail else "")
            self._on_state(state, detail)
