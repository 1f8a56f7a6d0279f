"""A debater without a browser."""

import asyncio
import logging
import secrets
from enum import StrEnum
from pathlib import Path
from typing import Final

from bridge.clock import Clock, SystemClock
from bridge.debater.connection import Connection, ReceivedMedia
from bridge.debater.drawn import DrawnDebater, SyncPattern
from bridge.debater.encoder import MediaEncoder
from bridge.debater.invite import parse_invite
from bridge.debater.legs import AnsweringLeg, Leg, OfferingLeg, Target
from bridge.debater.media_file import MediaFile
from bridge.debater.source import Source
from bridge.errors import InputError
from bridge.protocol.messages import BRIDGE_SEAT, Join, Leave, MediaState, RoomView, SignalFrom
from bridge.protocol.room_client import RoomClient
from bridge.rooms.model import Phase, Side

logger = logging.getLogger(__name__)

_GOODBYE_SECONDS: Final = 2.0


class Pattern(StrEnum):
    """What is drawn when there is no film."""

    FACE = "face"
    """A face that speaks in its side's turns."""
    SYNC = "sync"
    """Flash and beep at every full second, for measuring."""


class Debater:
    """Takes the seat of an invite and debates: P2P with the opponent, and a leg to the bridge.

    Loop-side only. Uses the same signalling as a browser and is indistinguishable from one for the
    server. Raises InputError from the constructor when `invite` is not one.
    """

    def __init__(
        self,
        invite: str,
        *,
        media: Path | None = None,
        name: str | None = None,
        pattern: Pattern = Pattern.FACE,
        clock: Clock | None = None,
    ) -> None:
        place = parse_invite(invite)
        self.received = ReceivedMedia()
        self._media = media
        self._name = name
        self._pattern = pattern
        self._clock = clock or SystemClock()
        # Chosen once, so that the same seat is taken back after a lost connection.
        self._client = RoomClient(
            place.server_url,
            place.token,
            join=Join(seat_key=secrets.token_urlsafe(16), media=MediaState()),
            on_room=self._take_room,
            on_signal=self._take_signal,
            on_replaced=self._take_replaced,
        )
        self._side: Side | None = None
        self._room_name = ""
        self._seated = asyncio.Event()
        self._leaving = asyncio.Event()
        self._ended = asyncio.Event()
        self._encoder: MediaEncoder | None = None
        self._encoder_error: Exception | None = None
        self._peer: Leg | None = None
        self._bridge: Leg | None = None

    @property
    def peer_connected(self) -> bool:
        """Whether media can flow between the debaters right now."""
        return self._peer is not None and self._peer.connected

    @property
    def bridge_connected(self) -> bool:
        """Whether media can flow to the bridge right now."""
        return self._bridge is not None and self._bridge.connected

    async def run(self) -> None:
        """Debate until `close`, cancellation, the debate's end or somebody else on the seat.

        Raises TokenError or ConflictError when the server refuses the seat, InputError when the
        film cannot be shown, and SetupError when aiortc is another version.
        """
        film = await asyncio.to_thread(MediaFile, self._media) if self._media else None
        self._encoder = MediaEncoder(self._clock, on_failure=self._note_encoder_error)
        tasks = [
            asyncio.create_task(self._client.run(), name="debater-room"),
            asyncio.create_task(self._debate(film), name="debater-media"),
            asyncio.create_task(self._leaving.wait(), name="debater-leaving"),
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            # First the word, then the connections: nobody takes our leaving for an accident.
            await self._say_goodbye()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._client.close()
            await self._encoder.stop()
            if film is not None:
                film.close()
            self._ended.set()
        for task in done:
            task.result()
        if self._encoder_error is not None:
            raise self._encoder_error

    def leave(self) -> None:
        """Begin to leave the seat; `run` returns soon after. Idempotent."""
        self._leaving.set()

    async def close(self) -> None:
        """Leave the seat and wait until everything is closed. Idempotent."""
        self._leaving.set()
        if self._encoder is not None:
            await self._ended.wait()

    async def _say_goodbye(self) -> None:
        if self._client.you is None:
            return
        try:
            async with asyncio.timeout(_GOODBYE_SECONDS):
                await self._client.send("leave", Leave())
        except (InputError, TimeoutError) as error:
            logger.info("left without an answer: %s", error)

    async def _debate(self, film: MediaFile | None) -> None:
        await self._seated.wait()
        assert self._peer is not None  # noqa: S101 - made together
        assert self._bridge is not None  # noqa: S101 - with the event
        async with asyncio.TaskGroup() as group:
            group.create_task(self._show(film))
            group.create_task(self._peer.run())
            group.create_task(self._bridge.run())

    async def _show(self, film: MediaFile | None) -> None:
        assert self._encoder is not None  # noqa: S101 - set by run
        assert self._side is not None  # noqa: S101 - set before _seated
        source: Source = film if film else await asyncio.to_thread(self._draw, self._side)
        self._encoder.start(source)

    def _draw(self, side: Side) -> Source:
        name = self._name or self._room_name
        if self._pattern is Pattern.SYNC:
            return SyncPattern(side, name)
        return DrawnDebater(side, name)

    def _take_room(self, room: RoomView) -> None:
        you = self._client.you
        if you is None:
            return
        if you.seat not in set(Side):
            message = "This link is not a debater's invite. Ask the host for one."
            raise InputError(message, code="invite")
        side = Side(you.seat)
        if self._side is None:
            self._sit_down(side, room)
        if room.phase is Phase.ENDED:
            logger.info("the debate has ended")
            self._leaving.set()
        assert self._peer is not None  # noqa: S101 - made by _sit_down
        assert self._bridge is not None  # noqa: S101 - made by _sit_down
        self._peer.aim(opponent_target(room, side, you.session))
        self._bridge.aim(
            Target(BRIDGE_SEAT, room.bridge_session, you.session) if room.bridge_session else None
        )

    def _sit_down(self, side: Side, room: RoomView) -> None:
        """Make the legs; which kind the one to the opponent is depends on the seat."""
        send = self._client.send_signal
        names = {seat: f"{side}-{seat}" for seat in (side.other.value, BRIDGE_SEAT)}
        peer_name = names[side.other.value]
        self._bridge = OfferingLeg(
            names[BRIDGE_SEAT], "sendonly", lambda: self._connection(names[BRIDGE_SEAT]), send
        )
        if side is Side.OPPOSITION:
            self._peer = OfferingLeg(
                peer_name, "sendrecv", lambda: self._connection(peer_name), send
            )
        else:
            self._peer = AnsweringLeg(peer_name, lambda: self._connection(peer_name), send)
        self._side = side
        self._room_name = room.names.get(side, side.value)
        self._seated.set()

    def _connection(self, name: str) -> Connection:
        assert self._encoder is not None  # noqa: S101 - set by run
        ice_servers = self._client.ack.ice_servers if self._client.ack else ()
        return Connection(name, self._encoder, ice_servers, self.received)

    def _take_signal(self, signal: SignalFrom) -> None:
        leg = self._bridge if signal.sender == BRIDGE_SEAT else self._peer
        if leg is not None:
            leg.take(signal)

    @staticmethod
    def _take_replaced(text: str) -> None:
        logger.warning("somebody else took the seat: %s", text)

    def _note_encoder_error(self, error: Exception) -> None:
        self._encoder_error = error
        self._leaving.set()


def opponent_target(room: RoomView, side: Side, own_session: str) -> Target | None:
    """Return who sits opposite of `side`; None: nobody."""
    for participant in room.participants:
        if participant.seat is side.other:
            sessions = {side: own_session, side.other: participant.session}
            prefix = f"{sessions[Side.PROPOSITION]}~{sessions[Side.OPPOSITION]}"
            return Target(side.other.value, participant.session, prefix)
    return None
