"""From the files that the broadcasts of a debate left to one ordinary MP4.

    cut torn ends -> ffmpeg -c copy, faststart, to a new name -> check its length -> fsync ->
    rename to programme.mp4      (the library then marks it ready, and only then drops the parts)

Every step can be done again after a crash at any point.
"""

import asyncio
import logging
import os
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final

import ffmpeg

from bridge.errors import InputError, OutputError, SetupError
from bridge.protocol import boxes
from bridge.server.recordings.ffmpeg import behind_everything, run
from bridge.server.recordings.journal import sync_folder
from bridge.server.recordings.model import PROGRAMME_FILE, part_number

logger = logging.getLogger(__name__)

_NEW_FILE: Final = "programme.mp4.new"
_LIST_FILE: Final = "parts.ffconcat"
_LENGTH_TOLERANCE: Final = Fraction(1, 2)
_LIMIT_SECONDS: Final = 120
_LIMIT_BYTES_PER_SECOND: Final = 5_000_000
"""A tenth of what a slow disk copies; slower than that hangs."""


@dataclass(frozen=True, slots=True)
class RecordedPart:
    """What one broadcast left, torn end cut off."""

    path: Path
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
        duration = _duration(path) if whole else Fraction(0)
        if duration:
            parts.append(RecordedPart(path, duration))
    return parts


async def finish(folder: Path, ffmpeg_path: str | None) -> float:
    """Make `programme.mp4` of the part files; returns its duration in seconds.

    Raises InputError when nothing was recorded, SetupError without ffmpeg, OutputError when
    ffmpeg fails or what it made has another length. The part files stay in every case.
    """
    parts = await asyncio.to_thread(mend, folder)
    if not parts:
        message = "Nothing was recorded."
        raise InputError(message, code="empty")
    if ffmpeg_path is None:
        message = "There is no ffmpeg; the recorded parts can be downloaded as they are."
        raise SetupError(message)
    command = await asyncio.to_thread(_command, folder, parts, ffmpeg_path)
    size = sum(part.path.stat().st_size for part in parts)
    limit = _LIMIT_SECONDS + size / _LIMIT_BYTES_PER_SECOND
    await run([*behind_everything(), *command], folder=folder, seconds=limit)
    return await asyncio.to_thread(_accept, folder, sum(part.duration for part in parts))


def drop_parts(folder: Path) -> None:
    """Remove what `programme.mp4` has replaced. Blocking; may be called again."""
    for path in part_files(folder):
        path.unlink()
    (folder / _LIST_FILE).unlink(missing_ok=True)
    (folder / _NEW_FILE).unlink(missing_ok=True)


def _duration(path: Path) -> Fraction:
    spans = boxes.fragmented_spans(path)
    if not spans:
        return Fraction(0)
    return max(span.end for span in spans) - min(span.start for span in spans)


def _command(folder: Path, parts: list[RecordedPart], ffmpeg_path: str) -> list[str]:
    """Arguments of ffmpeg, run in `folder`: no name that a shell or the list could misread."""
    if len(parts) == 1:
        source = ffmpeg.input(parts[0].path.name)
    else:
        # Each part has a timeline of its own from 10 s on. The list moves each as a whole behind
        # the one before. Durations are ours: ffmpeg only guesses that of a fragmented file.
        lines = ["ffconcat version 1.0"]
        for part in parts:
            lines += [f"file {part.path.name}", f"duration {float(part.duration):.6f}"]
        (folder / _LIST_FILE).write_text("\n".join(lines) + "\n")
        source = ffmpeg.input(_LIST_FILE, f="concat", safe=0)
    # ffmpeg itself takes the input's start, 10 s, off all timestamps; the tracks stay together.
    output = source.output(_NEW_FILE, c="copy", map="0", movflags="+faststart", f="mp4")
    quiet = output.global_args("-nostdin", "-hide_banner", "-loglevel", "error")
    return [str(argument) for argument in quiet.overwrite_output().compile(cmd=ffmpeg_path)]


def _accept(folder: Path, expected: Fraction | int) -> float:
    """Check the new file's length, bring it to the disk and give it its name."""
    new = folder / _NEW_FILE
    duration = boxes.movie_duration(new)
    if abs(duration - expected) > _LENGTH_TOLERANCE:
        message = f"the finished file has {float(duration):.1f} s instead of {float(expected):.1f}"
        raise OutputError(message)
    with new.open("rb") as file:
        os.fsync(file.fileno())
    new.replace(folder / PROGRAMME_FILE)
    sync_folder(folder)
    return float(duration)
