"""Independent judges of a programme: ffprobe for the shape, decoded samples for the content."""

import asyncio
import io
import json
import re
import shutil
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

Picture = np.ndarray[Any, Any]
"""RGB, (height, width, 3)."""
Box = tuple[float, float, float, float]
"""Fractions of a picture: left, top, right, bottom."""


async def ffprobe(target: str | Path, *options: str) -> dict[str, Any]:
    """Run ffprobe on `target` and return its JSON with format and streams."""
    process = await asyncio.create_subprocess_exec(
        "ffprobe", "-v", "error", "-show_format", "-show_streams", "-of", "json",
        *options, str(target),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, error = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, error.decode()
    return dict(json.loads(out))


async def save(source: str, target: Path, *, seconds: float) -> None:
    """Have ffmpeg play `source` for some seconds into a file, without transcoding."""
    process = await asyncio.create_subprocess_exec(
        "ffmpeg", "-v", "error", "-y", "-i", source, "-t", str(seconds), "-c", "copy", target,
    )  # fmt: skip
    assert await asyncio.wait_for(process.wait(), 60) == 0


@dataclass(frozen=True, slots=True)
class Shape:
    """What a platform looks at."""

    video: str
    width: int
    height: int
    rate: Fraction
    audio: str
    sample_rate: int
    seconds: float


def shape(probe: dict[str, Any]) -> Shape:
    """Pick the platform's view out of ffprobe's JSON."""
    video = next(item for item in probe["streams"] if item["codec_type"] == "video")
    audio = next(item for item in probe["streams"] if item["codec_type"] == "audio")
    return Shape(
        video=video["codec_name"], width=video["width"], height=video["height"],
        rate=Fraction(video["r_frame_rate"]), audio=audio["codec_name"],
        sample_rate=int(audio["sample_rate"]), seconds=float(probe["format"].get("duration", 0)),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Decoded:
    """Some seconds of programme."""

    pictures: list[np.ndarray[Any, Any]]
    """RGB, (height, width, 3)."""
    times: list[float]
    samples: np.ndarray[Any, Any]
    """Mono float, 48 kHz."""


def decode(path: Path) -> Decoded:
    """Decode every picture and sample of a file."""
    pictures, times = [], []
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            pictures.append(frame.to_ndarray(format="rgb24"))
            times.append(float(frame.time or 0))
    with av.open(str(path)) as container:
        sound = [frame.to_ndarray().mean(axis=0) for frame in container.decode(audio=0)]
    return Decoded(pictures, times, np.concatenate(sound))


async def newest_picture(fetch: Callable[[str], Awaitable[bytes]], base: str) -> Picture:
    """Decode the last picture that the media playlist below `base` has a part for."""
    playlist = (await fetch(base + "source.m3u8")).decode()
    init = re.findall(r'#EXT-X-MAP:URI="([^"]+)"', playlist)[-1]
    parts = re.findall(r"#EXT-X-PART:(.*)", playlist)
    first = max(number for number, part in enumerate(parts) if "INDEPENDENT=YES" in part)
    names = [init, *(re.findall(r'URI="([^"]+)"', part)[0] for part in parts[first:])]
    data = b"".join([await fetch(base + name) for name in names])
    return await asyncio.to_thread(_last_picture, data)


def _last_picture(data: bytes) -> Picture:
    with av.open(io.BytesIO(data), "r") as container:
        *_, last = container.decode(video=0)
    return last.to_ndarray(format="rgb24")


def save_png(picture: Picture, path: Path) -> None:
    """Keep a picture for people to look at."""
    encoder = av.CodecContext.create("png", "w")
    frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
    encoder.width, encoder.height, encoder.pix_fmt = frame.width, frame.height, "rgb24"
    encoder.time_base, frame.pts = Fraction(1, 30), 0
    path.write_bytes(b"".join(map(bytes, [*encoder.encode(frame), *encoder.encode(None)])))


def region(picture: Picture, box: Box) -> Any:
    """Mean RGB of a box given in fractions: left, top, right, bottom."""
    height, width = picture.shape[:2]
    left, top, right, bottom = box
    part = picture[int(top * height) : int(bottom * height), int(left * width) : int(right * width)]
    return part.reshape(-1, 3).mean(axis=0)


LEFT_TILE = (0.10, 0.35, 0.40, 0.70)
RIGHT_TILE = (0.60, 0.35, 0.90, 0.70)
MUTED_BADGE = (0.03, 0.76, 0.07, 0.83)
"""In the left tile."""
FROZEN_ICON = (0.14, 0.26, 0.18, 0.33)
CONNECTING_RING = (0.175, 0.31, 0.33, 0.59)
SCREEN_TILE = (0.10, 0.55, 0.70, 0.85)
UPPER_SMALL_TILE = (0.78, 0.26, 0.96, 0.40)
LOWER_SMALL_TILE = (0.78, 0.72, 0.96, 0.85)


def tone_db(samples: np.ndarray[Any, Any], frequency: float) -> float:
    """Level of a tone over the median level around it, in dB."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    bins = np.fft.rfftfreq(len(samples), 1 / 48_000)
    at = spectrum[np.abs(bins - frequency) < 6].max()
    around = np.median(spectrum[(bins > 200) & (bins < 2000)])
    return float(20 * np.log10(at / max(around, 1e-9)))


def have(command: str) -> bool:
    """Whether a command is on PATH."""
    return shutil.which(command) is not None
