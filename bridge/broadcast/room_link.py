"""The broadcast's seat in the room: signalling in, answers and reports out."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Protocol

from bridge.broadcast.wanted_teller import WantedTeller
from bridge.errors import InputError
from bridge.protocol.messages import (
    BroadcastReport,
    ErrorBody,
    Join,
    MediaState,
    RoomView,
    SessionDescription,
    Signal,
    SignalFrom,
    Wanted,
)
from bridge.protocol.room_client import RoomClient
from bridge.protocol.show import Levels
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

    def show(self, media: MediaState | None) -> None:
        """Note what the debater says he sends; None: he is not in the room."""
        ...


class RoomLink:
    """Joins the room as the hidden peer and keeps each debater's leg as the room has it.

    Loop-side only. Signals are taken in order, one at a time per debater; more than 64 waiting
    are dropped and logged: a browser that floods must not fill our memory.
    """

    def __init__(
        self,
        server_url: str,
        token: str,
        legs: Mapping[Side, Leg],
        *,
        on_room: Callable[[RoomView], object] = lambda _room: None,
    ) -> None:
        self._legs = legs
        self._on_room = on_room
        self._queues = {side: asyncio.Queue[SignalFrom](_MAX_PENDING_SIGNALS) for side in legs}
        self._client = RoomClient(
            server_url,
            token,
            join=Join(),
            on_room=self._take_room,
            on_signal=self._take_signal,
            on_replaced=self._take_replaced,
        )
        self._tellers = {side: WantedTeller(side, self._client.send_signal) for side in legs}
        self._telling: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Stay in the room until `close`; returns early only when the server refuses us."""
        takers = [
            asyncio.create_task(self._answer_signals(side, queue), name=f"signals-{side}")
            for side, queue in self._queues.items()
        ]
        takers += [
            asyncio.create_task(teller.run(), name=f"wanted-{side}")
            for side, teller in self._tellers.items()
        ]
        try:
            await self._client.run()
        finally:
            for task in takers:
                task.cancel()
            await asyncio.gather(*takers, *self._telling, return_exceptions=True)

    async def report(self, report: BroadcastReport) -> None:
        """Tell the server how we do; while it is away this says nothing."""
        if self._client.you is None:
            return
        try:
            await self._client.send("report", report)
        except InputError as error:
            logger.info("report not taken: %s", error.message)

    async def tell_levels(self, levels: Levels) -> None:
        """Let the host see how everybody sounds; while the server is away this says nothing."""
        if self._client.you is None:
            return
        try:
            await self._client.send("levels", levels)
        except InputError as error:
            logger.debug("levels not taken: %s", error.message)

    def want(self, side: Side, wanted: Wanted) -> None:
        """Let a debater's browser know what is shown of him, as soon as there is a link."""
        self._tellers[side].want(wanted)

    def ask_to_rejoin(self, side: Side, link: str, session: str) -> None:
        """Tell a debater that nothing comes on `link` any more."""
        if self._client.you is None:
            return
        signal = Signal(to=side.value, session=session, link=link, rejoin=True)
        task = asyncio.create_task(self._tell(side, signal), name=f"rejoin-{side}")
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    async def close(self) -> None:
        """Leave the room; `run` returns."""
        await self._client.close()

    def _take_room(self, room: RoomView) -> None:
        present = {participant.seat: participant for participant in room.participants}
        for side, leg in self._legs.items():
            participant = present.get(side)
            leg.show(participant.media if participant else None)
        self._on_room(room)

    async def _tell(self, side: Side, signal: Signal) -> None:
        try:
            await self._client.send_signal(signal)
        except InputError as error:
            # He has joined anew or is away: then he makes a new connection by himself.
            logger.info("%s is not told to rejoin: %s", side, error.message)
        else:
            logger.info("> %s is told to rejoin", side)

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
            decision = await self._decide(side, signal, signal.description.sdp)
            await self._client.send_signal(decision)
            if decision.description is not None:
                self._tellers[side].address(signal.link, signal.session)

    async def _decide(self, side: Side, signal: SignalFrom, offer: str) -> Signal:
        """Return the answer to an offer, or why there is none, which its sender must be told."""
        answer, refusal = None, None
        try:
            sdp = await self._legs[side].accept(signal.link, offer, session=signal.session)
        except InputError as error:
            logger.warning("x %s: %s", side, error.message)
            refusal = ErrorBody(code=error.code, message=error.message)
        else:
            logger.info("> %s is answered on %s", side, signal.link)
            answer = SessionDescription(type="answer", sdp=sdp)
        return Signal(
            to=side.value,
            session=signal.session,
            link=signal.link,
            description=answer,
            refusal=refusal,
        )
