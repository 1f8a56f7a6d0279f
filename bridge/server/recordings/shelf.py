"""What is in the folder of one recording, as people find it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from bridge.errors import InputError
from bridge.server.recordings import derived, finisher
from bridge.server.recordings.clip import CLIP_FILES
from bridge.server.recordings.manifest import MANIFEST_FILE
from bridge.server.recordings.model import (
    PROGRAMME_FILE,
    ChapterMark,
    FileKind,
    RecordingFile,
    RecordingState,
)
from bridge.server.recordings.timeline import EVENTS_FILE, load_timeline

CAPTIONS_FILE: Final = "captions.vtt"
_PATTERNS: Final[tuple[tuple[FileKind, str], ...]] = (
    ("programme", PROGRAMME_FILE),
    ("sound", derived.SOUND_FILE),
    ("isolated", "*.mkv"),
    ("clock", "isolated-*.json"),
    ("clip", CLIP_FILES),
    ("captions", CAPTIONS_FILE),
    ("chapters", derived.WEBVTT_FILE),
    ("youtube", derived.YOUTUBE_FILE),
    ("events", EVENTS_FILE),
    ("poster", derived.POSTER_FILE),
    ("manifest", MANIFEST_FILE),
)


def files(folder: Path, state: RecordingState) -> tuple[RecordingFile, ...]:
    """Return what may be downloaded, the programme first. Blocking."""
    if state is RecordingState.READY:
        found = [(kind, path) for kind, pattern in _PATTERNS for path in _matching(folder, pattern)]
    elif state is RecordingState.FAILED and folder.is_dir():
        found = [("programme", path) for path in finisher.part_files(folder)]
    else:
        found = []
    return tuple(
        RecordingFile(kind=kind, name=path.name, path=path, bytes=path.stat().st_size)
        for kind, path in found
    )


def chapters(folder: Path) -> tuple[ChapterMark, ...]:
    """Return the chapters of a finished recording; none when nothing tells. Blocking."""
    try:
        found = derived.chapters_of(folder, load_timeline(folder))
    except InputError:
        return ()
    return tuple(ChapterMark(chapter.begin_ms / 1000, chapter.title) for chapter in found)


def _matching(folder: Path, pattern: str) -> Iterator[Path]:
    return (path for path in sorted(folder.glob(pattern)) if path.is_file())
