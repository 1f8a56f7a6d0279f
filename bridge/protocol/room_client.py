"""A Socket.IO client of a room: what the broadcast and headless debaters share.

It joins, joins again after every lost connection, and checks every message at the door.
"""

import asyncio
import logging
import random
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

import socketio
from pydantic import ValidationError

from bridge.concurrency.backoff import Backoff
from bridge.errors import ConflictError, InputError, TokenError
from bridge.protocol.message import Message
from bridge.protocol.messages import (
    ErrorBody,
    Join,
    JoinAck,
    Leave,
    RoomView,
    Signal,
    SignalFrom,
    You,
    dump,
)

M = TypeVar("M", bound=Message)
logger = logging.getLogger(__name__)

_ANSWER_SECONDS = 10.0
_BACKOFF = Backoff(first=0.2, most=3.0)


class RoomClient:
    """One seat in a room over Socket.IO. Loop-side only; callbacks run on the loop.

    A refused token ends `run` with TokenError, a taken seat with ConflictError; a server that is
    away does not: it is tried again for ever. `you` changes with every join.
    """

    def __init__(
        self,
        server_url: str,
        token: str,
        *,
        join: Join,
        on_room: Callable[[RoomView], None],
        on_signal: Callable[[SignalFrom], None],
        on_replaced: Callable[[str], None],
    ) -> None:
        self._server_url = server_url
        self._token = token
        self._join = join
        self._on_room = on_room
        self._on_signal = on_signal
        self._on_replaced = on_replaced
        self._socket = socketio.AsyncClient(reconnection=False, handle_sigint=False)
        self._socket.on("room", self._take_room)
        self._socket.on("signal", self._take_signal)
        self._socket.on("replaced", self._take_replaced)
        self._socket.on("connect_error", self._take_refusal)
        self._refusal: ErrorBody | None = None
        self._early_room: object | None = None
        self._closed = asyncio.Event()
        self._leaving = False
        self._random = random.Random()  # noqa: S311 - jitter, not a secret
        self.ack: JoinAck | None = None

    @property
    def you(self) -> You | None:
        """Who this client is, None while not joined."""
        return self.ack.you if self.ack else None

    async def run(self) -> None:
        """Stay joined until `close`. Raises TokenError or ConflictError when refused."""
        attempt = 0
        while not self._closed.is_set():
            try:
                await self._connect()
                attempt = 0
                await self._until_disconnected()
            except (socketio.exceptions.SocketIOError, TimeoutError) as error:
                if self._refusal is not None:
                    raise TokenError(self._refusal.message, code=self._refusal.code) from None
                logger.info("server is away (%s), trying again", type(error).__name__)
            finally:
                self.ack = None
                await self._socket.disconnect()
            if not self._closed.is_set():
                await self._pause(_BACKOFF.pause(attempt, self._random))
                attempt += 1

    async def send_signal(self, signal: Signal) -> None:
        """Send one step of a negotiation. Raises InputError when the server refuses it."""
        await self.send("signal", signal)

    async def send(self, event: str, message: Message) -> dict[str, Any]:
        """Send an event and wait for its ack. Raises InputError when it is refused or unheard."""
        try:
            answer = await self._socket.call(event, dump(message), timeout=_ANSWER_SECONDS)
        except (socketio.exceptions.SocketIOError, TimeoutError):
            message_text = f"The server did not answer to '{event}'."
            raise InputError(message_text, code="unheard") from None
        if not isinstance(answer, dict) or not answer.get("ok"):
            error = _error_of(answer)
            raise InputError(error.message, code=error.code)
        return answer

    async def close(self) -> None:
        """Leave the seat and end `run`. Idempotent."""
        if self._leaving or self._closed.is_set():
            return
        # Not `_closed` yet: that would cut the connection off before the answer to `leave`.
        self._leaving = True
        if self._socket.connected and self.ack is not None:
            try:
                await self.send("leave", Leave())
            except InputError as error:
                logger.debug("left without an answer: %s", error.message)
        self._closed.set()
        await self._socket.disconnect()

    async def _connect(self) -> None:
        self._refusal = None
        self._early_room = None
        await self._socket.connect(
            self._server_url, auth={"token": self._token}, transports=["websocket"]
        )
        answer = await self._socket.call("join", dump(self._join), timeout=_ANSWER_SECONDS)
        if not isinstance(answer, dict) or not answer.get("ok"):
            error = _error_of(answer)
            raise ConflictError(error.message, code=error.code)
        self.ack = JoinAck.model_validate(answer)
        self._on_room(self.ack.room)
        early, self._early_room = self._early_room, None
        if early is not None:
            self._check("room", RoomView, early, self._on_room)

    async def _until_disconnected(self) -> None:
        lost = asyncio.create_task(self._socket.wait())
        closed = asyncio.create_task(self._closed.wait())
        try:
            await asyncio.wait({lost, closed}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (lost, closed):
                task.cancel()
            await asyncio.gather(lost, closed, return_exceptions=True)

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._closed.wait()

    async def _take_room(self, content: object) -> None:
        if self.ack is None:
            # It overtook the join's ack, without which nobody knows the own seat.
            self._early_room = content
        else:
            self._check("room", RoomView, content, self._on_room)

    async def _take_signal(self, content: object) -> None:
        self._check("signal", SignalFrom, content, self._on_signal)

    async def _take_replaced(self, content: object) -> None:
        text = content.get("message", "") if isinstance(content, dict) else ""
        self._closed.set()
        self._on_replaced(str(text))

    async def _take_refusal(self, content: object) -> None:
        data = content.get("data", content) if isinstance(content, dict) else content
        if isinstance(data, dict) and "code" in data:
            self._refusal = _error_of({"error": data})

    @staticmethod
    def _check(event: str, model: type[M], content: object, take: Callable[[M], None]) -> None:
        try:
            message = model.model_validate(content)
        except ValidationError as error:
            logger.warning("server sent a malformed '%s': %d errors", event, error.error_count())
            return
        take(message)


def _error_of(answer: object) -> ErrorBody:
    try:
        return ErrorBody.model_validate(answer["error"])  # type: ignore[index]
    except (TypeError, KeyError, ValidationError):
        return ErrorBody(code="unheard", message="The server gave no proper answer.")
