"""Constant bit rate for platforms that ask for it, by filler data where the encoder needs less.

HLS and the recording are spared it: it is added on the way to an RTMP server only.
"""

from typing import Final

from bridge.broadcast.media.packets import CodecParameters, EncodedPacket, TrackKind
from bridge.broadcast.outputs.feed import packet_seconds

_FILLER_NAL: Final = 12
_STOP_BIT: Final = 0x80
_LENGTH_BYTES: Final = 4
_LEAST: Final = _LENGTH_BYTES + 2
"""A NAL unit with nothing but its header and stop bit, behind its length."""
_MOST_DEBT_SECONDS: Final = 2.0
"""A picture that took more than its share is made up for within this time, or forgiven."""


class ConstantRate:
    """Pads pictures so that each second holds what the platform was told (H.264 7.3.2.7)."""

    def __init__(self, parameters: CodecParameters) -> None:
        self._bytes_per_second = parameters.video_bit_rate / 8
        self._missing = 0.0

    def pad(self, packet: EncodedPacket) -> bytes:
        """Return the packet's data, with filler behind it when there was too little until now."""
        if packet.kind is not TrackKind.VIDEO:
            return packet.data
        share = self._bytes_per_second * packet_seconds(packet)
        debt = -self._bytes_per_second * _MOST_DEBT_SECONDS
        self._missing = max(self._missing + share - len(packet.data), debt)
        missing = int(self._missing)
        if missing < _LEAST:
            return packet.data
        self._missing -= missing
        return packet.data + _filler(missing)


def _filler(size: int) -> bytes:
    body = size - _LENGTH_BYTES
    return b"".join(
        (
            body.to_bytes(_LENGTH_BYTES),
            bytes((_FILLER_NAL,)),
            b"\xff" * (body - 2),
            bytes((_STOP_BIT,)),
        )
    )
