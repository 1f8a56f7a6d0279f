"""A debater's seat at the bridge: connections come and go, the seat stays."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from bridge.aiortc_inside import addresses
from bridge.broadcast.rtc import tasks
from bridge.broadcast.rtc.connection import IngestConnection, Sinks
from bridge.broadcast.rtc.offer import check_offer
from bridge.broadcast.rtc.opus import require_library
from bridge.broadcast.rtc.playout_delay import PlayoutDelay
from bridge.broadcast.rtc.tracks import TrackStats
from bridge.clock import Clock
from bridge.protocol.broadcast_config import ANYWHERE, NetworkConfig
from bridge.protocol.messages import IngestState

logger = logging.getLogger(__name__)

MOST_BIT_RATE: Final = 2_500_000
"""Bits per second that a debater may send: 720p30 VP8 of a talking head without visible loss."""
CONNECT_TIMEOUT: Final = 15.0
"""Seconds; ICE without end-of-candidates never fails by itself."""
FROZEN_AFTER: Final = 1.0
"""Seconds without a packet."""
ABSENT_AFTER: Final = 3.0
_JUDGE: Final = 0.1
_REJOIN_EVERY: Final = 5.0
"""Seconds between requests to join anew: one may be lost, and a new connection takes a second."""
_ANSWERS_EVERY: Final = 5.0
"""Seconds within which a living path answers a probe: they come every two, and one may be lost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestStats:
    """How a debater's leg does."""

    state: IngestState
    generation: int
    """Counts the connections of this seat."""
    round_trip: float | None
    """Seconds, smoothed; None before it was measured."""
    limit: int | None
    """Bits per second that the sender may send."""
    tracks: tuple[TrackStats, ...]


