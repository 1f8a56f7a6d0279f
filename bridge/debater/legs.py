"""A headless debater's two legs: to the opponent and to the bridge.

A leg keeps one Connection to whoever the room says is there, and makes the next one when it is
lost. Which side offers is fixed (PROTOCOL.md, Negotiation): the opposition to the proposition,
every debater to the bridge.
"""

import asyncio
import logging
import random
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol

from bridge.concurrency.backoff import Backoff
from bridge.debater.connection import Connection
from bridge.errors import InputError
from bridge.protocol.messages import Seat, SessionDescription, Signal, SignalFrom

logger = logging.getLogger(__name__)

_ANSWER_SECONDS: Final = 10.0
_CONNECT_SECONDS: Final = 15.0
"""ICE of aiortc never fails by itself while more candidates might come."""
_BACKOFF: Final = Backoff(first=0.5, most=4.0)
_MAX_WAITING_SIGNALS: Final = 64

SendSignal = Callable[[Signal], Awaitable[None]]
NewConnection = Callable[[], Connection]


@dataclass(frozen=True, slots=True)
class Target:
    """Who is at the other end. Another target is another connection."""

    seat: Seat
    session: str
    prefix: str
    """Of the link ids: what stands before their number."""


class Leg(Protocol):
    """One of a debater's connections, as the room sees it. Loop-side only."""

    @property
    def connected(self) -> bool:
        """Whether media can flow right now."""
        ...

    def aim(self, target: Target | None) -> None:
        """Connect to `target` from now on; None: nobody is there, disconnect."""
        ...

    def take(self, signal: SignalFrom) -> None:
        """Take what the other end sent; more than 64 waiting are dropped and logged."""
        ...

    async def run(self) -> None:
        """Keep connected until cancelled; then everything is closed."""
        ...


class _Inbox:
    """Signals in order of arrival, and one event for whatever else a leg must look at."""

    def __init__(self, name: str) -> None:
        self.stirred = asyncio.Event()
        self._name = name
        self._signals: deque[SignalFrom] = deque()

    def put(self, signal: SignalFrom) -> None:
        """Bound: 64. Overflow: refused and logged."""
        if len(self._signals) >= _MAX_WAITING_SIGNALS:
            logger.warning("%s floods us with signals, one dropped", self._name)
            return
        self._signals.append(signal)
        self.stirred.set()

    def take(self) -> SignalFrom | None:
        return self._signals.popleft() if self._signals else None


class OfferingLeg:
    """A leg that creates each connection and makes its first offer."""

    def __init__(
        self, name: str, direction: str, new_connection: NewConnection, send: SendSignal
    ) -> None:
        self._name = name
        self._direction = direction
        self._new_connection = new_connection
        self._send = send
        self._target: Target | None = None
        self._changed = asyncio.Event()
        self._inbox = _Inbox(name)
        self._connection: Connection | None = None
        self._random = random.Random()  # noqa: S311 - jitter, not a secret

    @property
    def connected(self) -> bool:
        """See Leg."""
        return self._connection is not None and self._connection.up

    def aim(self, target: Target | None) -> None:
        """See Leg."""
        if target != self._target:
            self._target = target
            self._changed.set()

    def take(self, signal: SignalFrom) -> None:
        """See Leg."""
        self._inbox.put(signal)

    async def run(self) -> None:
        """See Leg."""
        number, failures = 0, 0
        while True:
            self._changed.clear()
            target = self._target
            if target is None:
                await self._changed.wait()
                continue
            number += 1
            was_up = await self._connect(target, f"{target.prefix}.{number}")
            failures = 0 if was_up else failures + 1
            # Whoever comes back is answered at once; the same one is given time.
            pause = _BACKOFF.pause(failures, self._random)
            await _first_of(self._changed.wait(), asyncio.sleep(pause))

    async def _connect(self, target: Target, link: str) -> bool:
        """Live through one connection; return whether it was ever up."""
        connection = self._connection = self._new_connection()
        listener = asyncio.create_task(self._listen(target, link, connection))
        changed = self._changed.wait
        try:
            offer = await connection.offer(self._direction)
            await self._send(_description(target, link, "offer", offer))
            async with asyncio.timeout(_ANSWER_SECONDS):
                await _first_of(connection.answered.wait(), connection.ended.wait(), changed())
            async with asyncio.timeout(_CONNECT_SECONDS):
                await _first_of(connection.connected.wait(), connection.ended.wait(), changed())
            await _first_of(connection.ended.wait(), changed())
        except TimeoutError:
            logger.info("%s: no connection in time, next try", self._name)
        except InputError as error:
            logger.info("%s: %s", self._name, error.message)
        finally:
            await _cancelled(listener)
            await connection.close()
            self._connection = None
        return connection.connected.is_set()

    async def _listen(self, target: Target, link: str, connection: Connection) -> None:
        while True:
            self._inbox.stirred.clear()
            while (signal := self._inbox.take()) is not None:
                if signal.link == link:
                    await self._follow(signal, target, connection)
            await self._inbox.stirred.wait()

    async def _follow(self, signal: SignalFrom, target: Target, connection: Connection) -> None:
        try:
            if signal.refusal is not None:
                logger.warning("%s: refused: %s", self._name, signal.refusal.message)
                connection.ended.set()
            elif signal.rejoin:
                logger.info("%s: told to connect anew", self._name)
                connection.ended.set()
            elif signal.candidate is not None:
                await connection.add_candidate(signal.candidate)
            elif signal.description is None:
                return
            elif signal.description.type == "answer":
                await connection.take_answer(signal.description.sdp)
            elif connection.answered.is_set():
                # We are impolite: an offer that crosses ours is ignored, a later one answered.
                answer = await connection.answer(signal.description.sdp)
                await self._send(_description(target, signal.link, "answer", answer))
        except InputError as error:
            logger.warning("%s: %s", self._name, error.message)
            if signal.candidate is None:
                # It will not come up any more; no need to wait until the time is over.
                connection.ended.set()


