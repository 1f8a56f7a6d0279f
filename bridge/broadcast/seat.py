"""A debater as the broadcast has him: the leg to his browser, and his picture and sound."""

import logging
from collections.abc import Callable, Mapping

from bridge.broadcast.media.sources import AudioSource, SourceStatus, VideoSource
from bridge.broadcast.rtc.ingest import Ingest
from bridge.clock import Clock
from bridge.protocol.messages import IngestState, MediaState
from bridge.rooms.model import Side

logger = logging.getLogger(__name__)


class Seat:
    """Joins one side's ingest to the sources that the programme reads. Loop-side only."""

    def __init__(
        self,
        side: Side,
        *,
        clock: Clock,
        playout_delay: float,
        on_change: Callable[[], None],
    ) -> None:
        self.side = side
        self.camera = VideoSource(side.value)
        self.microphone = AudioSource(side.value)
        self.state = IngestState.ABSENT
        self._media: MediaState | None = None
        self._on_change = on_change
        self._ingest = Ingest(
            side.value,
            camera=self.camera,
            microphone=self.microphone,
            screen=None,
            playout_delay=playout_delay,
            clock=clock,
            on_state=self._take_state,
        )

    async def accept(self, link: str, offer_sdp: str, *, session: str) -> str:
        """Answer the browser's offer. Raises InputError when it cannot be taken."""
        return await self._ingest.accept(link, offer_sdp, session=session)

    async def add_candidate(self, link: str, candidate: Mapping[str, object]) -> None:
        """Take a trickled candidate."""
        await self._ingest.add_candidate(link, candidate)

    async def close(self) -> None:
        """Drop the connection and show the placeholder at once."""
        await self._ingest.close()
        self.camera.clear(SourceStatus.ABSENT)
        self.microphone.clear()

    def show(self, media: MediaState | None) -> None:
        """Note what the debater says he sends; None: he is not in the room."""
        if media == self._media:
            return
        self._media = media
        if media is None:
            self.camera.clear(SourceStatus.ABSENT)
        elif media.camera:
            self.camera.set_status(SourceStatus.LIVE)
        else:
            self.camera.clear(SourceStatus.CAMERA_OFF)

    def _take_state(self, state: IngestState) -> None:
        logger.info("%s is %s", self.side, state)
        self.state = state
        self._on_change()
