"""ISO base media boxes (ISO/IEC 14496-12): what both processes need to read of a file of parts.

The broadcast writes `ftyp moov (moof mdat)*`; the server must tell where the last whole fragment
of a torn file ends and how long the media is, without a media library. Only headers are read,
however long the file; media data is stepped over.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Final

from bridge.errors import InputError

_HEADER: Final = struct.Struct(">I4s")
_MAX_METADATA_BYTES: Final = 64 * 1024 * 1024
"""A `moov` of a 12-hour programme is some 30 MB; more is not ours and would only take memory."""

# tfhd and trun flags, ISO/IEC 14496-12 8.8.7 and 8.8.8. The walk over optional fields needs all.
_TFHD_FIELDS: Final = ((0x1, 8), (0x2, 4), (0x8, 4), (0x10, 4), (0x20, 4))
_TFHD_DEFAULT_DURATION: Final = 0x8
_TRUN_DATA_OFFSET: Final = 0x1
_TRUN_FIRST_FLAGS: Final = 0x4
_TRUN_DURATION: Final = 0x100
_TRUN_SAMPLE_FIELDS: Final = (0x100, 0x200, 0x400, 0x800)


@dataclass(frozen=True, slots=True)
class Box:
    """Where one box lies; positions in bytes from the start of what was walked."""

    kind: str
    start: int
    body: int
    """First byte after the header."""
    end: int


@dataclass(frozen=True, slots=True)
class TrackSpan:
    """From when to when one track has media, in seconds of its own timeline."""

    start: Fraction
    end: Fraction
    samples: int


@dataclass(frozen=True, slots=True)
class _Run:
    track: int
    start: int
    duration: int
    samples: int


def boxes(data: bytes, start: int = 0, end: int | None = None) -> Iterator[Box]:
    """Boxes side by side in `data[start:end]`; stops before one that is torn or makes no sense."""
    return _walk(BytesIO(data), start, len(data) if end is None else end)


def child(data: bytes, *path: str) -> Box | None:
    """First box at `path`, each name one level deeper: `child(moov, "moov", "mvhd")`."""
    start, end = 0, len(data)
    found: Box | None = None
    for name in path:
        found = next((box for box in boxes(data, start, end) if box.kind == name), None)
        if found is None:
            return None
        start, end = found.body, found.end
    return found


def body(data: bytes, *path: str) -> bytes:
    """Content of the first box at `path`, as `child` finds it. Raises ValueError without one."""
    box = child(data, *path)
    if box is None:
        raise ValueError(path)
    return data[box.body : box.end]


def file_boxes(path: Path) -> Iterator[Box]:
    """Whole top-level boxes of a file, in order; a torn last one is not among them."""
    with path.open("rb") as file:
        yield from _walk(file, 0, path.stat().st_size)


def whole_length(path: Path) -> int:
    """Bytes up to the end of the last whole `moof` + `mdat`; 0 when there is none."""
    whole = 0
    initialised = False
    before = ""
    for box in file_boxes(path):
        initialised = initialised or box.kind == "moov"
        if initialised and before == "moof" and box.kind == "mdat":
            whole = box.end
        before = box.kind
    return whole


def fragmented_spans(path: Path) -> tuple[TrackSpan, ...]:
    """Per track, when its fragments begin and end; tracks without samples are left out.

    Raises InputError when the file does not begin with a readable `moov`.
    """
    timescales: dict[int, int] = {}
    starts: dict[int, int] = {}
    ends: dict[int, int] = {}
    samples: dict[int, int] = {}
    with path.open("rb") as file:
        for box in _walk(file, 0, path.stat().st_size):
            if box.kind == "moov":
                timescales = _timescales(_content(file, box))
            elif box.kind == "moof":
                for run in _runs(_content(file, box)):
                    starts[run.track] = min(starts.get(run.track, run.start), run.start)
                    ends[run.track] = max(ends.get(run.track, 0), run.start + run.duration)
                    samples[run.track] = samples.get(run.track, 0) + run.samples
    if not timescales:
        message = f"{path.name} has no moov box"
        raise InputError(message, code="mp4")
    return tuple(
        TrackSpan(
            Fraction(starts[track], timescales[track]),
            Fraction(ends[track], timescales[track]),
            samples[track],
        )
        for track in sorted(starts)
        if track in timescales and samples[track]
    )


def fragment_starts(path: Path) -> Iterator[TrackSpan]:
    """Per fragment, the span from its earliest start to its latest end, in seconds.

    Raises InputError as `fragmented_spans`.
    """
    timescales: dict[int, int] = {}
    with path.open("rb") as file:
        for box in _walk(file, 0, path.stat().st_size):
            if box.kind == "moov":
                timescales = _timescales(_content(file, box))
            elif box.kind == "moof":
                runs = [run for run in _runs(_content(file, box)) if run.track in timescales]
                if runs:
                    yield TrackSpan(
                        min(Fraction(run.start, timescales[run.track]) for run in runs),
                        max(
                            Fraction(run.start + run.duration, timescales[run.track])
                            for run in runs
                        ),
                        sum(run.samples for run in runs),
                    )


def movie_duration(path: Path) -> Fraction:
    """Seconds that the `mvhd` of an ordinary MP4 states. Raises InputError when it states none."""
    with path.open("rb") as file:
        for box in _walk(file, 0, path.stat().st_size):
            if box.kind != "moov":
                continue
            content = _content(file, box)
            header = child(content, "moov", "mvhd")
            if header is not None:
                return _header_duration(content, header)
    message = f"{path.name} has no movie header"
    raise InputError(message, code="mp4")


def _walk(file: BinaryIO, start: int, end: int) -> Iterator[Box]:
    position = start
    while position + _HEADER.size <= end:
        file.seek(position)
        header = file.read(16)
        size, kind = _HEADER.unpack_from(header)
        body = position + _HEADER.size
        if size == 1 and len(header) == 16:
            size = int.from_bytes(header[8:16], "big")
            body += 8
        box_end = position + size
        # Size 0 means "to the end of the file" and is never whole in a file that still grows.
        if box_end < body or box_end > end:
            return
        yield Box(kind.decode("latin-1"), position, body, box_end)
        position = box_end


def _content(file: BinaryIO, box: Box) -> bytes:
    if box.end - box.start > _MAX_METADATA_BYTES:
        message = f"the {box.kind} box is larger than any of ours"
        raise InputError(message, code="mp4")
    file.seek(box.start)
    return file.read(box.end - box.start)


def u32(data: bytes, position: int) -> int:
    """Read four bytes as an unsigned number."""
    return int.from_bytes(data[position : position + 4], "big")


def _timescales(moov: bytes) -> dict[int, int]:
    """Track id to ticks per second."""
    result = {}
    outer = child(moov, "moov")
    for trak in boxes(moov, outer.body, outer.end) if outer else ():
        if trak.kind != "trak":
            continue
        content = moov[trak.start : trak.end]
        tkhd, mdhd = child(content, "trak", "tkhd"), child(content, "trak", "mdia", "mdhd")
        if tkhd is None or mdhd is None:
            continue
        track = u32(content, tkhd.body + (20 if content[tkhd.body] else 12))
        timescale = u32(content, mdhd.body + (20 if content[mdhd.body] else 12))
        if timescale:
            result[track] = timescale
    return result


def _header_duration(content: bytes, header: Box) -> Fraction:
    wide = bool(content[header.body])
    timescale = u32(content, header.body + (20 if wide else 12))
    start = header.body + (24 if wide else 16)
    if not timescale:
        message = "the movie header has no timescale"
        raise InputError(message, code="mp4")
    return Fraction(int.from_bytes(content[start : start + (8 if wide else 4)], "big"), timescale)


def _runs(moof: bytes) -> Iterator[_Run]:
    """Read what each `traf` of one `moof` says about its track."""
    outer = child(moof, "moof")
    for traf in boxes(moof, outer.body, outer.end) if outer else ():
        if traf.kind != "traf":
            continue
        content = moof[traf.start : traf.end]
        tfhd, tfdt = child(content, "traf", "tfhd"), child(content, "traf", "tfdt")
        if tfhd is None or tfdt is None:
            continue
        track, default = u32(content, tfhd.body + 4), _default_duration(content, tfhd)
        wide = 8 if content[tfdt.body] else 4
        start = int.from_bytes(content[tfdt.body + 4 : tfdt.body + 4 + wide], "big")
        inner = next(boxes(content))
        duration = samples = 0
        for trun in boxes(content, inner.body, inner.end):
            if trun.kind == "trun":
                count, lasting = _run_length(content, trun, default)
                samples += count
                duration += lasting
        yield _Run(track, start, duration, samples)


def _default_duration(traf: bytes, tfhd: Box) -> int:
    flags = u32(traf, tfhd.body) & 0xFFFFFF
    position = tfhd.body + 8
    for flag, size in _TFHD_FIELDS:
        if not flags & flag:
            continue
        if flag == _TFHD_DEFAULT_DURATION:
            return u32(traf, position)
        position += size
    return 0


def _run_length(traf: bytes, trun: Box, default: int) -> tuple[int, int]:
    """Return the samples of a `trun` and the sum of their durations, in ticks."""
    flags = u32(traf, trun.body) & 0xFFFFFF
    position = trun.body + 8
    position += 4 * bool(flags & _TRUN_DATA_OFFSET) + 4 * bool(flags & _TRUN_FIRST_FLAGS)
    per_sample = 4 * sum(bool(flags & field) for field in _TRUN_SAMPLE_FIELDS)
    count = u32(traf, trun.body + 4)
    if position + count * per_sample > trun.end:
        message = "a trun box is shorter than its samples"
        raise InputError(message, code="mp4")
    if not flags & _TRUN_DURATION:
        return count, count * default
    return count, sum(u32(traf, position + index * per_sample) for index in range(count))
