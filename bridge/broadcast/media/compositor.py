"""Puts the sources' pictures into the artwork of one scene. Programme thread only."""

from collections.abc import Mapping
from typing import Final

import av
from av.video.reformatter import ColorPrimaries, ColorRange, ColorTrc

from bridge.broadcast.media.artwork import Artwork
from bridge.broadcast.media.blending import Marks, blend
from bridge.broadcast.media.frames import Planes
from bridge.broadcast.media.raster import Overlay
from bridge.broadcast.media.scene import Scene, SceneKey
from bridge.broadcast.media.sources import SourceStatus, SourceView
from bridge.broadcast.media.tile_painter import TilePainter

_SPC_BT709: Final = 1
"""AVCOL_SPC_BT709: ITU-T H.273 MatrixCoefficients 1."""
NOTHING: Final = SourceView(SourceStatus.ABSENT)


class Compositor:
    """Composes one scene from its artwork."""

    def __init__(self, key: SceneKey, artwork: Artwork) -> None:
        self.key = key
        self.artwork = artwork
        self._marks = Marks(artwork.overlays)
        self.live: tuple[Overlay, ...] = ()
        """What lies over everything and changes often."""
        self.painters = tuple(
            TilePainter(key.source(tile.source), tile, artwork) for tile in artwork.scene.tiles
        )

    @property
    def scene(self) -> Scene:
        """What is where."""
        return self.artwork.scene

    def compose(self, canvas: Planes, views: Mapping[str, SourceView]) -> None:
        """Fill a canvas; a source without a view is absent.

        The artwork's planes are copied whole: 80 us at 720p, less than finding out what changed.
        """
        for plane, base in zip(canvas, self.artwork.base, strict=True):
            plane[:] = base
        for painter in self.painters:
            painter.paint(canvas, views.get(painter.source, NOTHING))
        self._marks.blend(canvas)
        for overlay in self.live:
            blend(canvas, overlay)

    def forget(self) -> None:
        """Let go of all pictures: another scene is shown."""
        for painter in self.painters:
            painter.forget()


def new_canvas(width: int, height: int) -> av.VideoFrame:
    """Return a yuv420p picture, tagged BT.709 limited, not yet filled."""
    canvas = av.VideoFrame(width, height, "yuv420p")
    canvas.colorspace = _SPC_BT709
    canvas.color_range = ColorRange.MPEG
    canvas.color_primaries = ColorPrimaries.BT709
    canvas.color_trc = ColorTrc.BT709
    return canvas
