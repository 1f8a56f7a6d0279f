"""One track out of what has two: CMAF and MPEG-DASH want sound and picture apart. Pure.

The programme's parts carry both (one request for a player, not two); here the boxes of one track
are kept, and its samples, which lie together in each `mdat`. Reads what our broadcast writes:
`trun` with data offset and a size for each sample, offsets counted from the `moof`.
"""

import struct
from collections.abc import Iterator
from enum import Enum

from bridge.errors import InputError
from bridge.protocol.boxes import Box, boxes

_TRUN_FIXED = 12
"""Version and flags, sample count, data offset."""
_TRUN_SAMPLE = struct.Struct(">III")
"""Duration, size, flags."""


class Track(Enum):
    """The programme's tracks, by the letter that names their segments."""

    PICTURE = "v"
    SOUND = "a"

    @property
    def id(self) -> int:
        """track_ID in our files."""
        return 1 if self is Track.PICTURE else 2


def init_of(data: bytes, track: Track) -> bytes:
    """Return the init section of one track. Raises InputError when it has none such."""
    ftyp, moov = _two(data, 0, len(data), ("ftyp", "moov"))
    kept = [
        data[box.start : box.end]
        for box in boxes(data, moov.body, moov.end)
        if box.kind not in {"trak", "mvex"}
    ]
    traks = [box for box in boxes(data, moov.body, moov.end) if box.kind == "trak"]
    kept += [data[box.start : box.end] for box in traks if _trak_id(data, box) == track.id]
    extends = [
        data[trex.start : trex.end]
        for mvex in boxes(data, moov.body, moov.end)
        if mvex.kind == "mvex"
        for trex in boxes(data, mvex.body, mvex.end)
        if _u32(data, trex.body + 4) == track.id
    ]
    if len(kept) != 2 or len(extends) != 1:
        message = "There is no such track."
        raise InputError(message, code="track")
    kept.append(_box(b"mvex", extends))
    return data[ftyp.start : ftyp.end] + _box(b"moov", kept)


def media_of(data: bytes | memoryview, track: Track) -> bytes:
    """Return the fragments of one track; one that has nothing in a fragment leaves it out.

    Raises InputError for what our broadcast would not have written.
    """
    return b"".join(_fragments(bytes(data), track))


def _fragments(data: bytes, track: Track) -> Iterator[bytes]:
    start = 0
    while start < len(data):
        moof, mdat = _two(data, start, len(data), ("moof", "mdat"))
        mfhd, *trafs = boxes(data, moof.body, moof.end)
        for traf in trafs:
            tfhd, tfdt, trun = boxes(data, traf.body, traf.end)
            if _u32(data, tfhd.body + 4) == track.id:
                before = data[mfhd.start : mfhd.end], data[tfhd.start : tfdt.end]
                yield _fragment(data, moof, trun, before)
        start = mdat.end


def _fragment(data: bytes, moof: Box, trun: Box, before: tuple[bytes, bytes]) -> bytes:
    mfhd, heads = before
    samples = trun.body + _TRUN_FIXED
    size = sum(one[1] for one in _TRUN_SAMPLE.iter_unpack(data[samples : trun.end]))
    # Four boxes' headers and the trun's fixed fields are all that is not copied.
    length = 8 + len(mfhd) + 8 + len(heads) + (trun.end - trun.start)
    offset = struct.pack(">i", length + 8)
    fixed = data[trun.body : trun.body + 8]
    new_trun = _box(b"trun", [fixed, offset, data[samples : trun.end]])
    first = moof.start + struct.unpack_from(">i", data, trun.body + 8)[0]
    traf = _box(b"traf", [heads, new_trun])
    return _box(b"moof", [mfhd, traf]) + _box(b"mdat", [data[first : first + size]])


def _two(data: bytes, start: int, end: int, kinds: tuple[str, str]) -> tuple[Box, Box]:
    walked = boxes(data, start, end)
    found = [next(walked, None), next(walked, None)]
    one, other = found
    if one is None or other is None or (one.kind, other.kind) != kinds:
        message = f"Expected {kinds[0]} and {kinds[1]}."
        raise InputError(message, code="torn")
    return one, other


def _trak_id(data: bytes, trak: Box) -> int:
    tkhd = next(boxes(data, trak.body, trak.end))
    return _u32(data, tkhd.body + (20 if data[tkhd.body] else 12))


def _u32(data: bytes, position: int) -> int:
    return int.from_bytes(data[position : position + 4], "big")


def _box(kind: bytes, content: list[bytes]) -> bytes:
    return b"".join((struct.pack(">I4s", 8 + sum(map(len, content)), kind), *content))
