"""What aiortc's senders read: packets that are encoded already."""

import asyncio
from collections import deque
from typing import Final

from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError

from bridge.debater.cadence import Medium
from bridge.debater.encoder import AnyPacket, MediaEncoder

_BOUNDS: Final = {Medium.PICTURE: 30, Medium.SOUND: 25}
"""One second of pictures, half a second of sound."""
_KINDS: Final = {Medium.PICTURE: "video", Medium.SOUND: "audio"}


class EncodedTrack(MediaStreamTrack):
    """One connection's share of the encoder. Loop-side only.

    It takes packets from the first `recv` on, which aiortc calls when the connection is up: so a
    slow connection begins with a fresh keyframe and not with what has waited. When the sender does
    not keep up, sound loses its oldest packet, and pictures all of them up to the next keyframe.
    """

    def __init__(self, encoder: MediaEncoder, medium: Medium) -> None:
        self.kind = _KINDS[medium]
        super().__init__()
        self._encoder = encoder
        self._medium = medium
        self._packets: deque[AnyPacket] = deque()
        self._ready = asyncio.Event()
        self._subscribed = False
        self._gated = medium is Medium.PICTURE
        self.dropped = 0

    async def recv(self) -> AnyPacket:
        """Wait for the next packet. Raises MediaStreamError after `stop`."""
        if not self._subscribed and self.readyState == "live":
            self._subscribed = True
            self._encoder.add(self._medium, self)
        while not self._packets:
            if self.readyState != "live":
                raise MediaStreamError
            self._ready.clear()
            await self._ready.wait()
        return self._packets.popleft()

    def put(self, packet: AnyPacket) -> None:
        """See PacketSink."""
        if len(self._packets) >= _BOUNDS[self._medium]:
            self._drop()
        if self._gated and not packet.is_keyframe:
            return
        self._gated = False
        self._packets.append(packet)
        self._ready.set()

    def resync(self) -> None:
        """See PacketSink."""
        if self._medium is Medium.PICTURE:
            self.dropped += len(self._packets)
            self._packets.clear()
            self._gated = True

    def stop(self) -> None:
        """End the track; idempotent."""
        self._encoder.remove(self._medium, self)
        super().stop()
        self._ready.set()

    def _drop(self) -> None:
        if self._medium is Medium.SOUND:
            self._packets.popleft()
            self.dropped += 1
        else:
            self.resync()
            self._encoder.request_keyframe()


class IdleTrack(MediaStreamTrack):
    """A video track that never has anything: a screen that is not shared.

    Without any track aiortc's sender would look for one fifty times a second.
    """

    kind = "video"

    def __init__(self) -> None:
        super().__init__()
        self._ended = asyncio.Event()

    async def recv(self) -> AnyPacket:
        """Wait for ever. Raises MediaStreamError after `stop`."""
        await self._ended.wait()
        raise MediaStreamError

    def stop(self) -> None:
        """End the track; idempotent."""
        super().stop()
        self._ended.set()
