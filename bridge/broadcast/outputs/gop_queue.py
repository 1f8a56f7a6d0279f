"""What one RTMP connection has still to send, and the newest GOP for the next connection."""

from collections import deque
from threading import Lock
from typing import Final

from bridge.broadcast.media.packets import EncodedPacket, TrackKind
from bridge.broadcast.outputs.feed import packet_seconds

MAX_BYTES: Final = 4 * 1024 * 1024
MAX_SECONDS: Final = 8.0


class GopQueue:
    """Bounded by 4 MiB and 8 s of pictures; when full it is cleared and waits for a keyframe.

    The encoder's thread puts, the loop does the rest. The newest GOP (at most 4 MiB) is kept
    beside the queue, so that a new connection begins at once and not at the next keyframe.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._gop: list[EncodedPacket] = []
        self._gop_bytes = 0
        self._queue: deque[EncodedPacket] = deque()
        self._bytes = 0
        self._seconds = 0.0
        self._connected = False
        self._waits_for_keyframe = False
        self.dropped = 0
        """Packets that a connection never got."""

    def put(self, packet: EncodedPacket) -> None:
        """Take a packet; never blocks."""
        opens = packet.keyframe and packet.kind is TrackKind.VIDEO
        with self._lock:
            self._remember(packet, opens=opens)
            if not self._connected:
                return
            if self._waits_for_keyframe and not opens:
                self.dropped += 1
                return
            self._waits_for_keyframe = False
            self._append(packet)
            if self._bytes > MAX_BYTES or self._seconds > MAX_SECONDS:
                self.dropped += len(self._queue)
                self._clear()
                self._waits_for_keyframe = True

    def take(self) -> list[EncodedPacket]:
        """Everything queued, oldest first."""
        with self._lock:
            packets = list(self._queue)
            self._clear()
            return packets

    def connect(self) -> None:
        """Begin a connection: the queue holds the newest GOP and goes on from there."""
        with self._lock:
            self._clear()
            for packet in self._gop:
                self._append(packet)
            self._connected = True
            self._waits_for_keyframe = not self._gop

    def disconnect(self) -> None:
        """Nothing is queued until the next `connect`."""
        with self._lock:
            self._clear()
            self._connected = False

    @property
    def ready(self) -> bool:
        """Whether a connection would have something to begin with."""
        with self._lock:
            return bool(self._gop)

    def _remember(self, packet: EncodedPacket, *, opens: bool) -> None:
        if opens:
            self._gop.clear()
            self._gop_bytes = 0
        if not opens and not self._gop:
            return
        self._gop.append(packet)
        self._gop_bytes += len(packet.data)
        if self._gop_bytes > MAX_BYTES:
            self._gop.clear()

    def _append(self, packet: EncodedPacket) -> None:
        self._queue.append(packet)
        self._bytes += len(packet.data)
        if packet.kind is TrackKind.VIDEO:
            self._seconds += packet_seconds(packet)

    def _clear(self) -> None:
        self._queue.clear()
        self._bytes = 0
        self._seconds = 0.0
