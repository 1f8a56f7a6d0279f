"""Which samples an ordinary MP4 has and when they are shown (ISO/IEC 14496-12 8.6). Pure reading.

Only what our own files need: no B-frames, hence no composition offsets; edit lists that begin
with empty edits and go on with one real one.
"""

import math
import struct
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final

from bridge.errors import InputError
from bridge.protocol import boxes

PICTURE: Final = "vide"
SOUND: Final = "soun"

_MAX_MOOV_BYTES: Final = 64 * 1024 * 1024
_EMPTY_EDIT: Final = -1


@dataclass(frozen=True, slots=True)
class _Run:
    """Samples in a row that last equally long."""

    first: int
    begin: int
    """Of the first one, in ticks of media time."""
    delta: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleTable:
    """One track. Times are seconds on the timeline of the file, samples count from 0."""

    kind: str
    """`vide`, `soun`, or another handler type."""
    count: int
    begin: Fraction
    """When its first sample is shown, which may be below 0: edited away."""
    end: Fraction
    """When its last sample is over."""
    timescale: int
    runs: Sequence[_Run]
    keyframes: Sequence[int]
    """Samples that need no other, ascending; empty when all are."""

    def time(self, sample: int) -> Fraction:
        """Return when `sample` begins; of the one after the last, the end of the track."""
        run = self.runs[bisect_right(self.runs, sample, key=lambda run: run.first) - 1]
        ticks = run.begin + (sample - run.first) * run.delta
        return self.begin + Fraction(ticks, self.timescale)

    def first_from(self, time: Fraction) -> int:
        """Return the first sample that begins at or after `time`; `count` if none does."""
        ticks = math.ceil((time - self.begin) * self.timescale)
        index = bisect_right(self.runs, ticks, key=lambda run: run.begin) - 1
        if index < 0:
            return 0
        run = self.runs[index]
        sample = run.first + -(-(ticks - run.begin) // run.delta) if run.delta else run.first
        last = self.runs[index + 1].first if index + 1 < len(self.runs) else self.count
        return min(sample, last)

    def keyframe_before(self, sample: int) -> int:
        """Return the last keyframe at or before `sample`; the first there is, if none is."""
        if not self.keyframes:
            return sample
        return self.keyframes[max(bisect_right(self.keyframes, sample) - 1, 0)]

    def keyframe_from(self, sample: int) -> int:
        """Return the first keyframe at or after `sample`; `count` if there is none."""
        if not self.keyframes:
            return sample
        index = bisect_left(self.keyframes, sample)
        return self.keyframes[index] if index < len(self.keyframes) else self.count


def read_tables(path: Path) -> list[SampleTable]:
    """Tracks of an ordinary MP4, in order. Blocking. Raises InputError when it cannot be read."""
    moov = _moov(path)
    outer, header = boxes.child(moov, "moov"), boxes.child(moov, "moov", "mvhd")
    try:
        if outer is None or header is None:
            raise ValueError(path.name)
        timescale = boxes.u32(moov, header.body + (20 if moov[header.body] else 12))
        traks = [box for box in boxes.boxes(moov, outer.body, outer.end) if box.kind == "trak"]
        return [_table(moov[trak.start : trak.end], timescale) for trak in traks]
    except (ValueError, IndexError, ZeroDivisionError, struct.error) as error:
        message = f"{path.name} has no readable index"
        raise InputError(message, code="mp4") from error


def read_pictures(path: Path) -> SampleTable:
    """Read the table of the picture. Blocking. Raises InputError when there is none."""
    for table in read_tables(path):
        if table.kind == PICTURE and table.count:
            return table
    message = f"{path.name} has no picture"
    raise InputError(message, code="mp4")


def media_duration(path: Path) -> Fraction:
    """Seconds until both picture and sound are over. Blocking. Raises InputError as above.

    Not what the movie header states: the track of the chapters may be longer than the media.
    """
    tables = read_tables(path)
    ends = [table.end for table in tables if table.kind in {PICTURE, SOUND} and table.count]
    return max(ends, default=Fraction(0))


def _moov(path: Path) -> bytes:
    for box in boxes.file_boxes(path):
        if box.kind == "moov" and box.end - box.start <= _MAX_MOOV_BYTES:
            with path.open("rb") as file:
                file.seek(box.start)
                return file.read(box.end - box.start)
    message = f"{path.name} has no index that is one of ours"
    raise InputError(message, code="mp4")


def _table(trak: bytes, movie_timescale: int) -> SampleTable:
    mdhd = boxes.body(trak, "trak", "mdia", "mdhd")
    timescale = boxes.u32(mdhd, 20 if mdhd[0] else 12)
    runs, count, length = _runs(boxes.body(trak, "trak", "mdia", "minf", "stbl", "stts"))
    begin = _shift(trak, timescale, movie_timescale)
    return SampleTable(
        kind=boxes.body(trak, "trak", "mdia", "hdlr")[8:12].decode("latin-1"),
        count=count,
        begin=begin,
        end=begin + Fraction(length, timescale),
        timescale=timescale,
        runs=runs,
        keyframes=_keyframes(trak),
    )


def _runs(stts: bytes) -> tuple[list[_Run], int, int]:
    """Return the runs, the number of samples and the length of all in ticks."""
    runs = []
    sample = ticks = 0
    for index in range(boxes.u32(stts, 4)):
        count, delta = struct.unpack_from(">II", stts, 8 + 8 * index)
        runs.append(_Run(sample, ticks, delta))
        sample += count
        ticks += count * delta
    return runs, sample, ticks


def _shift(trak: bytes, timescale: int, movie_timescale: int) -> Fraction:
    """Seconds from the beginning of the file to that of the track's media time."""
    box = boxes.child(trak, "trak", "edts", "elst")
    if box is None:
        return Fraction(0)
    elst = trak[box.body : box.end]
    entry = struct.Struct(">QqI" if elst[0] else ">IiI")
    empty = Fraction(0)
    for index in range(boxes.u32(elst, 4)):
        duration, media_time, _rate = entry.unpack_from(elst, 8 + index * entry.size)
        if media_time != _EMPTY_EDIT:
            return empty - Fraction(media_time, timescale)
        empty += Fraction(duration, movie_timescale)
    return empty


def _keyframes(trak: bytes) -> Sequence[int]:
    if boxes.child(trak, "trak", "mdia", "minf", "stbl", "stss") is None:
        return ()
    stss = boxes.body(trak, "trak", "mdia", "minf", "stbl", "stss")
    # Samples count from 1 there.
    return array("q", (sample - 1 for (sample,) in struct.iter_unpack(">I", stss[8:])))