class AnsweringLeg:
    """A leg that waits for the other end's offers: the proposition's to the opposition."""

    def __init__(self, name: str, new_connection: NewConnection, send: SendSignal) -> None:
        self._name = name
        self._new_connection = new_connection
        self._send = send
        self._target: Target | None = None
        self._target_changed = False
        self._inbox = _Inbox(name)
        self._prefix, self._number = "", 0
        self._connection: Connection | None = None

    @property
    def connected(self) -> bool:
        """See Leg."""
        return self._connection is not None and self._connection.up

    def aim(self, target: Target | None) -> None:
        """See Leg."""
        if target != self._target:
            self._target = target
            self._target_changed = True
            self._inbox.stirred.set()

    def take(self, signal: SignalFrom) -> None:
        """See Leg."""
        self._inbox.put(signal)

    async def run(self) -> None:
        """See Leg."""
        try:
            while True:
                self._inbox.stirred.clear()
                await self._drop_obsolete()
                while (signal := self._inbox.take()) is not None:
                    await self._follow(signal)
                waits = [self._inbox.stirred.wait()]
                if self._connection is not None:
                    waits.append(self._connection.ended.wait())
                await _first_of(*waits)
        finally:
            await self._hang_up()

    async def _drop_obsolete(self) -> None:
        # Only a change counts: an offer may arrive before the room says who made it.
        changed, self._target_changed = self._target_changed, False
        gone = changed and (self._target is None or self._target.prefix != self._prefix)
        if self._connection is not None and (gone or self._connection.ended.is_set()):
            await self._hang_up()

    async def _follow(self, signal: SignalFrom) -> None:
        try:
            if signal.description is not None and signal.description.type == "offer":
                await self._take_offer(signal, signal.description.sdp)
            elif (
                self._connection is not None
                and signal.candidate is not None
                and signal.link == f"{self._prefix}.{self._number}"
            ):
                await self._connection.add_candidate(signal.candidate)
        except InputError as error:
            logger.warning("%s: %s", self._name, error.message)
            if signal.candidate is None:
                await self._hang_up()

    async def _take_offer(self, signal: SignalFrom, sdp: str) -> None:
        prefix, _, digits = signal.link.rpartition(".")
        if not prefix.endswith(f"~{signal.session}") or not digits.isdecimal():
            logger.warning("%s: offer with a link that is not its own", self._name)
            return
        number = int(digits)
        if prefix != self._prefix or number > self._number:
            await self._hang_up()
            self._prefix, self._number = prefix, number
            self._connection = self._new_connection()
        if self._connection is None or number < self._number:
            return
        answer = await self._connection.answer(sdp)
        target = Target(signal.sender, signal.session, prefix)
        await self._send(_description(target, signal.link, "answer", answer))

    async def _hang_up(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()


def _description(target: Target, link: str, kind: Literal["offer", "answer"], sdp: str) -> Signal:
    return Signal(
        to=target.seat,
        session=target.session,
        link=link,
        description=SessionDescription(type=kind, sdp=sdp),
    )


async def _first_of(*waits: Coroutine[Any, Any, object]) -> None:
    """Wait until one is done; the others are cancelled. Results are not wanted."""
    tasks = [asyncio.create_task(wait) for wait in waits]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await _cancelled(*tasks)


async def _cancelled(*tasks: "asyncio.Task[Any]") -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
