"""A debater as the broadcast has him: the leg to his browser, and his picture and sound."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from math import inf
from typing import Final

from bridge.broadcast.leg_report import LegMeter
from bridge.broadcast.media.sources import AudioSource, SourceStatus, VideoSource
from bridge.broadcast.rtc.connection import Sinks
from bridge.broadcast.rtc.ingest import FROZEN_AFTER, Ingest
from bridge.broadcast.rtc.playout_delay import PlayoutDelay
from bridge.broadcast.rtc.sinks import FrameTap
from bridge.broadcast.wanted import Shown
from bridge.clock import Clock
from bridge.protocol.broadcast_config import ANYWHERE, NetworkConfig
from bridge.protocol.messages import IngestReport, IngestState, MediaState, Wanted
from bridge.rooms.model import Side

logger = logging.getLogger(__name__)

_SCREEN_TO_COME: Final = (928, 582)
"""What a shared screen gets of 1280x720 in the classic theme: then it need not change at once."""
_LINGER: Final = 10.0
"""Seconds that a debater's media may outlive his signalling: a proxy that restarts, or a lost
WebSocket, is no reason to take him off the picture."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeatEvents:
    """What a seat tells. Called on the loop."""

    changed: Callable[[], None]
    lost: Callable[[Side, str, str], None]
    """Side, link and session of a connection on which nothing comes any more."""
    wants: Callable[[Side, Wanted], None] = lambda _side, _wanted: None
    """What his tiles can show, whenever it may have changed."""


class Seat:
    """Joins one side's ingest to the sources that the programme reads. Loop-side only."""

    def __init__(
        self,
        side: Side,
        *,
        clock: Clock,
        delay: PlayoutDelay,
        on: SeatEvents,
        network: NetworkConfig = ANYWHERE,
        frame_rate: int = 30,
        tap: FrameTap | None = None,
    ) -> None:
        self.side = side
        self.camera = VideoSource(side.value)
        self.screen = VideoSource(f"{side.value}-screen")
        self.microphone = AudioSource(side.value, delay)
        self._media: MediaState | None = None
        self._clock = clock
        self._on = on
        self._frame_rate = frame_rate
        self._screens_before = 0
        self._reduction = 1.0
        self._meter = LegMeter()
        self._tiles: Mapping[str, tuple[int, int]] = {}
        self._moved = asyncio.Event()
        self._leaving: asyncio.Task[None] | None = None
        self._ingest = Ingest(
            side.value,
            sinks=Sinks(
                camera=self.camera, microphone=self.microphone, screen=self.screen, tap=tap
            ),
            delay=delay,
            clock=clock,
            on_state=self._take_state,
            on_lost=lambda link, session: on.lost(side, link, session),
            network=network,
        )

    async def accept(self, link: str, offer_sdp: str, *, session: str) -> str:
        """Answer the browser's offer. Raises InputError when it cannot be taken."""
        return await self._ingest.accept(link, offer_sdp, session=session)

    async def add_candidate(self, link: str, candidate: Mapping[str, object]) -> None:
        """Take a trickled candidate."""
        await self._ingest.add_candidate(link, candidate)

    async def close(self) -> None:
        """Drop the connection and show the placeholder at once."""
        leaving, self._leaving = self._leaving, None
        if leaving is not None:
            leaving.cancel()
            await asyncio.gather(leaving, return_exceptions=True)
        await self._vacate()

    def show(self, media: MediaState | None) -> None:
        """Note what the debater says he sends; None: he is not in the room.

        Then his picture stays for as long as his media comes, ten seconds at most.
        """
        if media is None:
            if self._media is not None and self._leaving is None:
                self._leaving = asyncio.create_task(self._linger(), name=f"{self.side}-leaving")
            return
        if self._leaving is not None:
            self._leaving.cancel()
            self._leaving = None
        if media == self._media:
            return
        if media.screen and not (self._media and self._media.screen):
            self._screens_before = self.screen.received
        self._media = media
        self._ingest.expect_media(expected=media.camera or media.microphone or media.screen)
        if media.camera:
            self.camera.expect()
        else:
            self.camera.clear(SourceStatus.CAMERA_OFF)
        self.camera.mark_muted(muted=not media.microphone)
        if media.screen:
            self.screen.expect()
        else:
            self.screen.clear(SourceStatus.ABSENT)
        self.fit(self._tiles)

    def fit(self, tiles: Mapping[str, tuple[int, int]]) -> None:
        """Let the debater send what his tiles can show; `tiles`: width and height by source."""
        self._tiles = tiles
        shown = self._shown()
        self._ingest.limit_bit_rate(shown.bit_rate)
        self._on.wants(self.side, shown.wanted(self._frame_rate))

    def reduce(self, reduction: float) -> None:
        """Let the debater send pictures of so much, 0 to 1, of his tiles' lengths."""
        if reduction != self._reduction:
            self._reduction = reduction
            self.fit(self._tiles)

    def report(self) -> IngestReport:
        """Return what came since the last report."""
        return self._meter.report(self._ingest.stats, self._clock.monotonic())

    def _shown(self) -> Shown:
        camera = self._tiles.get(self.camera.name)
        screen = self._tiles.get(self.screen.name)
        media = self._media or MediaState(camera=False)
        if screen is None and media.screen and self.screen.received == self._screens_before:
            # Its scene begins with its first picture, which should not have to be small.
            screen = _SCREEN_TO_COME
        if self._reduction < 1:
            camera, screen = (_reduced(size, self._reduction) for size in (camera, screen))
        hidden = (media.camera and camera is None) + (media.screen and screen is None)
        return Shown(camera=camera, screen=screen, hidden=hidden)

    async def _linger(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(_LINGER):
                while self._ingest.state is IngestState.RECEIVING:
                    self._moved.clear()
                    await self._moved.wait()
        self._leaving = None
        await self._vacate()

    async def _vacate(self) -> None:
        self._media = None
        self.camera.clear(SourceStatus.ABSENT)
        self.screen.clear(SourceStatus.ABSENT)
        await self._ingest.close()
        self.microphone.clear()

    def _take_state(self, state: IngestState) -> None:
        logger.info("%s is %s", self.side, state)
        # A screen on which nothing changes sends nothing: it is lost when all of his media is.
        receiving = state is IngestState.RECEIVING
        self.screen.keep_fresh(inf if receiving else self._clock.monotonic() - FROZEN_AFTER)
        self._moved.set()
        self._on.changed()


def _reduced(size: tuple[int, int] | None, reduction: float) -> tuple[int, int] | None:
    return size and (round(size[0] * reduction), round(size[1] * reduction))
