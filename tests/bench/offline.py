"""The ways to make the programme's picture that need no debate: bare ffmpeg, GStreamer, x264 alone.

Each returns CPU seconds per second of programme. Films are the senders' natural 1280x720, VP8 as
Chromium sends it, 30 pictures a second.
"""

import resource
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import av

from bridge.broadcast.media.caption import Caption, ClockFace
from bridge.broadcast.media.encoder import EncoderSettings, VideoEncoder
from bridge.broadcast.media.packets import Grid
from bridge.broadcast.media.scene import SceneKey, SceneName
from bridge.broadcast.media.sources import SourceStatus, SourceView
from bridge.broadcast.media.stage import Stage
from bridge.broadcast.media.studio import Studio
from bridge.broadcast.media.theme import load_theme
from bridge.settings import web_folder

CLIPS = Path(__file__).parents[3] / "shared" / "media"
SIDES = ("proposition", "opposition")
FILM_SECONDS = 12
YIELDING = ["nice", "-n", "19"]
"""They run while the debate is on air and are not in a hurry: it must not be starved by them."""
PICTURES = 120
"""Composed pictures that (c) encodes over again: 166 MB."""
X264 = [
    "-c:v",
    "libx264",
    "-preset",
    "veryfast",
    "-tune",
    "zerolatency",
    "-profile:v",
    "high",
    "-threads",
    "1",
    "-b:v",
    "4000k",
    "-maxrate",
    "4000k",
    "-bufsize",
    "4000k",
    "-g",
    "60",
    "-keyint_min",
    "60",
    "-sc_threshold",
    "0",
    "-bf",
    "0",
]
LAYOUT = (
    "color=c=0x101418:s=1280x720:r=30[base];"
    "[0:v]fps=30,scale=824:464,crop=616:464[a];[1:v]fps=30,scale=824:464,crop=616:464[b];"
    "[base][a]overlay=16:156[one];[one][b]overlay=648:156[out];"
    "[0:a][1:a]amix=inputs=2,aresample=48000[sound]"
)


def prepare(folder: Path) -> dict[str, list[Path]]:
    """Make the films: `natural`, and `sent`, as browsers send them for the layout."""
    clips = [CLIPS / "debater-a.mp4", CLIPS / "debater-b.mp4"]
    if not all(clip.exists() for clip in clips):
        clips = [_drawn(folder / f"drawn-{seed}.mp4", seed) for seed in (1, 2)]
    natural, sent = [], []
    for clip in clips:
        natural.append(folder / f"{clip.stem}-720.webm")
        vp8 = [
            "-c:v",
            "libvpx",
            "-deadline",
            "realtime",
            "-cpu-used",
            "4",
            "-b:v",
            "2000k",
            "-g",
            "300",
            "-c:a",
            "libopus",
        ]
        _ffmpeg("-i", clip, "-t", FILM_SECONDS, "-vf", "scale=1280:720,fps=30", *vp8, natural[-1])
        sent.append(folder / f"{clip.stem}-466.mp4")
        scaled = ["-vf", "scale=828:466,fps=30", "-c:v", "libx264", "-crf", "18", "-c:a", "aac"]
        _ffmpeg("-i", natural[-1], *scaled, sent[-1])
    return {"natural": natural, "sent": sent}


def _drawn(target: Path, seed: int) -> Path:
    """Return a moving picture and a tone, where the real debaters are not at hand."""
    picture = f"testsrc2=s=640x360:r=30:d={FILM_SECONDS},hue=h={90 * seed}"
    tone = f"sine=f={220 * seed}:r=48000:d={FILM_SECONDS}"
    _ffmpeg("-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", tone, "-c:a", "aac", target)
    return target


def _ffmpeg(*arguments: object) -> None:
    command = [*YIELDING, "ffmpeg", "-v", "error", "-nostdin", "-y", *map(str, arguments)]
    subprocess.run(command, check=True)


