"""Sets the stage: from names and a motion to a compositor."""

from pathlib import Path

from bridge.broadcast.media.artwork import draw_artwork
from bridge.broadcast.media.compositor import Compositor
from bridge.broadcast.media.theme import Caption, Theme


def build_compositor(
    *, theme: str, web: Path, caption: Caption, width: int, height: int
) -> Compositor:
    """Draw theme `theme` of the folder `web` and return a compositor for it.

    Takes half a second, and the rasteriser holds the GIL for most of it: call it in a thread and
    before going on air. Raises ThemeError or SetupError.
    """
    loaded = Theme(web / "themes" / theme, web / "fonts")
    return Compositor(draw_artwork(loaded, caption, (width, height)))
