"""A seat for tests that need a live Ingest: real sockets, sinks that keep what comes."""

from itertools import pairwise

from bridge.broadcast.rtc.connection import Sinks
from bridge.broadcast.rtc.ingest import Ingest
from bridge.broadcast.rtc.playout_delay import PlayoutDelay
from bridge.clock import SystemClock
from bridge.protocol.messages import IngestState
from tests.helpers import until
from tests.rtc import Pictures, Sounds


class Seat:
    """One side's Ingest and what came out of it."""

    def __init__(self, side: str = "proposition", *, camera: Pictures | None = None) -> None:
        self.camera, self.microphone = camera or Pictures(), Sounds()
        self.states: list[tuple[float, IngestState]] = []
        self.clock = SystemClock()
        self.delay = PlayoutDelay(0.25, 1.0)
        self.ingest = Ingest(
            side,
            sinks=Sinks(camera=self.camera, microphone=self.microphone, screen=None),
            delay=self.delay,
            clock=self.clock,
            on_state=lambda state: self.states.append((self.clock.monotonic(), state)),
        )

    def since(self, state: IngestState) -> float:
        return next(at for at, known in reversed(self.states) if known is state)

    @property
    def longest_gap(self) -> float:
        """The longest that one picture stood, in seconds."""
        return max((after - before for before, after in pairwise(self.camera.at)), default=0.0)

    async def receiving(self) -> None:
        await until(lambda: self.ingest.state is IngestState.RECEIVING, "media")

    async def more_pictures(self, count: int = 15) -> None:
        since = len(self.camera.at)
        await until(lambda: len(self.camera.at) > since + count, f"{count} more pictures")
