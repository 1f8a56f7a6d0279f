"""`python -m tests.bench.x264_choices [KBPS ...] < /dev/null`: what x264's settings cost and give.

Two films: `faces`, the clips in `DEBATERS` side by side; `screen`, a page of text that is scrolled
every other second. Encodes the same pictures with each choice, and prints as rows for RESULTS.md:
CPU milliseconds per picture (least of `ROUNDS`, this thread only), the rate that came out, PSNR and
SSIM of the luma.
"""

import sys
import time
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import resvg_py
from av.codec.context import Flags
from av.video.frame import PictureType
from av.video.reformatter import VideoReformatter

from bridge.broadcast.media.frames import view_planes
from bridge.settings import web_folder

FOLDER = Path("/work/shared/media")
DEBATERS = ("debater-a.mp4", "debater-b.mp4")
PICTURES, ROUNDS, JUDGED = 240, 3, 6
"""Pictures in the film; encodings of it; every which picture is compared."""
PAGE = 1800
"""Lines of the shared page."""
FIXED = "annexb=0:keyint=60:min-keyint=1:scenecut=0:bframes=0:threads=1:sliced-threads=0"


@dataclass(frozen=True, slots=True)
class Choice:
    """A preset, and parameters behind it."""

    preset: str
    params: str = ""


CHOICES = (
    Choice("veryfast"),
    Choice("veryfast", "weightp=0"),
    Choice("veryfast", "me=dia:subme=1"),
    Choice("veryfast", "8x8dct=0"),
    Choice("veryfast", "aq-mode=0"),
    Choice("superfast"),
    Choice("faster"),
    Choice("ultrafast"),
    Choice("ultrafast", "cabac=1:8x8dct=1:ref=1:chroma-qp-offset=0:weightp=1"),
)
"""The last is what `VideoEncoder.hurry` finds for veryfast."""


