"""A DTLS handshake that a lossy network does not hold up for seconds.

OpenSSL repeats a lost flight after 1, 2, 4 and 8 seconds, and gives no way to set that. At 20 %
loss each way a handshake took up to eight seconds (25 measured). So the datagrams of the last
flight are sent again five times a second until there is an answer; who has them already drops them
as replays (RFC 6347 4.1.2.6).
"""

import asyncio
from collections import deque
from typing import Any, Final

from aiortc import rtcpeerconnection
from aiortc.rtcdtlstransport import RTCDtlsParameters, RTCDtlsTransport, State
from OpenSSL import SSL

_EVERY: Final = 0.2
"""Seconds. On a longer way some go in vain: a handshake is a few kilobytes."""
_AFTERWARDS: Final = 5
"""Repeats once we are connected: our last flight may be what the other side still waits for."""
_FLIGHT: Final = 4
"""Datagrams: more than a flight with its certificate takes."""


class RepeatingTransport(RTCDtlsTransport):
    """Sends each flight of the handshake again until it is answered. Loop-side only."""

    _flight: deque[bytes] | None = None
    _answered = False
    _repeating: asyncio.Task[None] | None = None

    async def start(self, remoteParameters: RTCDtlsParameters) -> None:  # noqa: N803 - aiortc's name
        """Shake hands; see RTCDtlsTransport."""
        self._flight = deque(maxlen=_FLIGHT)
        self._repeating = asyncio.create_task(self._repeat(), name="dtls-repeats")
        try:
            await super().start(remoteParameters)
        except BaseException:
            self._repeating.cancel()
            raise

    async def stop(self) -> None:
        """Close; see RTCDtlsTransport."""
        if self._repeating is not None:
            self._repeating.cancel()
            await asyncio.gather(self._repeating, return_exceptions=True)
        await super().stop()

    async def _recv_next(self) -> None:
        await super()._recv_next()
        self._answered = True

    async def _write_ssl(self) -> None:
        assert self._ssl is not None  # noqa: S101 - made before the first write
        try:
            data = self._ssl.bio_read(1500)
        except SSL.Error:
            return
        if self._flight is not None:
            if self._answered:
                self._flight.clear()
                self._answered = False
            self._flight.append(data)
        await self.transport._send(data)  # noqa: SLF001

    async def _repeat(self) -> None:
        assert self._flight is not None  # noqa: S101 - set by start
        left = _AFTERWARDS
        while left > 0 and self._state in {State.NEW, State.CONNECTING, State.CONNECTED}:
            await asyncio.sleep(_EVERY)
            left -= self._state is State.CONNECTED
            for data in tuple(self._flight):
                try:
                    await self.transport._send(data)  # noqa: SLF001
                except ConnectionError:
                    return
        self._flight = None


def install() -> None:
    """Use it for all connections of this process that are made from now on. Idempotent."""
    module: Any = rtcpeerconnection
    if not issubclass(module.RTCDtlsTransport, RepeatingTransport):
        module.RTCDtlsTransport = RepeatingTransport
