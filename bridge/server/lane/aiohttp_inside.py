"""What the lane has to know of aiohttp's connections that aiohttp does not tell (3.14).

    _waiter                       a pending future while the connection waits for a request
    _next_keepalive_close_time    when an idle connection is closed

Nothing else of aiohttp's inside is used, and nowhere else; `tests/component/test_lane.py`
fails when one of these changes its meaning.
"""

import asyncio
from typing import Final

from aiohttp.web_protocol import RequestHandler

_END_OF_HEAD: Final = b"\r\n\r\n"


class IdleConnection(RequestHandler):
    """A connection that knows whether aiohttp is done with everything it was given."""

    _given = False
    _last = _END_OF_HEAD
    """Of the bytes that aiohttp was given."""

    def give(self, data: bytes) -> None:
        """Let aiohttp have `data`."""
        self._given = True
        size = len(_END_OF_HEAD)
        self._last = data[-size:] if len(data) >= size else (self._last + data)[-size:]
        super().data_received(data)

    @property
    def is_idle(self) -> bool:
        """Whether aiohttp has no request under way, no body to drop, and no half of a head.

        That it waits for a request does not say whether it has the beginning of one. It surely has
        not when what it got last ended a head: then that request has been answered. After a body it
        may or may not, and counts as busy until its next request.
        """
        if self._waiter is None:
            # Its task begins a turn of the loop after the connection.
            return not self._given
        return self._last == _END_OF_HEAD and not self._waiter.done()

    def stay(self, seconds: float) -> None:
        """Not be closed for being idle within the next `seconds`."""
        close = asyncio.get_running_loop().time() + seconds
        self._next_keepalive_close_time = max(self._next_keepalive_close_time, close)
