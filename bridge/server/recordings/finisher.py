"""From the files that the broadcasts of a debate left to one ordinary MP4 with chapters.

    cut torn ends -> place the events -> ffmpeg -c copy, faststart, to a new name -> check its
    length -> fsync -> events.json -> rename to programme.mp4
                     (the library then marks it ready, and only then drops the parts)

Every step can be done again after a crash at any point.
"""

import asyncio
import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final

import ffmpeg

from bridge.errors import InputError, OutputError
from bridge.protocol import boxes
from bridge.server.recordings.chapters import as_ffmetadata
from bridge.server.recordings.derived import chapters_of
from bridge.server.recordings.ffmpeg import (
    command,
    copying_limit,
    progress_of,
    require,
    require_room,
    run,
)
from bridge.server.recordings.journal import sync_folder
from bridge.server.recordings.model import PROGRAMME_FILE, part_number
from bridge.server.recordings.sample_table import media_duration
from bridge.server.recordings.timeline import (
    PlacedPart,
    Timeline,
    line_up,
    read_logs,
    save_timeline,
)

logger = logging.getLogger(__name__)

_NEW_FILE: Final = "programme.mp4.new"
_LIST_FILE: Final = "parts.ffconcat"
_CHAPTERS_FILE: Final = "chapters.ffmetadata"
_ORIGIN: Final = 10
"""Timestamp of programme time 0 in the part files (`ORIGIN_SECONDS` of the broadcast)."""
_LENGTH_TOLERANCE: Final = Fraction(1, 2)
_COPYING_SHARE: Final = Fraction(3, 5)
"""Of the work; the rest is moving the index to the front, of which ffmpeg tells nothing."""


@dataclass(frozen=True, slots=True)
class RecordedPart:
    """What one broadcast left, torn end cut off."""

    path: Path
    start: Fraction
    """Earliest timestamp of its tracks, in seconds; programme time 0 is 10 s."""
    duration: Fraction
    """From the earliest start to the latest end of its tracks, in seconds."""


def part_files(folder: Path) -> list[Path]:
    """Return the broadcasts' files of a recording, in the order of the broadcasts."""
    numbered = {part_number(path.name): path for path in folder.iterdir() if path.is_file()}
    return [path for number, path in sorted((n, p) for n, p in numbered.items() if n is not None)]


def mend(folder: Path) -> list[RecordedPart]:
    """Cut each part file after its last whole fragment; those without one are left out.

    Blocking; may be called again. What is cut off never was a whole part.
    """
    parts = []
    for path in part_files(folder):
        whole = boxes.whole_length(path)
        torn = path.stat().st_size - whole
        if whole and torn:
            logger.warning("recordings: %s/%s: cut %d torn bytes", folder.name, path.name, torn)
            os.truncate(path, whole)
        spans = boxes.fragmented_spans(path) if whole else ()
        if spans:
            start = min(span.start for span in spans)
            duration = max(span.end for span in spans) - start
            parts.append(RecordedPart(path, start, duration))
    return parts


async def finish(
    folder: Path, ffmpeg_path: str | None, *, on_progress: Callable[[float], None]
) -> float:
    """Make `programme.mp4` and `events.json` of the part files; returns the duration in seconds.

    `on_progress` is called on the loop with the share that is done, from 0 to 1, never less than
    before. Raises InputError when nothing was recorded, SetupError without ffmpeg, OutputError
    when ffmpeg fails, the disk has no room or the file has another length, OSError when the
    disk fails. The part files stay in every case.
    """
    parts = await asyncio.to_thread(mend, folder)
    if not parts:
        message = "Nothing was recorded."
        raise InputError(message, code="empty")
    ffmpeg_path = require(ffmpeg_path)
    size = sum(part.path.stat().st_size for part in parts)
    duration = sum((part.duration for part in parts), Fraction(0))
    try:
        await asyncio.to_thread(require_room, folder, size)
        timeline = await asyncio.to_thread(_prepare, folder, parts, duration)
        progress = _Progress(duration, on_progress)
        await run(
            await asyncio.to_thread(_command, parts, ffmpeg_path),
            folder=folder,
            seconds=copying_limit(size),
            on_line=progress.take,
        )
        finished = await asyncio.to_thread(_accept, folder, duration, timeline)
    finally:
        # What is left of a failure must not take room; after success there is nothing.
        await asyncio.to_thread((folder / _NEW_FILE).unlink, missing_ok=True)
    on_progress(1.0)
    return finished