@contextmanager
def children_seconds() -> Iterator[list[float]]:
    """CPU seconds of the children that begin and end within; one value, at the end."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    used: list[float] = []
    yield used
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def bare_ffmpeg(films: Sequence[Path], seconds: int) -> float:
    """(b): one process from two files to HLS."""
    command: list[object] = []
    for film in films:
        command += ["-stream_loop", "-1", "-threads", "1", "-i", film]
    command += [
        "-filter_complex_threads", "1", "-filter_complex", LAYOUT, "-map", "[out]",
        "-map", "[sound]", "-t", seconds, *X264, "-c:a", "aac", "-b:a", "128k", "-ac", "2",
        "-f", "hls", "-hls_time", "2", films[0].parent / "bare.m3u8",
    ]  # fmt: skip
    with children_seconds() as used:
        _ffmpeg(*command)
    return used[0] / seconds


def gstreamer(films: Sequence[Path], seconds: int) -> float:
    """(d): the same by GStreamer's software compositor, at most as long as the films are."""
    seconds = min(seconds, FILM_SECONDS - 1)
    pads = "sink_0::xpos=16 sink_0::ypos=156 sink_1::xpos=648 sink_1::ypos=156"
    command = [
        *YIELDING, "gst-launch-1.0", "-q",
        "compositor", "name=mix", "background=black", *pads.split(), "!",
        "video/x-raw,width=1280,height=720,framerate=30/1,format=I420", "!",
        "identity", f"eos-after={30 * seconds}", "!",
        "x264enc", "speed-preset=veryfast", "tune=zerolatency", "bitrate=4000", "key-int-max=60",
        "bframes=0", "threads=1", "!", "h264parse", "!", "queue", "!",
        "mpegtsmux", "name=mux", "!", "filesink", f"location={films[0].parent / 'gst.ts'}",
        "audiomixer", "name=sound", "!", "audioconvert", "!", "audioresample", "!",
        "audio/x-raw,rate=48000,channels=2", "!", "avenc_aac", "bitrate=128000", "!", "aacparse",
        "!", "queue", "max-size-time=0", "max-size-buffers=0", "!", "mux.",
    ]  # fmt: skip
    for number, film in enumerate(films):
        command += [
            "filesrc", f"location={film}", "!", "matroskademux", f"name=d{number}",
            f"d{number}.video_0", "!", "queue", "!", "vp8dec", "threads=1", "!", "videocrop",
            "left=162", "right=162", "!", "videoscale", "n-threads=1", "!",
            "video/x-raw,width=616,height=464", "!", "videorate", "!", "queue", "!",
            f"mix.sink_{number}",
            f"d{number}.audio_0", "!", "queue", "max-size-time=0", "max-size-buffers=0", "!",
            "opusdec", "!", "audioconvert", "!", "sound.",
        ]  # fmt: skip
    with children_seconds() as used:
        subprocess.run(command, check=True, timeout=300)
    return used[0] / seconds


def composed(films: Sequence[Path]) -> list[av.VideoFrame]:
    """Return the programme's own pictures, of these films side by side in the classic theme."""
    caption = Caption(
        motion="This house would measure",
        names={side: side for side in SIDES},
        clock=ClockFace(text="4:05"),
    )
    studio = Studio(load_theme("classic", web_folder()), (1280, 720))
    stage = Stage(studio.draw(SceneKey(SceneName.SIDE_BY_SIDE), caption))
    pictures = []
    with av.open(str(films[0])) as one, av.open(str(films[1])) as other:
        both = zip(one.decode(video=0), other.decode(video=0), strict=False)
        for _, pair in zip(range(PICTURES), both, strict=False):
            views = {
                side: SourceView(SourceStatus.LIVE, picture)
                for side, picture in zip(SIDES, pair, strict=True)
            }
            pictures.append(stage.compose(views, 0.0))
    return pictures


def encode_alone(pictures: Sequence[av.VideoFrame], rounds: int = 2) -> float:
    """(c): our x264 on this thread alone."""
    settings = EncoderSettings(
        width=1280,
        height=720,
        grid=Grid(fps=30, part_frames=12, segment_frames=60),
        video_kbps=4000,
        audio_kbps=128,
    )
    encoder = VideoEncoder(settings)
    list(encoder.encode(pictures[0], 0))
    begin = time.thread_time()
    for number in range(rounds * len(pictures)):
        for _ in encoder.encode(pictures[number % len(pictures)], number + 1):
            pass
    return (time.thread_time() - begin) / (rounds * len(pictures) / 30)
