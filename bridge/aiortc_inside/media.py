"""What a receiver hands over, in words of our own. Frozen."""

from dataclasses import dataclass
from typing import Final

VP8: Final = "VP8"
H264: Final = "H264"
OPUS: Final = "opus"


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaPacket:
    """One RTP packet with its payload header taken off (RFC 7741, RFC 6184) and RTX undone."""

    ssrc: int
    sequence: int
    """16 bits."""
    timestamp: int
    """32 bits, in `clock_rate`."""
    marker: bool
    """In video: the last packet of its frame."""
    payload: bytes
    """Codec data; empty in packets that only probe for bandwidth."""
    codec: str
    clock_rate: int
    begins_frame: bool
    """Certainly the first packet of a frame. False may mean unknown (H.264)."""
    retransmitted: bool
    arrival: float
    """Monotonic seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SenderReport:
    """Where the sender's clocks meet (RFC 3550 6.4.1)."""

    ssrc: int
    ntp: float
    """Seconds on the sender's wall clock; its zero means nothing to us."""
    timestamp: int
    """32 bits, in the track's clock rate."""
