"""Pieces of a finished recording.

Without encoding, a clip begins with the keyframe at or before the beginning that was asked for.
An exact one begins with the very picture:

    programme   ..K......B......K2.......................E.
    clip                [encoded][ copied, byte for byte ]
                        [ sound: copied, by its frames   ]

Its end is exact without encoding: there are no B-frames, no picture needs a later one.
"""

import asyncio
import logging
import os
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import ffmpeg

from bridge.errors import ConflictError, InputError, OutputError
from bridge.server.recordings import avc_config
from bridge.server.recordings.ffmpeg import behind_everything, command, require, require_room, run
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
"""Times are told in milliseconds: a picture that begins up to one earlier is meant."""
_HALF_SOUND: Final = Fraction(512, 48_000)
"""Half a frame of AAC: the last one is that which ends nearest to the last picture's end."""
_HEAD_FILE: Final = "clip-head.mp4.new"
_LIST_FILE: Final = "clip.ffconcat"
_UNFINISHED: Final = "clip-*.mp4.new"
_TIMESCALE: Final = 90_000
_QUALITY: Final = 18
"""x264's CRF at which the encoded piece cannot be told from the copied one."""

_X264_PROFILES: Final = {66: "baseline", 77: "main", 100: "high"}
"""By profile_idc: both pieces share one record, which states one profile."""
_AS_IT_IS: Final = {
    "c": "copy",
    "f": "mp4",
    "movflags": "+faststart",
    "map_chapters": -1,
    "map_metadata": -1,
}


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
        SetupError without ffmpeg, OutputError when ffmpeg fails or takes longer than 200 s, or
        when the disk has no room, OSError when the disk fails.
        """
        path = folder / clip_file_name(begin, end, exact=exact)
        if await asyncio.to_thread(path.is_file):
            return path
        ffmpeg_path = require(self._ffmpeg)
        if self._waiting >= _MAX_WAITING:
            message = "Too many clips are being made; try again in a minute."
            raise ConflictError(message, code="busy")
        self._waiting += 1
        try:
            async with self._turn:
                # Whoever was before in the queue may have made it.
                if not await asyncio.to_thread(path.is_file):
                    await _make_in_time(path, ffmpeg_path, begin, end, exact=exact)
        finally:
            self._waiting -= 1
        return path


def clip_file_name(begin: Fraction, end: Fraction, *, exact: bool) -> str:
    """Name of the clip from `begin` to `end` seconds, told in milliseconds."""
    suffix = "-exact" if exact else ""
    return f"clip-{round(begin * 1000)}-{round(end * 1000)}{suffix}.mp4"


async def _make_in_time(
    path: Path, ffmpeg_path: str, begin: Fraction, end: Fraction, *, exact: bool
) -> None:
    try:
        async with asyncio.timeout(_LIMIT_SECONDS):
            await _make(path, ffmpeg_path, begin, end, exact=exact)
    except TimeoutError:
        message = f"The clip took longer than {_LIMIT_SECONDS} s; ask for a shorter one."
        raise OutputError(message) from None


async def _make(
    path: Path, ffmpeg_path: str, begin: Fraction, end: Fraction, *, exact: bool
) -> None:
    """Make `path` under a new name; leave nothing else behind, however it ends."""
    folder, new = path.parent, path.with_name(f"{path.name}.new")
    pictures = await asyncio.to_thread(read_pictures, folder / PROGRAMME_FILE)
    cut = _find(pictures, begin, end)
    try:
        await asyncio.to_thread(_require_room, folder, pictures, cut)
        if exact and cut.keyframe != cut.begin:
            await _make_exact(new, ffmpeg_path, pictures, cut)
        else:
            await _run(folder, _copy(new, pictures, cut), ffmpeg_path)
        await asyncio.to_thread(_keep, new, path)
    finally:
        await asyncio.to_thread(_sweep, folder)


def _require_room(folder: Path, pictures: SampleTable, cut: _Cut) -> None:
    """Raise OutputError when the disk has no room for the clip. Blocking."""
    whole = (folder / PROGRAMME_FILE).stat().st_size
    require_room(folder, whole * (cut.end - cut.keyframe) // pictures.count)


def _find(pictures: SampleTable, begin: Fraction, end: Fraction) -> _Cut:
    if not 0 <= begin < end:
        message = "A clip must end after it begins."
        raise InputError(message, code="clip")
    first, last = pictures.first_from(begin - _SNAP), pictures.first_from(end - _SNAP)
    if first >= pictures.count or first == last:
        message = "There is nothing to be seen in this piece of the recording."
        raise InputError(message, code="clip")
    keyframe = pictures.keyframe_before(first)
    return _Cut(first, keyframe, min(pictures.keyframe_from(first), last), last)


def _copy(new: Path, pictures: SampleTable, cut: _Cut) -> Any:
    """Copy the programme from the keyframe on."""
    begin = pictures.time(cut.keyframe)
    # A millisecond later, so that no rounding makes ffmpeg take the keyframe before.
    programme = ffmpeg.input(PROGRAMME_FILE, ss=_seconds(begin + _SNAP))
    return ffmpeg.output(
        programme["v:0"],
        programme["a:0?"],
        new.name,
        t=_seconds(pictures.time(cut.end) - begin - _SNAP - _HALF_SOUND),
        avoid_negative_ts="make_zero",
        **_AS_IT_IS,
    )


async def _make_exact(new: Path, ffmpeg_path: str, pictures: SampleTable, cut: _Cut) -> None:
    """Encode what comes before the next keyframe, and put the rest behind it as it is."""
    folder = new.parent
    await _require_encoder(folder, ffmpeg_path)
    config = await asyncio.to_thread(avc_config.read, folder / PROGRAMME_FILE)
    await _run(folder, _encode_head(pictures, cut, config), ffmpeg_path)
    await asyncio.to_thread(_prepare_join, folder, pictures, cut, config)
    await _run(folder, _join(new, pictures, cut), ffmpeg_path)


def _encode_head(pictures: SampleTable, cut: _Cut, config: avc_config.AvcConfig) -> Any:
    """Encode what comes before the next keyframe, in parameter sets the programme has not."""
    if config.highest_id >= avc_config.MAX_SPS_ID:
        message = "The recording uses all numbers of parameter sets; only copying is possible."
        raise InputError(message, code="clip")
    begin = pictures.time(cut.begin)
    # Decoding begins at the keyframe before; pictures before `ss` are thrown away.
    programme = ffmpeg.input(PROGRAMME_FILE, ss=_seconds(begin - _SNAP))
    profile = _X264_PROFILES.get(config.profile[0], "high")
    x264 = f"sps-id={config.highest_id + 1}:bframes=0:scenecut=0:keyint=infinite:threads=1"
    return (
        programme["v:0"]
        .filter("setpts", "PTS-STARTPTS")
        .output(
            _HEAD_FILE,
            f="mp4",
            vcodec="libx264",
            preset="veryfast",
            crf=_QUALITY,
            fps_mode="passthrough",
            enc_time_base=f"1:{_TIMESCALE}",
            video_track_timescale=_TIMESCALE,
            map_chapters=-1,
            map_metadata=-1,
            **{
                "profile:v": profile,
                "x264-params": x264,
                "frames:v": cut.next_keyframe - cut.begin,
            },
        )
    )


def _prepare_join(
    folder: Path, pictures: SampleTable, cut: _Cut, config: avc_config.AvcConfig
) -> None:
    """Write the list of what is joined. Blocking."""
    head = folder / _HEAD_FILE
    avc_config.replace(head, config.with_sets_of(avc_config.read(head)))
    middle, end = pictures.time(cut.next_keyframe), pictures.time(cut.end)
    lines = ["ffconcat version 1.0", "stream", "exact_stream_id 1", f"file {_HEAD_FILE}"]
    lines.append(f"duration {_seconds(middle - pictures.time(cut.begin))}")
    if cut.next_keyframe < cut.end:
        lines += [f"file {PROGRAMME_FILE}", f"inpoint {_seconds(middle)}"]
        lines.append(f"outpoint {_seconds(end - _SNAP)}")
    (folder / _LIST_FILE).write_text("\n".join(lines) + "\n", "utf-8")


def _join(new: Path, pictures: SampleTable, cut: _Cut) -> Any:
    """Copy the joined pictures, with the sound of the same time."""
    begin = pictures.time(cut.begin)
    picture = ffmpeg.input(_LIST_FILE, f="concat", safe=0, auto_convert=0)
    sound = ffmpeg.input(PROGRAMME_FILE, ss=_seconds(begin))
    return ffmpeg.output(
        picture["v:0"],
        sound["a:0?"],
        new.name,
        t=_seconds(pictures.time(cut.end) - begin - _HALF_SOUND),
        **{"copypriorss:a": 0},
        **_AS_IT_IS,
    )


async def _require_encoder(folder: Path, ffmpeg_path: str) -> None:
    lines: list[str] = []
    listing = [*behind_everything(), ffmpeg_path, "-hide_banner", "-nostdin", "-encoders"]
    await run(listing, folder=folder, seconds=_LIMIT_SECONDS, on_line=lines.append)
    if not any(line.split()[1:2] == ["libx264"] for line in lines):
        message = (
            "An exact clip needs an ffmpeg with libx264, and this one has none. "
            "A clip that begins with a keyframe can be made."
        )
        raise InputError(message, code="no_encoder")


async def _run(folder: Path, output: Any, ffmpeg_path: str) -> None:
    await run(command(output, ffmpeg_path), folder=folder, seconds=_LIMIT_SECONDS)


def _keep(new: Path, path: Path) -> None:
    """Give the clip its name, and drop the oldest ones when there are too many. Blocking."""
    with new.open("rb") as file:
        os.fsync(file.fileno())
    new.replace(path)
    clips = sorted(path.parent.glob(CLIP_FILES), key=lambda clip: clip.stat().st_mtime_ns)
    for oldest in clips[:-_MAX_KEPT]:
        logger.info("recordings: %s makes room for newer clips", oldest)
        oldest.unlink()
    sync_folder(path.parent)


def _sweep(folder: Path) -> None:
    """Remove what is not a clip, also that of a crash: nobody else makes clips here. Blocking."""
    for left in (*folder.glob(_UNFINISHED), folder / _LIST_FILE):
        left.unlink(missing_ok=True)


def _seconds(time: Fraction) -> str:
    """Microseconds as ffmpeg takes them, rounded up: never before the picture that is meant."""
    return f"{-(-time * 1_000_000 // 1) / 1_000_000:.6f}"
