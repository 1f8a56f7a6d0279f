"""Pictures, sounds and judges for the programme's tests."""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from av.video.reformatter import VideoReformatter

from bridge.broadcast.media.artwork import Artwork, Drawing
from bridge.broadcast.media.caption import Caption
from bridge.broadcast.media.compositor import Compositor, new_canvas
from bridge.broadcast.media.encoder import EncoderSettings
from bridge.broadcast.media.frames import view_planes
from bridge.broadcast.media.packets import (
    AUDIO_RATE,
    ORIGIN_SECONDS,
    VIDEO_RATE,
    CodecParameters,
    EncodedPacket,
    Grid,
    TrackKind,
)
from bridge.broadcast.media.scene import SceneKey, SceneName
from bridge.broadcast.media.sources import SourceView
from bridge.broadcast.media.studio import Studio
from bridge.broadcast.media.theme import Theme, load_theme
from bridge.settings import web_folder

GRID = Grid(fps=30, part_frames=12, segment_frames=60)
CAPTION = Caption(
    motion="This house would compose pictures",
    names={"proposition": "Ada", "opposition": "Βίκτωρ"},
)
RED, BLUE, GREY = (63, 102, 240), (32, 240, 118), (128, 128, 128)
"""Y, U, V."""


def settings(width: int = 320, height: int = 180, **changes: object) -> EncoderSettings:
    values = {"video_kbps": 600, "audio_kbps": 128, "preset": "superfast", "grid": GRID}
    return EncoderSettings(width=width, height=height, **{**values, **changes})  # type: ignore[arg-type]


def plain(colour: tuple[int, int, int], width: int = 640, height: int = 360) -> av.VideoFrame:
    """A picture of one colour."""
    picture = av.VideoFrame(width, height, "yuv420p")
    for plane, value in zip(view_planes(picture), colour, strict=True):
        plane[:] = value
    return picture


SIDE_BY_SIDE = SceneKey(SceneName.SIDE_BY_SIDE)


def drawing(
    key: SceneKey = SIDE_BY_SIDE,
    caption: Caption = CAPTION,
    size: tuple[int, int] = (1280, 720),
    theme: str = "classic",
) -> Drawing:
    return Studio(load_theme(theme, web_folder()), size).draw(key, caption)


def draw_artwork(theme: Theme, caption: Caption, size: tuple[int, int]) -> Artwork:
    artwork = Studio(theme, size).draw(SIDE_BY_SIDE, caption).artwork
    assert artwork is not None
    return artwork


def classic(width: int = 1280, height: int = 720, caption: Caption = CAPTION) -> Artwork:
    return draw_artwork(load_theme("classic", web_folder()), caption, (width, height))


class Composer:
    """A compositor that makes whole pictures."""

    def __init__(self, artwork: Artwork, key: SceneKey = SIDE_BY_SIDE) -> None:
        self.compositor = Compositor(key, artwork)

    def compose(self, views: Mapping[str, SourceView]) -> av.VideoFrame:
        scene = self.compositor.scene
        picture = new_canvas(scene.width, scene.height)
        self.compositor.compose(view_planes(picture), views)
        return picture


def write_theme(folder: Path, drawing: str, *, width: int = 320, height: int = 180) -> Theme:
    """A theme of the given SVG content, with plain slates."""
    classic_toml = (web_folder() / "themes" / "classic" / "theme.toml").read_text("utf-8")
    manifest = classic_toml.replace("width = 1280", f"width = {width}", 1)
    (folder / "theme.toml").write_text(
        manifest.replace("height = 720", f"height = {height}", 1), "utf-8"
    )
    root = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {{ width }} {{ height }}">'
    (folder / "theme.svg").write_text(f"{root}{drawing}</svg>", "utf-8")
    (folder / "slate.svg").write_text(
        f'{root}<rect width="100%" height="100%" fill="{{{{ side.colour }}}}"/></svg>', "utf-8"
    )
    (folder / "badge.svg").write_text(
        '<svg xmlns="http://www.w3.org/2000/svg" x="0" y="0" width="200" height="100" '
        'viewBox="0 0 20 10"><rect width="20" height="10" fill="#ffffff"/></svg>',
        "utf-8",
    )
    return Theme(folder, web_folder() / "fonts")


def write_png(picture: av.VideoFrame, path: Path) -> None:
    rgb = VideoReformatter().reformat(
        picture, format="rgb24", src_colorspace=1, src_color_range=1, dst_color_range=2
    )
    encoder = av.CodecContext.create("png", "w")
    encoder.width, encoder.height, encoder.pix_fmt = rgb.width, rgb.height, "rgb24"
    encoder.time_base, rgb.pts = Fraction(1, 30), 0
    path.write_bytes(b"".join(map(bytes, [*encoder.encode(rgb), *encoder.encode(None)])))


def read_png(path: Path) -> np.ndarray:
    decoder = av.CodecContext.create("png", "r")
    (picture,) = decoder.decode(av.Packet(path.read_bytes()))
    return picture.to_ndarray()


def of(kind: TrackKind, packets: Sequence[EncodedPacket]) -> list[EncodedPacket]:
    return [packet for packet in packets if packet.kind is kind]


def decode_pictures(
    parameters: CodecParameters, packets: Sequence[EncodedPacket], *, strict: bool = False
) -> list[tuple[Fraction, av.VideoFrame]]:
    """Programme time and picture, from nothing but what containers are given.

    A strict decoder raises an error where others conceal one.
    """
    decoder = av.CodecContext.create("h264", "r")
    decoder.extradata = parameters.avc_config
    decoder.thread_count = 1
    if strict:
        decoder.options = {"err_detect": "explode+crccheck+bitstream+buffer+careful"}
    pictures = []
    for packet in [*map(_packet, of(TrackKind.VIDEO, packets)), None]:
        for picture in decoder.decode(packet):
            assert picture.pts is not None
            pictures.append((Fraction(picture.pts, VIDEO_RATE) - ORIGIN_SECONDS, picture))
    return pictures


def decode_sound(
    parameters: CodecParameters, packets: Sequence[EncodedPacket]
) -> tuple[Fraction, np.ndarray]:
    """Programme time of the first sample, and all samples in a row, left channel."""
    decoder = AudioCodecContext.create("aac", "r")
    decoder.extradata = parameters.audio_config
    frames = []
    for packet in of(TrackKind.AUDIO, packets):
        frames += decoder.decode(_packet(packet))
    pts = [frame.pts for frame in frames]
    assert pts[0] is not None
    assert pts == list(range(pts[0], pts[0] + 1024 * len(pts), 1024))
    sound = np.concatenate([frame.to_ndarray()[0] for frame in frames])
    return Fraction(pts[0], AUDIO_RATE) - ORIGIN_SECONDS, sound


def _packet(packet: EncodedPacket) -> av.Packet:
    made = av.Packet(packet.data)
    made.pts = made.dts = packet.pts
    rate = VIDEO_RATE if packet.kind is TrackKind.VIDEO else AUDIO_RATE
    made.time_base = Fraction(1, rate)
    return made
