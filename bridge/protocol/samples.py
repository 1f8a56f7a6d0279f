"""Where the coded samples are in a file, track by track (ISO/IEC 14496-12 8.7, 8.8). Pure reading.

The same samples lie in a recording's fragments and, copied, in the finished file: hashes over them
tell whether one is the other.
"""

import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from bridge.errors import InputError
from bridge.protocol import boxes

PICTURE: Final = "vide"
SOUND: Final = "soun"
Extent = tuple[int, int]
"""Offset in the file, and length."""

_MAX_INDEX_BYTES: Final = 64 * 1024 * 1024
_DATA_OFFSET, _FIRST_FLAGS = 0x1, 0x4
_DURATION, _SIZE, _FLAGS, _COMPOSITION = 0x100, 0x200, 0x400, 0x800


def fragment_extents(path: Path) -> Iterator[dict[str, Extent]]:
    """Per fragment of a recorded part, where each track's samples lie, in one piece.

    Blocking. Raises InputError when the file is none of ours.
    """
    kinds: dict[int, str] = {}
    with path.open("rb") as file:
        for box in boxes.file_boxes(path):
            if box.kind not in {"moov", "moof"}:
                continue
            file.seek(box.start)
            content = file.read(box.end - box.start)
            if box.kind == "moov":
                kinds = dict(_kinds(content))
            else:
                yield dict(_runs(content, box.start, kinds))


def file_extents(path: Path) -> dict[str, list[Extent]]:
    """Per kind of track of an ordinary MP4, each sample. Blocking. Raises InputError."""
    moov = next((box for box in boxes.file_boxes(path) if box.kind == "moov"), None)
    if moov is None or moov.end - moov.start > _MAX_INDEX_BYTES:
        message = f"{path.name} has no index that is one of ours"
        raise InputError(message, code="mp4")
    with path.open("rb") as file:
        file.seek(moov.start)
        content = file.read(moov.end - moov.start)
    try:
        return {
            kind: list(_samples(trak))
            for trak in _traks(content)
            if (kind := _handler(trak)) in {PICTURE, SOUND}
        }
    except (struct.error, IndexError, ValueError) as error:
        message = f"{path.name} has no readable index"
        raise InputError(message, code="mp4") from error


def _traks(moov: bytes) -> Iterator[bytes]:
    outer = boxes.child(moov, "moov")
    for trak in boxes.boxes(moov, outer.body, outer.end) if outer else ():
        if trak.kind == "trak":
            yield moov[trak.start : trak.end]


def _kinds(moov: bytes) -> Iterator[tuple[int, str]]:
    for trak in _traks(moov):
        tkhd = boxes.body(trak, "trak", "tkhd")
        yield boxes.u32(tkhd, 20 if tkhd[0] else 12), _handler(trak)


def _handler(trak: bytes) -> str:
    return boxes.body(trak, "trak", "mdia", "hdlr")[8:12].decode("latin-1")


def _runs(moof: bytes, start: int, kinds: Mapping[int, str]) -> Iterator[tuple[str, Extent]]:
    outer = boxes.child(moof, "moof")
    for traf in boxes.boxes(moof, outer.body, outer.end) if outer else ():
        if traf.kind != "traf":
            continue
        content = moof[traf.start : traf.end]
        tfhd, trun = boxes.child(content, "traf", "tfhd"), boxes.child(content, "traf", "trun")
        if tfhd is None or trun is None:
            continue
        kind = kinds.get(boxes.u32(content, tfhd.body + 4), "")
        offset, length = _run_extent(content[trun.body : trun.end])
        yield kind, (start + offset, length)


def _run_extent(trun: bytes) -> Extent:
    """Offset from the start of the moof, and the sum of the sizes."""
    flags, count = boxes.u32(trun, 0) & 0xFFFFFF, boxes.u32(trun, 4)
    if not flags & _DATA_OFFSET or not flags & _SIZE:
        message = "a fragment that tells no sizes is none of ours"
        raise InputError(message, code="mp4")
    offset = int.from_bytes(trun[8:12], signed=True)
    position = 12 + 4 * bool(flags & _FIRST_FLAGS)
    fields = [field for field in (_DURATION, _SIZE, _FLAGS, _COMPOSITION) if flags & field]
    step, at = 4 * len(fields), 4 * fields.index(_SIZE)
    return offset, sum(boxes.u32(trun, position + step * index + at) for index in range(count))


def _samples(trak: bytes) -> Iterator[Extent]:
    """Sizes of `stsz`, laid out in chunks as `stsc` and `stco` or `co64` say."""
    stsz = boxes.body(trak, "trak", "mdia", "minf", "stbl", "stsz")
    same, count = boxes.u32(stsz, 4), boxes.u32(stsz, 8)
    sizes = [same] * count if same else list(struct.unpack_from(f">{count}I", stsz, 12))
    chunks = _chunk_offsets(trak)
    stsc = boxes.body(trak, "trak", "mdia", "minf", "stbl", "stsc")
    rules = [struct.unpack_from(">III", stsc, 8 + 12 * n)[:2] for n in range(boxes.u32(stsc, 4))]
    sample = rule = 0
    for chunk, offset in enumerate(chunks, start=1):
        while rule + 1 < len(rules) and rules[rule + 1][0] <= chunk:
            rule += 1
        for size in sizes[sample : sample + rules[rule][1]]:
            yield offset, size
            offset += size  # noqa: PLW2901 - the chunk's samples lie one behind the other
        sample += rules[rule][1]


def _chunk_offsets(trak: bytes) -> tuple[int, ...]:
    stbl = ("mdia", "minf", "stbl")
    wide = boxes.child(trak, "trak", *stbl, "co64") is not None
    table = boxes.body(trak, "trak", *stbl, "co64" if wide else "stco")
    return struct.unpack_from(f">{boxes.u32(table, 4)}{'Q' if wide else 'I'}", table, 8)
