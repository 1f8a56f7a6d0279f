"""Socket.IO itself, with everything refused that our messages do not need."""

import logging
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

import socketio

from bridge.errors import InputError
from bridge.protocol.messages import MAX_MESSAGE_BYTES

logger = logging.getLogger(__name__)

_TAKEN: Final = (
    socketio.packet.CONNECT,
    socketio.packet.DISCONNECT,
    socketio.packet.EVENT,
    socketio.packet.ACK,
)


class JsonPacket(socketio.packet.Packet):  # type: ignore[misc]
    """Text packets without attachments: one client could otherwise hold us to 10^9 of them."""

    uses_binary_events = False

    def decode(self, encoded_packet: str | bytes) -> int:
        """Decode a packet; returns 0 attachments. Raises InputError for what we do not take."""
        if isinstance(encoded_packet, bytes | bytearray):
            message = "binary packets are refused"
            raise InputError(message)
        try:
            attachments = super().decode(encoded_packet)
        except (ValueError, IndexError, TypeError, KeyError, RecursionError):
            message = "not a Socket.IO packet"
            raise InputError(message) from None
        named = isinstance(self.data, list) and self.data and isinstance(self.data[0], str)
        if attachments or self.packet_type not in _TAKEN:
            message = "packet types that we do not use are refused"
            raise InputError(message)
        if self.packet_type == socketio.packet.EVENT and not named:
            message = "an event has a name"
            raise InputError(message)
        return 0


class SameOrigin:
    """Who may connect: our own pages, and programs, which send no Origin.

    The scheme is left out of the comparison: a proxy that ends TLS in front of us need not say so.
    """

    def __init__(self, public_url: str | None) -> None:
        self._public = urlsplit(public_url).netloc if public_url else None

    def __call__(self, origin: str | None, environ: Mapping[str, object]) -> bool:
        """See python-engineio, `cors_allowed_origins`; called only when there is an Origin."""
        netloc = urlsplit(origin or "").netloc
        forwarded = str(environ.get("HTTP_X_FORWARDED_HOST", "")).partition(",")[0].strip()
        return bool(netloc) and netloc in {environ.get("HTTP_HOST"), forwarded, self._public}


class Door(socketio.AsyncServer):  # type: ignore[misc]
    """The Socket.IO server. Loop-side only.

    One event at a time per connection: TCP then holds back who floods us. A malformed packet ends
    its connection: the library would log a traceback for each and go on.
    """

    def __init__(self, public_url: str | None) -> None:
        super().__init__(
            async_mode="aiohttp",
            serializer=JsonPacket,
            transports=["websocket"],
            max_http_buffer_size=MAX_MESSAGE_BYTES,
            async_handlers=False,
            cors_allowed_origins=SameOrigin(public_url),
            ping_interval=5,
            ping_timeout=6,
            logger=False,
            engineio_logger=False,
        )

    async def close(self) -> None:
        """Close every connection; the library's own `shutdown` leaves them open. Idempotent."""
        for eio_sid in list(self.eio.sockets):
            await self._close(eio_sid)
        if self.eio.service_task_handle is not None:
            await self.shutdown()

    async def _handle_eio_message(self, eio_sid: str, data: str | bytes) -> None:
        try:
            if not data:
                # The library would take it for an event without a name.
                message = "an empty packet"
                raise InputError(message)
            await super()._handle_eio_message(eio_sid, data)
        except InputError as error:
            logger.info("x connection closed: %s", error.message)
            await self._close(eio_sid)

    async def _close(self, eio_sid: str) -> None:
        socket = self.eio.sockets.get(eio_sid)
        if socket is not None:
            await socket.close(wait=False)
            # Ends the writer, which closes the WebSocket. Asking the client, which is all that
            # the library does, leaves him eleven seconds to go on.
            await socket.queue.put(None)
