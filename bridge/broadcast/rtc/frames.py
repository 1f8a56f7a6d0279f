"""What travels through the receive path. Frozen: any thread may keep them."""

from dataclasses import dataclass
from typing import Final

from bridge.aiortc_inside.media import H264, VP8

_VP8_START_CODE: Final = b"\x9d\x01\x2a"
_H264_START_CODE: Final = b"\x00\x00\x01"
_H264_IDR: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodedFrame:
    """One complete video frame or one Opus packet, in order."""

    codec: str
    data: bytes
    """VP8 frame, H.264 access unit (Annex B) or Opus packet."""
    timestamp: int
    """Unwrapped, in `clock_rate`; comparable only within one source (see `on_restart`)."""
    clock_rate: int
    arrival: float
    """Monotonic seconds, of the packet that came first."""
    keyframe: bool
    """Every Opus packet is one."""
    lost_before: int
    """Packets given up between the frame before and this one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecoderCounters:
    """What became of a track's frames."""

    decoded: int = 0
    """Pictures shown or packets of sound decoded."""
    errors: int = 0
    """Frames that could not be decoded."""
    dropped: int = 0
    """Frames dropped because the thread fell behind."""
    concealed: int = 0
    """Samples made up for lost sound."""


def is_keyframe(codec: str, data: bytes) -> bool:
    """Whether a decoder can begin with this frame.

    VP8: the frame tag's bit and the start code (RFC 6386 9.1), so that the middle of a frame is
    never taken for a keyframe. H.264: an IDR slice; browsers send parameter sets with each.
    """
    if codec == VP8:
        return len(data) >= 10 and not data[0] & 1 and data[3:6] == _VP8_START_CODE
    if codec == H264:
        at = data.find(_H264_START_CODE)
        while 0 <= at < len(data) - 3:
            if data[at + 3] & 0x1F == _H264_IDR:
                return True
            at = data.find(_H264_START_CODE, at + 3)
        return False
    return True