def drop_parts(folder: Path) -> None:
    """Remove what `programme.mp4` has replaced. Blocking; may be called again."""
    for path in part_files(folder):
        path.unlink()
    for name in (_LIST_FILE, _CHAPTERS_FILE, _NEW_FILE):
        (folder / name).unlink(missing_ok=True)
    # `events.json` and the manifest have what they were about.
    for pattern in ("events-*.jsonl", "chain-*.jsonl"):
        for path in folder.glob(pattern):
            path.unlink()


class _Progress:
    """Turns lines of ffmpeg's progress into the share of the whole work. Loop-side only."""

    def __init__(self, duration: Fraction, on_progress: Callable[[float], None]) -> None:
        self._duration = duration
        self._on_progress = on_progress
        self._told = 0.0
        on_progress(0.0)

    def take(self, line: str) -> None:
        copied = progress_of(line)
        if copied is None:
            return
        done = float(min(copied / self._duration, Fraction(1)) * _COPYING_SHARE)
        if done > self._told:
            self._told = done
            self._on_progress(done)


def _prepare(folder: Path, parts: Sequence[RecordedPart], duration: Fraction) -> Timeline:
    """Place the events, and write the files that ffmpeg reads beside the parts."""
    # An ffmpeg that outlived a crash may still write to the old one; it keeps it to itself.
    (folder / _NEW_FILE).unlink(missing_ok=True)
    timeline = line_up(_place(parts), read_logs(folder), float(duration))
    (folder / _CHAPTERS_FILE).write_text(as_ffmetadata(chapters_of(folder, timeline)), "utf-8")
    # Each part has a timeline of its own from 10 s on. The list moves each as a whole behind the
    # one before. Durations are ours: ffmpeg only guesses that of a fragmented file.
    lines = ["ffconcat version 1.0"]
    for part in parts:
        lines += [f"file {part.path.name}", f"duration {float(part.duration):.6f}"]
    (folder / _LIST_FILE).write_text("\n".join(lines) + "\n", "utf-8")
    return timeline


def _place(parts: Sequence[RecordedPart]) -> list[PlacedPart]:
    placed = []
    offset = Fraction(0)
    for part in parts:
        placed.append(
            PlacedPart(
                number=part_number(part.path.name) or 0,
                offset=float(offset),
                start=float(part.start - _ORIGIN),
                duration=float(part.duration),
            )
        )
        offset += part.duration
    return placed


def _command(parts: Sequence[RecordedPart], ffmpeg_path: str) -> list[str]:
    """Arguments of ffmpeg, run in `folder`: no name that a shell or the list could misread."""
    if len(parts) == 1:
        source = ffmpeg.input(parts[0].path.name)
    else:
        # Without conversion samples stay as they are, byte for byte, so that what was hashed while
        # recording is found again. Parts of unlike encoders need parameter sets in band instead.
        alike = len({_init_segment(part.path) for part in parts}) == 1
        source = ffmpeg.input(_LIST_FILE, f="concat", safe=0, auto_convert=int(not alike))
    # No stream is taken from the second input, only its chapters.
    chapters = ffmpeg.input(_CHAPTERS_FILE, f="ffmetadata")["v?"]
    # ffmpeg itself takes the input's start, 10 s, off all timestamps; the tracks stay together.
    output = ffmpeg.output(
        source,
        chapters,
        _NEW_FILE,
        c="copy",
        map_chapters=1,
        movflags="+faststart",
        f="mp4",
    )
    return command(output, ffmpeg_path)


def _init_segment(path: Path) -> bytes:
    """Read what a part file has before its first fragment: the parameters of its tracks."""
    first = next(box for box in boxes.file_boxes(path) if box.kind == "moof")
    with path.open("rb") as file:
        return file.read(first.start)


def _accept(folder: Path, expected: Fraction, timeline: Timeline) -> float:
    """Check the new file's length, bring it to the disk and give it its name."""
    new = folder / _NEW_FILE
    duration = media_duration(new)
    if abs(duration - expected) > _LENGTH_TOLERANCE:
        message = f"the finished file has {float(duration):.1f} s instead of {float(expected):.1f}"
        raise OutputError(message)
    with new.open("rb") as file:
        os.fsync(file.fileno())
    save_timeline(folder, timeline)
    new.replace(folder / PROGRAMME_FILE)
    sync_folder(folder)
    return float(duration)
