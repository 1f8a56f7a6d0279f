"""What a recording looks like from outside."""

import re
import time
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final, Literal

from bridge.rooms.model import Side

PROGRAMME_FILE: Final = "programme.mp4"
_PART_FILE: Final = re.compile(r"^programme-([1-9]\d{0,8})\.part\.mp4$")
_MAX_SLUG_CHARS: Final = 60


class RecordingState(StrEnum):
    """Where a recording is; it goes forward, and from failed back to finishing at a restart."""

    RECORDING = "recording"
    FINISHING = "finishing"
    READY = "ready"
    FAILED = "failed"


class Access(StrEnum):
    """Who may see a recording."""

    PUBLIC = "public"
    """Everybody; it is in the list."""
    LINK = "link"
    """Whoever has its address."""
    HOST = "host"
    """Its host alone; files need a pass."""


FileKind = Literal[
    "programme", "sound", "isolated", "clock", "clip", "captions", "chapters", "youtube", "events",
    "poster", "manifest",
]  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingFile:
    """A file that people may download."""

    kind: FileKind
    name: str
    """Within the recording; with the recording's id it is its address."""
    path: Path
    """On this machine; not for people."""
    bytes: int


@dataclass(frozen=True, slots=True)
class ChapterMark:
    """Where a chapter begins."""

    at: float
    """Seconds from the beginning."""
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingEntry:
    """One recording in the list."""

    id: str
    room: str
    motion: str
    title: str
    """What its host calls it; the motion until then."""
    access: Access
    names: Mapping[Side, str]
    started_at: float
    """Seconds since the epoch."""
    duration: float | None
    """Seconds; None until it is ready."""
    state: RecordingState
    progress: float | None
    """0 to 1 while it is being finished."""
    reason: str
    """Why it failed, for the operator; empty otherwise."""
    files: tuple[RecordingFile, ...]
    """Empty while recording and finishing. After a failure, the files as they were recorded."""
    chapters: tuple[ChapterMark, ...]

    @property
    def bytes(self) -> int:
        """Of all files."""
        return sum(file.bytes for file in self.files)


def part_number(name: str) -> int | None:
    """Read which broadcast wrote `programme-<number>.part.mp4`; None for other files."""
    match = _PART_FILE.match(name)
    return int(match[1]) if match else None


def download_name(entry: RecordingEntry, file: RecordingFile) -> str:
    """ASCII name that tells the debate and the day, for Content-Disposition.

    >>> download_name(entry, file)  # doctest: +SKIP
    'this-house-would-ban-cars-2026-11-23.mp4'
    """
    plain = unicodedata.normalize("NFKD", entry.title).encode("ascii", "ignore").decode()
    slug = re.sub(r"[^a-z0-9]+", "-", plain.lower())[:_MAX_SLUG_CHARS].strip("-") or "debate"
    stem, suffix = file.path.stem, file.path.suffix
    day = time.strftime("%Y-%m-%d", time.gmtime(entry.started_at))
    number = part_number(file.name)
    if number is not None:
        return f"{slug}-{day}-part-{number}.mp4"
    return f"{slug}-{day}{'' if file.kind == 'programme' else f'-{stem}'}{suffix}"
