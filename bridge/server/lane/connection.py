"""One client's connection: aiohttp's, with a lane of ours for what is below `/live/`.

Requests come in any order on one connection. While aiohttp is idle and a request for the lane
begins, the lane answers it; everything else is aiohttp's. A connection does one thing at a time: as
long as the lane is busy, further bytes wait, at most a head and a bit.
"""

import asyncio
import logging
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any, Final, cast

from aiohttp import web

from bridge.server.lane import head as heads
from bridge.server.lane.aiohttp_inside import IdleConnection
from bridge.server.lane.refusals import BUSY, refused
from bridge.server.origin.answers import Answer, Held

if TYPE_CHECKING:
    from bridge.server.lane.lane import Lane

logger = logging.getLogger(__name__)

_CLOGGED_SECONDS: Final = 20.0
"""A client that has taken nothing for so long is gone, or means harm."""


class LaneConnection(IdleConnection):
    """Made by `Lane.connection`. Loop-side only."""

    def __init__(self, lane: "Lane", server: web.Server, **options: Any) -> None:
        super().__init__(server, loop=asyncio.get_running_loop(), **options)
        self._lane = lane
        self._line: asyncio.Transport | None = None
        self._buffer = b""
        self._head: heads.Head | None = None
        """Of the request that is being answered."""
        self._held: Held | None = None
        self._clogged: asyncio.TimerHandle | None = None
        self._is_full = False
        self._closing = False
        """Nothing more is read."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        super().connection_made(transport)
        # TCP, with or without TLS; uvloop's transports only look like asyncio's.
        self._line = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Give back what a request that is held costs."""
        self._line = None
        if self._held is not None:
            self._lane.crowds.leave(self, self._held)
            self._held = None
        if self._clogged is not None:
            self._clogged.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Sort bytes between the lane and aiohttp."""
        if self._closing:
            return
        if self._head is not None or self._buffer:
            self._buffer += data
            if len(self._buffer) > heads.MAX_HEAD_BYTES and self._line is not None:
                self._line.pause_reading()
                self._is_full = True
            if self._head is None:
                self._go_on()
        elif self.is_idle and heads.begins(data):
            self._buffer = data
            self._go_on()
        else:
            self.give(data)

    def deliver(self, answer: Answer) -> None:
        """Send the answer to the request that is under way."""
        self._held = None
        self._answer(answer)
        if self._buffer:
            self._go_on()

    def close(self) -> None:
        """Close when idle: a request that is held gets its answer first."""
        if self._head is None:
            super().close()
        else:
            self._closing = True

    def pause_writing(self) -> None:
        """Wait: the client does not keep up."""
        super().pause_writing()
        self._watch()

    def resume_writing(self) -> None:
        """Go on with the requests that waited meanwhile."""
        super().resume_writing()
        if self._clogged is not None:
            self._clogged.cancel()
            self._clogged = None
        self._go_on()

    def _go_on(self) -> None:
        """Answer what is in the buffer, as far as it goes."""
        while self._buffer and self._head is None and self._clogged is None and self._line:
            if not heads.begins(self._buffer):
                rest, self._buffer = self._buffer, b""
                self.give(rest)
                break
            end = self._buffer.find(heads.END)
            if not 0 <= end <= heads.MAX_HEAD_BYTES:
                if len(self._buffer) > heads.MAX_HEAD_BYTES:
                    self._refuse(heads.MalformedError(431, "That head is too long."))
                break
            head, self._buffer = self._buffer[:end], self._buffer[end + len(heads.END) :]
            try:
                self._serve(heads.parse(head))
            except heads.MalformedError as error:
                self._refuse(error)
        if self._is_full and self._line and len(self._buffer) <= heads.MAX_HEAD_BYTES:
            self._line.resume_reading()
            self._is_full = False

    def _serve(self, head: heads.Head) -> None:
        self._head = head
        self.stay(self.keepalive_timeout)
        reply = self._lane.ask(head.asked)
        if isinstance(reply, Answer):
            self._answer(reply)
        elif isinstance(reply, Held):
            if self._lane.crowds.hold(self, reply):
                self._held = reply
            else:
                self._answer(BUSY)
        else:
            self._read(reply)

    def _read(self, reply: Awaitable[Answer]) -> None:
        if not self._lane.read(reply, self):
            asyncio.ensure_future(reply).cancel()
            self._answer(BUSY)

    def _answer(self, answer: Answer) -> None:
        head, self._head = self._head, None
        if head is None or self._line is None:
            # The client left while the disk was read.
            return
        keeps_alive = head.keeps_alive and not self._closing
        buffers = self._lane.wire.buffers(
            answer, keeps_alive=keeps_alive, body=head.asked.method != "HEAD"
        )
        if len(buffers) == 1:
            self._line.write(buffers[0])
        else:
            self._line.writelines(buffers)
        if not keeps_alive:
            self._hang_up()

    def _refuse(self, error: heads.MalformedError) -> None:
        if self._line is not None:
            for buffer in self._lane.wire.buffers(refused(error), keeps_alive=False):
                self._line.write(buffer)
        self._hang_up()

    def _hang_up(self) -> None:
        self._closing = True
        self._buffer = b""
        if self._line is not None:
            self._line.close()

    def _watch(self) -> None:
        left = self._line.get_write_buffer_size() if self._line else 0
        loop = asyncio.get_running_loop()
        self._clogged = loop.call_later(_CLOGGED_SECONDS, self._check, left)

    def _check(self, left: int) -> None:
        if self._line is None:
            return
        if self._line.get_write_buffer_size() < left:
            self._watch()
            return
        logger.info("a client has read nothing for %.0f s; hung up", _CLOGGED_SECONDS)
        self._line.abort()
