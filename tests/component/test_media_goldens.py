"""Every scene of every theme, as it was looked at and approved. Small, and compared with tolerance.

Delete a picture in `goldens/` to make a new one; look at it before it is committed.
"""

from pathlib import Path

import numpy as np
import pytest

from bridge.broadcast.media.compositor import Compositor, new_canvas
from bridge.broadcast.media.frames import view_planes
from bridge.broadcast.media.scene import ABOUT_A_SIDE, SceneKey, SceneName
from bridge.broadcast.media.sources import SourceStatus, SourceView
from bridge.broadcast.media.studio import Studio
from bridge.broadcast.media.theme import load_theme
from bridge.broadcast.theme_preview import SAMPLE
from bridge.settings import web_folder
from tests.component.media_builders import BLUE, GREY, RED, plain, read_png, write_png

GOLDENS = Path(__file__).with_name("goldens")
THEMES = sorted(path.parent.name for path in (web_folder() / "themes").glob("*/theme.toml"))
KEYS = [SceneKey(name, "proposition" if name in ABOUT_A_SIDE else None) for name in SceneName]
VIEWS = {
    "proposition": SourceView(SourceStatus.LIVE, plain(RED)),
    "opposition": SourceView(SourceStatus.FROZEN, plain(BLUE), muted=True),
    "proposition-screen": SourceView(SourceStatus.LIVE, plain(GREY)),
}


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("key", KEYS, ids=lambda key: str(key.name))
def test_a_scene_looks_as_it_was_approved(theme, key, tmp_path):
    drawing = Studio(load_theme(theme, web_folder()), (640, 360)).draw(key, SAMPLE)
    assert drawing.artwork is not None
    compositor = Compositor(key, drawing.artwork)
    compositor.live = drawing.live
    picture = new_canvas(640, 360)
    # The opposition has no picture in the side by side scene: slates are to be seen somewhere.
    views = {**VIEWS, "opposition": SourceView(SourceStatus.RECONNECTING)}
    chosen = views if key.name is SceneName.SIDE_BY_SIDE else VIEWS
    compositor.compose(view_planes(picture), chosen)
    golden = GOLDENS / f"{theme}-{key.name}.png"
    if not golden.exists():
        write_png(picture, golden)
        pytest.fail(f"{golden.name} was missing and has been written: look at it, then run again")
    write_png(picture, tmp_path / "now.png")
    before, now = read_png(golden).astype(int), read_png(tmp_path / "now.png").astype(int)
    difference = np.abs(before - now).max(axis=2)
    assert difference.mean() < 0.5
    assert (difference > 32).mean() < 0.001
