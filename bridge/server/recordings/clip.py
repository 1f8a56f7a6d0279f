"""Pieces of a finished recording.

Without encoding, a clip begins with the keyframe at or before the beginning that was asked for.
An exact one begins with the very picture:

    programme   ..K......B......K2.......................E.
    clip                [encoded][ copied, byte for byte ]
                        [ sound: copied, by its frames   ]

Its end is exact without encoding: there are no B-frames, no picture needs a later one.
"""

import asyncio
import contextlib
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import ffmpeg

from bridge.errors import ConflictError, InputError
from bridge.server.recordings import avc_config
from bridge.server.recordings.ffmpeg import behind_everything, command, require, run
from bridge.server.recordings.journal import sync_folder
from bridge.server.recordings.model import PROGRAMME_FILE
from bridge.server.recordings.sample_table import SampleTable, read_pictures

logger = logging.getLogger(__name__)

CLIP_FILES: Final = "clip-*.mp4"
"""Pattern of the names of clips in a recording's folder."""

_LIMIT_SECONDS: Final = 200
"""For all that one clip takes of ffmpeg's time."""
_MAX_WAITING: Final = 4
_MAX_KEPT: Final = 20
"""Clips per recording; the oldest go."""
_SNAP: Final = Fraction(1, 1000)
"""Times are asked for in milliseconds: a picture that begins half of one earlier is meant."""
_HEAD_FILE: Final = "clip-head.mp4.new"
_LIST_FILE: Final = "clip.ffconcat"
_TIMESCALE: Final = 90_000
_QUALITY: Final = 18
"""x264's CRF at which the encoded piece cannot be told from the copied one."""


@dataclass(frozen=True, slots=True)
class _Cut:
    """What is asked for, in pictures of the programme."""

    begin: int
    keyframe: int
    """At or before `begin`."""
    next_keyframe: int
    """At or after `begin`; not beyond `end`."""
    end: int
    """First picture that is not in it."""


class ClipCutter:
    """Cuts clips, one at a time, giving way to everything else. Loop-side only."""

    def __init__(self, ffmpeg_path: str | None) -> None:
        self._ffmpeg = ffmpeg_path
        self._turn = asyncio.Lock()
        self._waiting = 0

    async def cut(
        self, folder: Path, begin: Fraction, end: Fraction, *, exact: bool = False
    ) -> Path:
        """Return a file with the programme of `folder` from `begin` to `end`, in seconds.

        A clip that was made before is returned as it is. Raises InputError when there is no such
        piece or `exact` needs an encoder that ffmpeg has not, ConflictError when too many wait,
        SetupError without ffmpeg, OutputError when ffmpeg fails or takes longer than 200 s.
        """
        path = folder / clip_file_name(begin, end, exact=exact)
        ffmpeg_path = require(self._ffmpeg)
        if self._waiting >= _MAX_WAITING:
            message = "Too many clips are being made; try again in a minute."
            raise ConflictError(message, code="busy")
        self._waiting += 1
        try:
            async with self._turn:
                if not await asyncio.to_thread(path.is_file):
                    async with asyncio.timeout(_LIMIT_SECONDS):
                        await _make(path, ffmpeg_path, begin, end, exact=exact)
        finally:
            self._waiting -= 1
        return path


def clip_file_name(begin: Fraction, end: Fraction, *, exact: bool) -> str:
    """Name of the clip from `begin` to `end` seconds, told in milliseconds."""
    suffix = "-exact" if exact else ""
    return f"clip-{round(begin * 1000)}-{round(end * 1000)}{suffix}.mp4"
