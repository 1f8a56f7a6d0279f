"""`debate-bridge theme preview NAME`: all scenes of a theme with made-up debaters, in one PNG.

Told by one line of JSON on standard input: `theme`, a name or a folder, and `output`.
"""

import asyncio
import sys
from fractions import Fraction
from pathlib import Path
from typing import Final

import av
import numpy as np
from av.video.reformatter import VideoReformatter
from pydantic import BaseModel, ConfigDict

from bridge.broadcast.media.artist import Artist
from bridge.broadcast.media.caption import Caption, ClockFace, Turn, Vote
from bridge.broadcast.media.compositor import Compositor, new_canvas
from bridge.broadcast.media.frames import view_planes
from bridge.broadcast.media.scene import ABOUT_A_SIDE, SceneKey, SceneName, screen_of
from bridge.broadcast.media.sources import SourceStatus, SourceView
from bridge.broadcast.media.studio_order import Commission
from bridge.errors import BridgeError
from bridge.settings import web_folder

_SIZE: Final = (1280, 720)
_COLUMNS: Final = 2
_SIDES: Final = ("proposition", "opposition")
SAMPLE: Final = Caption(
    motion="This house believes that cities should ban private cars from their centres",
    names={"proposition": "Ada Lovelace", "opposition": "Βίκτωρ Παπαδόπουλος"},
    clock=ClockFace(text="4:05", side="proposition"),
    turn=Turn(title="First constructive", side="proposition", number=2, of=6),
    floor="proposition",
    vote=Vote(
        open=True,
        before={"proposition": 0.42, "opposition": 0.38},
        after={"proposition": 0.55, "opposition": 0.45},
    ),
    note="Back at half past eight",
)
"""A caption in which everything is there that themes may draw."""


class PreviewOrder(BaseModel):
    """What is to be drawn, and where to."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    theme: str
    output: Path


async def _draw(commission: Commission) -> list[av.VideoFrame]:
    artist = Artist(commission)
    try:
        pictures = []
        for name in SceneName:
            key = SceneKey(name, _SIDES[0] if name in ABOUT_A_SIDE else None)
            drawing = await artist.draw(key, SAMPLE)
            assert drawing.artwork is not None  # noqa: S101 - the first of each key
            compositor = Compositor(key, drawing.artwork)
            compositor.live = drawing.live
            picture = new_canvas(*_SIZE)
            compositor.compose(view_planes(picture), _views())
            pictures.append(picture)
        return pictures
    finally:
        await artist.close()


def _views() -> dict[str, SourceView]:
    return {
        _SIDES[0]: SourceView(SourceStatus.LIVE, _stand_in(150)),
        _SIDES[1]: SourceView(SourceStatus.LIVE, _stand_in(90)),
        screen_of(_SIDES[0]): SourceView(SourceStatus.LIVE, _stand_in(200)),
    }


def _stand_in(light: int) -> av.VideoFrame:
    """Return a grey picture with rings: what is cut off, and what is squeezed, shows."""
    picture = new_canvas(*_SIZE)
    luma, *chroma = view_planes(picture)
    rows, columns = np.mgrid[: _SIZE[1], : _SIZE[0]]
    distance = np.hypot(rows - _SIZE[1] / 2, columns - _SIZE[0] / 2)
    luma[:] = np.where(distance % 80 < 4, light + 40, light)
    for plane in chroma:
        plane[:] = 128
    return picture


def _sheet(pictures: list[av.VideoFrame]) -> bytes:
    """Return all pictures side by side, as PNG."""
    scaler = VideoReformatter()
    rgb = [
        scaler.reformat(
            picture, format="rgb24", src_colorspace=1, src_color_range=1, dst_color_range=2
        ).to_ndarray()
        for picture in pictures
    ]
    rgb += [np.zeros_like(rgb[0])] * (-len(rgb) % _COLUMNS)
    rows = [np.hstack(rgb[at : at + _COLUMNS]) for at in range(0, len(rgb), _COLUMNS)]
    whole = np.ascontiguousarray(np.vstack(rows)).astype(np.uint8)
    sheet = av.VideoFrame.from_ndarray(whole, format="rgb24")
    encoder = av.VideoCodecContext.create("png", "w")
    encoder.width, encoder.height, encoder.pix_fmt = sheet.width, sheet.height, "rgb24"
    encoder.time_base, sheet.pts = Fraction(1, 30), 0
    return b"".join(map(bytes, [*encoder.encode(sheet), *encoder.encode(None)]))


def main() -> int:
    """Draw, or say what is wrong."""
    order = PreviewOrder.model_validate_json(sys.stdin.buffer.readline())
    width, height = _SIZE
    commission = Commission(theme=order.theme, web=web_folder(), width=width, height=height)
    try:
        pictures = asyncio.run(_draw(commission))
        order.output.write_bytes(_sheet(pictures))
    except (BridgeError, OSError) as error:
        words = error.message if isinstance(error, BridgeError) else str(error)
        sys.stderr.write(f"debate-bridge: theme {order.theme}: {words}\n")
        return 1
    sys.stdout.write(f"{order.output}: {len(pictures)} scenes of {order.theme}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
