"""Matroska as it is written while it grows (RFC 9559, EBML: RFC 8794). Pure: bytes in, bytes out.

The segment has no known size; clusters have one, so a file that ends anywhere is read up to its
last whole cluster. The tracks stand in a field of fixed size: one that comes later is put in place.
"""

import struct
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

TICKS: Final = 10_000
"""Timestamps per second: a tenth of a millisecond."""
TRACKS_BYTES: Final = 2048
"""The field of the tracks, with what is void in it."""
CLUSTER_TICKS: Final = 5_000
"""Half a second: what a crash costs, and far less than the 16 bits of a block's timestamp."""

_UNKNOWN_SIZE: Final = b"\x01" + b"\xff" * 7
_NANOSECONDS: Final = 1_000_000_000
_SEEK_PRE_ROLL: Final = 80_000_000
"""Nanoseconds (RFC 7845 4.6)."""
_APP: Final = b"debate bridge"
_VOID: Final = "EC"


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """One TrackEntry."""

    number: int
    """1 to 127."""
    name: str
    codec: str
    """Matroska's codec ID."""
    private: bytes = b""
    size: tuple[int, int] | None = None
    """Width and height of a picture; None: this is sound, 48 kHz."""
    channels: int = 2


def head() -> bytes:
    """Everything before the tracks."""
    ebml = _element(
        "1A45DFA3",
        _number("4286", 1)
        + _number("42F7", 1)
        + _number("42F2", 4)
        + _number("42F3", 8)
        + _element("4282", b"matroska")
        + _number("4287", 4)
        + _number("4285", 2),
    )
    segment = bytes.fromhex("18538067") + _UNKNOWN_SIZE
    scale = _number("2AD7B1", _NANOSECONDS // TICKS)
    return ebml + segment + _element("1549A966", scale + _element("4D80", _APP) + _app())


def tracks(entries: list[Track]) -> bytes:
    """Return the field of the tracks, TRACKS_BYTES long; ValueError when they do not fit."""
    # Also with no track: a reader then sees a file without content, not a broken one.
    filled = _element("1654AE6B", b"".join(_entry(track) for track in entries))
    rest = TRACKS_BYTES - len(filled)
    if rest < 9:
        message = "too many tracks"
        raise ValueError(message)
    # The length in 8 bytes, so that any rest can be told.
    void = bytes.fromhex(_VOID) + (rest - 9 | 1 << 56).to_bytes(8, "big")
    return filled + void + bytes(rest - 9)


def block(track: int, offset: int, data: bytes, *, keyframe: bool) -> bytes:
    """Return a SimpleBlock; `offset` in ticks from its cluster's timestamp, 16 bits signed."""
    flags = 0x80 if keyframe else 0
    return _element("A3", struct.pack(">BhB", 0x80 | track, offset, flags) + data)


def cluster(ticks: int, blocks: list[bytes]) -> bytes:
    """Return a whole cluster."""
    return _element("1F43B675", _number("E7", ticks) + b"".join(blocks))


def opus_head(channels: int = 2) -> bytes:
    """CodecPrivate of Opus (RFC 7845 5.1).

    Nothing is skipped: these packets are from the middle of a stream, and the programme plays
    what they decode to from their timestamp on. So does who lays this track beside it.
    """
    return b"OpusHead" + struct.pack("<BBHIhB", 1, channels, 0, 48_000, 0, 0)


def in_ticks(seconds: float) -> int:
    """Return the nearest tick."""
    return round(Fraction(seconds) * TICKS)


def _entry(track: Track) -> bytes:
    content = (
        _number("D7", track.number)
        + _number("73C5", track.number)
        + _number("83", 1 if track.size else 2)
        + _number("9C", 0)
        + _element("536E", track.name.encode())
        + _element("86", track.codec.encode())
    )
    if track.private:
        content += _element("63A2", track.private)
    if track.size is not None:
        width, height = track.size
        content += _element("E0", _number("B0", width) + _number("BA", height))
    else:
        rate = _element("B5", struct.pack(">d", 48_000.0))
        content += _number("56AA", 0) + _number("56BB", _SEEK_PRE_ROLL)
        content += _element("E1", rate + _number("9F", track.channels))
    return _element("AE", content)


def _app() -> bytes:
    return _element("5741", _APP)


def _number(identifier: str, value: int) -> bytes:
    return _element(identifier, value.to_bytes(max(1, (value.bit_length() + 7) // 8), "big"))


def _element(identifier: str, content: bytes) -> bytes:
    return bytes.fromhex(identifier) + _size(len(content)) + content


def _size(size: int) -> bytes:
    length = 1
    # All ones would mean an unknown size.
    while size >= (1 << 7 * length) - 1:
        length += 1
    return (size | 1 << 7 * length).to_bytes(length, "big")
