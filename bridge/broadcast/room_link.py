"""The broadcast's seat in the room: signalling in, answers and reports out."""

import asyncio
import logging
from collections.abc import Mapping
from typing import Protocol

from bridge.errors import InputError
from bridge.protocol.messages import (
    BroadcastReport,
    Join,
    MediaState,
    RoomView,
    SessionDescription,
    Signal,
    SignalFrom,
)
from bridge.protocol.room_client import RoomClient
from bridge.rooms.model import Side

logger = logging.getLogger(__name__)

_MAX_PENDING_SIGNALS = 64


class Leg(Protocol):
    """A debater's leg to the bridge, as the room link drives it."""

    async def accept(self, link: str, offer_sdp: str, *, session: str) -> str:
        """Answer an offer. Raises InputError when it cannot be taken."""
        ...

    async def add_candidate(self, link: str, candidate: Mapping[str, object]) -> None:
        """Take a trickled candidate."""
        ...

    async def close(self) -> None:
        """Drop the connection."""
        ...

    def show(self, media: MediaState | None) -> None:
        """Note what the debater says he sends; None: he is not in the room."""
        ...


class RoomLink:
    """Joins the room as the hidden peer and keeps each debater's leg as the room has it.

    Loop-side only. Signals are taken in order, one at a time per debater; more than 64 waiting
    are dropped and logged: a browser that floods must not fill our memory.
    """

    def __init__(self, server_url: str, token: str, legs: Mapping[Side, Leg]) -> None:
        self._legs = legs
        self._sessions: dict[Side, str] = {}
        self._queues = {side: asyncio.Queue[SignalFrom](_MAX_PENDING_SIGNALS) for side in legs}
        self._client = RoomClient(
            server_url,
            token,
            join=Join(),
            on_room=self._take_room,
            on_signal=self._take_signal,
            on_replaced=self._take_replaced,
        )
        self._closing: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Stay in the room until `close`; returns early only when the server refuses us."""
        takers = [
            asyncio.create_task(self._answer_signals(side, queue), name=f"signals-{side}")
            for side, queue in self._queues.items()
        ]
        try:
            await self._client.run()
        finally:
            for task in takers:
                task.cancel()
            await asyncio.gather(*takers, *self._closing, return_exceptions=True)

    async def report(self, report: BroadcastReport) -> None:
        """Tell the server how we do; while it is away this says nothing."""
        if self._client.you is None:
            return
        try:
            await self._client.send("report", report)
        except InputError as error:
            logger.info("report not taken: %s", error.message)

    async def close(self) -> None:
        """Leave the room; `run` returns."""
        await self._client.close()

    def _take_room(self, room: RoomView) -> None:
        present = {participant.seat: participant for participant in room.participants}
        for side, leg in self._legs.items():
            participant = present.get(side)
            leg.show(participant.media if participant else None)
            if participant is not None:
                self._sessions[side] = participant.session
            elif self._sessions.pop(side, None) is not None:
                self._drop(leg)

    def _drop(self, leg: Leg) -> None:
        task = asyncio.create_task(leg.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    def _take_signal(self, signal: SignalFrom) -> None:
        if signal.sender not in self._queues:
            return
        try:
            self._queues[Side(signal.sender)].put_nowait(signal)
        except asyncio.QueueFull:
            logger.warning("%s floods us with signals, one dropped", signal.sender)

    @staticmethod
    def _take_replaced(text: str) -> None:
        logger.warning("another broadcast took our seat: %s", text)

    async def _answer_signals(self, side: Side, queue: "asyncio.Queue[SignalFrom]") -> None:
        while True:
            signal = await queue.get()
            try:
                await self._answer(side, signal)
            except InputError as error:
                logger.warning("x %s: %s", side, error.message)

    async def _answer(self, side: Side, signal: SignalFrom) -> None:
        leg = self._legs[side]
        if signal.candidate is not None:
            await leg.add_candidate(
                signal.link, signal.candidate.model_dump(by_alias=True, exclude_none=True)
            )
        elif signal.description is not None and signal.description.type == "offer":
            logger.info("< %s offers %s", side, signal.link)
            answer = await leg.accept(signal.link, signal.description.sdp, session=signal.session)
            await self._client.send_signal(
                Signal(
                    to=side.value,
                    session=signal.session,
                    link=signal.link,
                    description=SessionDescription(type="answer", sdp=answer),
                )
            )
            logger.info("> %s answered %s", side, signal.link)