class Ingest:
    """One debater's leg: answers offers, keeps the newest connection, says how it is.

    Loop-side only. `on_state` is called at each change; `on_lost` with a connection's link and
    session when nothing came on it for three seconds, and every five while that lasts: the browser
    should make another. Until it does the old one is kept, for an outage may simply end. A
    new offer replaces the connection at once; the old one is closed in the background. Raises
    SetupError at construction when libopus is missing.
    """

    def __init__(
        self,
        side: str,
        *,
        sinks: Sinks,
        delay: PlayoutDelay,
        clock: Clock,
        on_state: Callable[[IngestState], None],
        on_lost: Callable[[str, str], None] = lambda _link, _session: None,
        most_bit_rate: int = MOST_BIT_RATE,
        network: NetworkConfig = ANYWHERE,
    ) -> None:
        require_library()
        self.state = IngestState.ABSENT
        self.generation = 0
        self._side = side
        self._sinks = sinks
        self._delay = delay
        self._most_bit_rate = most_bit_rate
        self._network = network
        self._clock = clock
        self._on_state = on_state
        self._on_lost = on_lost
        self._expects_media = True
        self._session = ""
        self._asked_at = 0.0
        self._connection: IngestConnection | None = None
        self._judge: asyncio.Task[None] | None = None
        self._retiring: set[asyncio.Task[None]] = set()
        self._lock = asyncio.Lock()
        """Offers and the end are taken one at a time."""

    async def accept(self, link: str, offer_sdp: str, *, session: str) -> str:
        """Answer the offer of `session` for the connection `link`; returns the answer's SDP.

        Raises InputError when it cannot be taken; then the connection there is stays.
        """
        offer = check_offer(
            offer_sdp,
            allow_loopback=addresses.only_loopback(),
            allow_private=not self._network.refuse_private_candidates,
        )
        async with self._lock:
            generation = self.generation + 1
            connection = IngestConnection(
                f"{self._side}-{generation}",
                link,
                self._sinks,
                delay=self._delay,
                most_bit_rate=self._most_bit_rate,
                network=self._network,
                clock=self._clock,
            )
            try:
                answer = await connection.answer(offer)
            except BaseException:
                self._retire(connection)
                raise
            self.generation, self._session = generation, session
            logger.info("%s: connection %d for session %s", self._side, generation, session)
            self._replace(connection)
            self._change(IngestState.CONNECTING)
            if self._judge is None:
                self._judge = tasks.start(self._keep_judging(), f"{self._side}-judge")
            return answer

    async def add_candidate(self, link: str, candidate: Mapping[str, object]) -> None:
        """Take a trickled candidate (W3C RTCIceCandidateInit); those of other links are ignored.

        Raises InputError when it is malformed or one too many.
        """
        connection = self._connection
        if connection is not None and connection.link == link:
            await connection.add_candidate(candidate)

    async def close(self) -> None:
        """Drop the connection and wait for its end. The seat may `accept` again afterwards."""
        async with self._lock:
            judge, self._judge = self._judge, None
            if judge is not None:
                judge.cancel()
                await asyncio.gather(judge, return_exceptions=True)
            self._replace(None)
            self._change(IngestState.ABSENT)
            await asyncio.gather(*self._retiring, return_exceptions=True)

    def expect_media(self, *, expected: bool) -> None:
        """Say whether the debater sends anything; if not, silence is no sign of trouble."""
        self._expects_media = expected

    def limit_bit_rate(self, bits_per_second: int) -> None:
        """Let the debater send no more than his tile needs; also in later connections."""
        self._most_bit_rate = bits_per_second
        if self._connection is not None:
            self._connection.limit = bits_per_second

    @property
    def stats(self) -> IngestStats:
        """A snapshot."""
        connection = self._connection
        return IngestStats(
            state=self.state,
            generation=self.generation,
            round_trip=connection.round_trip if connection else None,
            limit=connection.limit if connection else None,
            tracks=tuple(track.stats for track in connection.tracks) if connection else (),
        )

    def _replace(self, connection: IngestConnection | None) -> None:
        old, self._connection = self._connection, connection
        if old is not None:
            self._retire(old)

    def _retire(self, connection: IngestConnection) -> None:
        task = tasks.start(connection.close(), f"{self._side}-closing")
        self._retiring.add(task)
        task.add_done_callback(self._retiring.discard)

    async def _keep_judging(self) -> None:
        while True:
            await asyncio.sleep(_JUDGE)
            now = self._clock.monotonic()
            self._delay.update(now)
            self._change(self._judged(now))

    def _judged(self, now: float) -> IngestState:
        """How the leg is by what has come; drops a connection that is over."""
        connection = self._connection
        if connection is None:
            return IngestState.ABSENT
        if connection.over:
            logger.info("%s: connection %d is over", self._side, self.generation)
            self._replace(None)
            return IngestState.ABSENT
        last = connection.last_arrival
        if not self._expects_media and (answer := connection.last_answer) is not None:
            last = max(last or answer, answer + _ANSWERS_EVERY - FROZEN_AFTER)
        if last is None:
            return self._judged_without_media(connection, now)
        if now - last < FROZEN_AFTER:
            return IngestState.RECEIVING
        if now - last < ABSENT_AFTER:
            return IngestState.FROZEN
        self._ask_for_another(connection, now)
        return IngestState.ABSENT

    def _judged_without_media(self, connection: IngestConnection, now: float) -> IngestState:
        if now - connection.began < CONNECT_TIMEOUT:
            return IngestState.CONNECTING
        if not connection.connected:
            logger.info("%s: no connection in %g s", self._side, CONNECT_TIMEOUT)
            self._replace(None)
        elif self._expects_media:
            self._ask_for_another(connection, now)
        return IngestState.ABSENT

    def _ask_for_another(self, connection: IngestConnection, now: float) -> None:
        if now - self._asked_at >= _REJOIN_EVERY:
            self._asked_at = now
            logger.info("%s: nothing on connection %d", self._side, self.generation)
            self._on_lost(connection.link, self._session)

    def _change(self, state: IngestState) -> None:
        if state is not self.state:
            self.state = state
            self._on_state(state)