def faces() -> list[av.VideoFrame]:
    """Two debaters beside each other on a plain ground, each in a tile of 616x464.

    Drawn by nothing of the programme's, so that the figures stay comparable when its looks change.
    """
    clips = [decoded(FOLDER / name) for name in DEBATERS]
    scaler = VideoReformatter()
    pictures = []
    for pair in zip(*clips, strict=True):
        canvas = av.VideoFrame(1280, 720, "yuv420p")
        for plane, value in zip(view_planes(canvas), (30, 132, 126), strict=True):
            plane[:] = value
        for left, clip in zip((16, 648), pair, strict=True):
            scaled = scaler.reformat(clip, width=826, height=464, format="yuv420p", threads=1)
            planes = zip((1, 2, 2), view_planes(canvas), view_planes(scaled), strict=True)
            for step, into, clipped in planes:
                tile = clipped[:, 104 // step : 720 // step]
                into[128 // step : 592 // step, left // step : (left + 616) // step] = tile
        pictures.append(canvas)
    return pictures


def screen() -> list[av.VideoFrame]:
    """A shared screen: small text, moved by 6 lines a picture for a second, then still for one."""
    random = np.random.default_rng(1)
    words = ("whereas", "the", "motion", "of", "1,024", "houses", "(ibid.)", "Wir", "all", "stream")
    lines = "".join(
        f'<text x="40" y="{y}">{" ".join(random.choice(words, 16))}</text>'
        for y in range(24, PAGE, 24)
    )
    png = resvg_py.svg_to_bytes(
        svg_string=f'<svg xmlns="http://www.w3.org/2000/svg" width="1280" height="{PAGE}">'
        f'<rect width="1280" height="{PAGE}" fill="#fff"/>'
        f'<g font-family="Inter" font-size="17" fill="#222">{lines}</g></svg>',
        font_files=[str(path) for path in (web_folder() / "fonts").glob("*.otf")],
        skip_system_fonts=True,
    )
    (drawn,) = av.CodecContext.create("png", "r").decode(av.Packet(bytes(png)))
    assert isinstance(drawn, av.VideoFrame)
    page = drawn.to_ndarray(format="rgb24").astype(np.uint8)
    pictures, top = [], 0
    for number in range(PICTURES):
        top += 6 * (number // 30 % 2)
        shown = np.ascontiguousarray(page[top : top + 720])
        pictures.append(
            av.VideoFrame.from_ndarray(shown, format="rgb24").reformat(format="yuv420p")
        )
    return pictures


def decoded(path: Path) -> list[av.VideoFrame]:
    """As many pictures of a clip as are needed."""
    with av.open(str(path)) as container:
        return [frame for frame, _ in zip(container.decode(video=0), range(PICTURES), strict=False)]


def opened(choice: Choice, kbps: int) -> av.VideoCodecContext:
    """An encoder of that choice."""
    context = av.VideoCodecContext.create("libx264", "w")
    assert isinstance(context, av.VideoCodecContext)
    context.width, context.height, context.pix_fmt = 1280, 720, "yuv420p"
    context.framerate, context.time_base = Fraction(30), Fraction(1, 30)
    context.flags |= Flags.global_header
    params = f"{FIXED}:vbv-maxrate={kbps}:vbv-bufsize={kbps}"
    context.options = {
        "preset": choice.preset,
        "tune": "zerolatency",
        "profile": "high",
        "forced-idr": "1",
        "x264-params": f"{params}:{choice.params}" if choice.params else params,
    }
    context.bit_rate = kbps * 1000
    context.open()
    return context


def encoded(
    choice: Choice, kbps: int, pictures: list[av.VideoFrame]
) -> tuple[float, list[bytes], bytes]:
    """CPU milliseconds per picture, the access units and their decoder configuration."""
    context = opened(choice, kbps)
    units: list[bytes] = []
    begin = time.thread_time()
    for number, picture in enumerate(pictures):
        picture.pts, picture.time_base = number, Fraction(1, 30)
        picture.pict_type = PictureType.I if number % 60 == 0 else PictureType.NONE
        units += map(bytes, context.encode(picture))
    spent = (time.thread_time() - begin) / len(pictures) * 1000
    return spent, units, context.extradata or b""


def quality(
    pictures: list[av.VideoFrame], units: list[bytes], config: bytes
) -> tuple[float, float]:
    """Mean PSNR in dB and SSIM (8x8 blocks) of every sixth luma plane."""
    decoder = av.CodecContext.create("h264", "r")
    decoder.extradata, decoder.thread_count = config, 1
    psnr, ssim = [], []
    shown: list[av.VideoFrame] = []
    for unit in [*units, None]:
        shown += decoder.decode(av.Packet(unit) if unit else None)
    for made, picture in list(zip(pictures, shown, strict=True))[::JUDGED]:
        one = view_planes(made)[0].astype(np.float32)
        other = view_planes(picture)[0].astype(np.float32)
        psnr.append(10 * np.log10(255**2 / max(1e-9, float(((one - other) ** 2).mean()))))
        ssim.append(similarity(one, other))
    return float(np.mean(psnr)), float(np.mean(ssim))


def similarity(one: np.ndarray, other: np.ndarray) -> float:
    """SSIM (Wang et al. 2004) over blocks of 8x8."""

    def mean(plane: np.ndarray) -> np.ndarray:
        height, width = plane.shape
        return np.asarray(plane.reshape(height // 8, 8, width // 8, 8).mean(axis=(1, 3)))

    first, second = mean(one), mean(other)
    spread = mean(one * one) - first**2 + mean(other * other) - second**2
    together = mean(one * other) - first * second
    light = (2 * first * second + 6.5025) / (first**2 + second**2 + 6.5025)
    return float((light * (2 * together + 58.5225) / (spread + 58.5225)).mean())


def main() -> None:
    """Measure all choices at each rate."""
    for kbps in [int(word) for word in sys.argv[1:]] or [4000]:
        for name, film in (("faces", faces()), ("screen", screen())):
            measure(name, film, kbps)


def measure(name: str, pictures: list[av.VideoFrame], kbps: int) -> None:
    """Print a row for each choice."""
    best: dict[Choice, float] = {}
    for _ in range(ROUNDS):
        for choice in CHOICES:
            spent = encoded(choice, kbps, pictures)[0]
            best[choice] = min(spent, best.get(choice, spent))
    for choice in CHOICES:
        _, units, config = encoded(choice, kbps, pictures)
        psnr, ssim = quality(pictures, units, config)
        rate = sum(map(len, units)) * 8 / len(units) * 30 / 1000
        words = " ".join(filter(None, (choice.preset, choice.params)))
        sys.stdout.write(
            f"| {name} | {kbps} | {words} | {best[choice]:.2f} | {rate:.0f} | {psnr:.2f} |"
            f" {ssim:.4f} |\n"
        )
        sys.stdout.flush()


if __name__ == "__main__":
    main()
