"""What is made of `programme.mp4` for its readers: all can be made again at any time.

sound.m4a       the sound alone, as it is in the programme, with chapters
poster.jpg      a picture of it
chapters.vtt    for players
chapters.txt    for the description on YouTube
events.json     what happened (`timeline`); made by the finisher, empty for older recordings
"""

import asyncio
import contextlib
import logging
import os
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Final

import ffmpeg

from bridge.errors import BridgeError, InputError, OutputError
from bridge.rooms.model import Side
from bridge.server.recordings import journal
from bridge.server.recordings.chapters import Chapter, as_webvtt, as_youtube, find_chapters
from bridge.server.recordings.ffmpeg import command, copying_limit, require, run
from bridge.server.recordings.journal import sync_folder
from bridge.server.recordings.model import PROGRAMME_FILE
from bridge.server.recordings.sample_table import media_duration
from bridge.server.recordings.timeline import (
    EVENTS_FILE,
    Timeline,
    load_timeline,
    save_timeline,
)

logger = logging.getLogger(__name__)

SOUND_FILE: Final = "sound.m4a"
POSTER_FILE: Final = "poster.jpg"
WEBVTT_FILE: Final = "chapters.vtt"
YOUTUBE_FILE: Final = "chapters.txt"
DERIVED_FILES: Final = (EVENTS_FILE, WEBVTT_FILE, YOUTUBE_FILE, POSTER_FILE, SOUND_FILE)

_POSTER_WIDTH: Final = 640
_POSTER_AT: Final = 0.1
"""Share of the duration: the debate has begun, nothing has been decided."""
_POSTER_CHOICE: Final = 12
"""Keyframes among which the most ordinary one is chosen: 24 s of a programme."""
_POSTER_SEARCH_SECONDS: Final = 120
_BLACK_PERCENT: Final = 90
"""From how many dark pixels in a hundred on a picture counts as black."""
_POSTER_LIMIT_SECONDS: Final = 60


def chapters_of(folder: Path, timeline: Timeline) -> list[Chapter]:
    """Chapters of the recording in `folder`, with the journal's names. Blocking."""
    motion, names = "", dict[Side, str]()
    try:
        entry = journal.load(folder)
        motion, names = entry.motion, entry.names
    except InputError as error:
        logger.warning("recordings: %s; chapters go without names", error.message)
    return find_chapters(timeline.events, duration=timeline.duration, motion=motion, names=names)


def missing(folder: Path) -> list[str]:
    """Names of what `derive` would still make. Blocking."""
    return [name for name in DERIVED_FILES if not (folder / name).is_file()]


async def derive(folder: Path, ffmpeg_path: str | None) -> list[str]:
    """Make what is missing beside `programme.mp4`; returns the names of what could not be made.

    Each file is made under a new name and renamed when it is whole. One that fails is logged and
    costs only itself; nothing is raised. Idempotent; also for recordings of older versions.
    """
    makers: dict[str, Callable[[], Awaitable[None]]] = {
        EVENTS_FILE: lambda: asyncio.to_thread(_write_timeline, folder),
        WEBVTT_FILE: lambda: asyncio.to_thread(_write_chapters, folder, WEBVTT_FILE, as_webvtt),
        YOUTUBE_FILE: lambda: asyncio.to_thread(_write_chapters, folder, YOUTUBE_FILE, as_youtube),
        POSTER_FILE: lambda: _make_poster(folder, require(ffmpeg_path)),
        SOUND_FILE: lambda: _make_sound(folder, require(ffmpeg_path)),
    }
    failed = []
    for name in await asyncio.to_thread(missing, folder):
        try:
            await makers[name]()
        except (BridgeError, OSError) as error:
            reason = error.message if isinstance(error, BridgeError) else error.strerror
            logger.warning("recordings: %s: no %s: %s", folder.name, name, reason)
            failed.append(name)
            # The disk that fails here too has been told of already.
            with contextlib.suppress(OSError):
                await asyncio.to_thread(_new(folder, name).unlink, missing_ok=True)
    return failed


def _new(folder: Path, name: str) -> Path:
    return folder / f"{name}.new"


def _write_timeline(folder: Path) -> None:
    duration = media_duration(folder / PROGRAMME_FILE)
    save_timeline(folder, Timeline(duration=float(duration)))


def _write_chapters(folder: Path, name: str, render: Callable[[Sequence[Chapter]], str]) -> None:
    chapters = chapters_of(folder, load_timeline(folder))
    _new(folder, name).write_text(render(chapters), "utf-8")
    _give_name(folder, name)


async def _make_sound(folder: Path, ffmpeg_path: str) -> None:
    size = await asyncio.to_thread(os.path.getsize, folder / PROGRAMME_FILE)
    sound = ffmpeg.input(PROGRAMME_FILE)["a:0"]
    output = sound.output(_new(folder, SOUND_FILE).name, c="copy", movflags="+faststart", f="ipod")
    await run(command(output, ffmpeg_path), folder=folder, seconds=copying_limit(size))
    await asyncio.to_thread(_give_name, folder, SOUND_FILE)


async def _make_poster(folder: Path, ffmpeg_path: str) -> None:
    """Make the poster from some 10 % on, else from anywhere; a black one if all is black."""
    duration = float(await asyncio.to_thread(media_duration, folder / PROGRAMME_FILE))
    for begin, any_picture in ((duration * _POSTER_AT, False), (0.0, False), (0.0, True)):
        try:
            output = _poster(folder, begin, any_picture=any_picture)
            await run(command(output, ffmpeg_path), folder=folder, seconds=_POSTER_LIMIT_SECONDS)
            await asyncio.to_thread(_give_name, folder, POSTER_FILE)
        except (OutputError, FileNotFoundError) as error:
            # Without a picture old versions of ffmpeg write no file, and new ones call it an error.
            logger.debug("recordings: %s: no poster from %.1f s: %s", folder.name, begin, error)
        else:
            return
    message = "no picture can be taken from it"
    raise OutputError(message)


def _poster(folder: Path, begin: float, *, any_picture: bool) -> Any:
    """Choose the most ordinary of some keyframes after `begin` seconds that are not black."""
    video = ffmpeg.input(
        PROGRAMME_FILE, ss=f"{begin:.3f}", t=_POSTER_SEARCH_SECONDS, skip_frame="nokey"
    )["v:0"]
    if not any_picture:
        black = "lavfi.blackframe.pblack"
        video = video.filter("blackframe", amount=0).filter(
            "metadata", mode="select", key=black, value=_BLACK_PERCENT, function="less"
        )
    video = video.filter("thumbnail", n=_POSTER_CHOICE).filter("scale", _POSTER_WIDTH, -2)
    return video.output(
        _new(folder, POSTER_FILE).name, f="image2", c="mjpeg", update=1, q=4, **{"frames:v": 1}
    )


def _give_name(folder: Path, name: str) -> None:
    """Bring a whole new file to the disk, then to its name."""
    new = _new(folder, name)
    with new.open("rb") as file:
        os.fsync(file.fileno())
    new.replace(folder / name)
    sync_folder(folder)
