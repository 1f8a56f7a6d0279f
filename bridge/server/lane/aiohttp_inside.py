"""What the lane has to know of aiohttp's connections that aiohttp does not tell (3.14).

    _waiter                       a pending future while the connection waits for a request
    _next_keepalive_close_time    when an idle connection is closed

Nothing else of aiohttp's inside is used, and nowhere else; `tests/component/test_lane.py`
fails when one of these changes its meaning.
"""

import asyncio

from aiohttp.web_protocol import RequestHandler


class IdleConnection(RequestHandler):
    """A connection that knows whether aiohttp is done with everything it was given."""

    _given = False

    def give(self, data: bytes) -> None:
        """Let aiohttp have `data`."""
        self._given = True
        super().data_received(data)

    @property
    def is_idle(self) -> bool:
        """Whether no request of aiohttp's is under way, nor a body that it still drops."""
        if self._waiter is None:
            # Its task begins a turn of the loop after the connection.
            return not self._given
        return not self._waiter.done()

    def stay(self, seconds: float) -> None:
        """Not be closed for being idle within the next `seconds`."""
        close = asyncio.get_running_loop().time() + seconds
        self._next_keepalive_close_time = max(self._next_keepalive_close_time, close)
