"""`python -m tests.bench.compose`: CPU milliseconds per tick of composing, mixing and encoding."""

import sys
import time
from collections.abc import Callable

import av
import numpy as np

from bridge.broadcast.media.caption import Caption, ClockFace
from bridge.broadcast.media.encoder import AudioEncoder, EncoderSettings, VideoEncoder
from bridge.broadcast.media.frames import view_planes
from bridge.broadcast.media.mixer import Mixer
from bridge.broadcast.media.packets import Grid
from bridge.broadcast.media.scene import SceneKey, SceneName
from bridge.broadcast.media.sources import AudioSource, SourceStatus, SourceView
from bridge.broadcast.media.stage import Stage
from bridge.broadcast.media.studio import Studio
from bridge.broadcast.media.theme import load_theme
from bridge.settings import web_folder

TICKS = 300
SIDES = ("proposition", "opposition")


def camera(seed: int, width: int = 640, height: int = 360) -> list[av.VideoFrame]:
    """A smooth picture that moves, with the noise of a camera."""
    random = np.random.default_rng(seed)
    coarse = random.integers(16, 235, (height // 20 + 2, width // 20 + 2)).astype(np.uint8)
    large = np.kron(coarse, np.ones((20, 20), np.uint8))
    pictures = []
    for shift in range(30):
        picture = av.VideoFrame(width, height, "yuv420p")
        y, u, v = view_planes(picture)
        moved = large[shift : shift + height, shift : shift + width]
        y[:] = moved // 2 + 40 + random.integers(0, 5, (height, width), np.uint8)
        u[:], v[:] = 118, 138
        pictures.append(picture)
    return pictures


def per_tick(work: Callable[[int], object]) -> float:
    """CPU milliseconds of this process per call."""
    work(0)
    begin = time.process_time()
    for number in range(1, TICKS + 1):
        work(number)
    return (time.process_time() - begin) / TICKS * 1000


def main() -> None:
    caption = Caption(
        motion="This house would measure",
        names={side: side for side in SIDES},
        clock=ClockFace(text="4:05"),
    )
    studio = Studio(load_theme("classic", web_folder()), (1280, 720))
    stage = Stage(studio.draw(SceneKey(SceneName.SIDE_BY_SIDE), caption))
    cameras = {side: camera(seed) for seed, side in enumerate(SIDES)}
    fitting = {side: camera(seed, 828, 466) for seed, side in enumerate(SIDES)}

    def compose(number: int, *, held: bool = False) -> av.VideoFrame:
        place = 0 if held else number % 30
        return stage.compose(
            {side: SourceView(SourceStatus.LIVE, cameras[side][place]) for side in SIDES}, 0.0
        )

    def compose_fitting(number: int) -> av.VideoFrame:
        return stage.compose(
            {side: SourceView(SourceStatus.LIVE, fitting[side][number % 30]) for side in SIDES},
            0.0,
        )

    sources = [AudioSource(side) for side in SIDES]
    mixer = Mixer(sources)
    mixer.start(100.0)
    noise = (np.random.default_rng(1).standard_normal((2, 1600)) * 0.2).astype(np.float32)

    def mix(number: int) -> object:
        for index, source in enumerate(sources):
            # 100 ppm fast and never on the sample: the dearest case.
            source.write(100.1 + (number + 0.3 * index) / 30 * 1.0001, noise)
        return mixer.mix(1600)

    settings = EncoderSettings(
        width=1280,
        height=720,
        grid=Grid(fps=30, part_frames=12, segment_frames=60),
        video_kbps=4000,
        audio_kbps=128,
    )
    canvases = [compose(number) for number in range(30)]
    video, audio = VideoEncoder(settings), AudioEncoder(settings)
    for name, work in (
        ("compose, new pictures", compose),
        ("compose, as senders fit", compose_fitting),
        ("compose, held pictures", lambda number: compose(number, held=True)),
        ("compose, slates", lambda _: stage.compose({}, 0.0)),
        ("mix", mix),
        ("encode picture", lambda number: list(video.encode(canvases[number % 30], number))),
        ("encode sound", lambda _: list(audio.encode(noise))),
    ):
        sys.stdout.write(f"{name:24} {per_tick(work):6.3f} ms\n")


if __name__ == "__main__":
    main()
