"""Cuts between the scenes: whose screen is shown, when, and what of it is seen."""

import asyncio
import logging
import time

import av
import numpy as np
import psutil
import pytest

from bridge.broadcast.media.artwork import Artwork, draw_artwork
from bridge.broadcast.media.frames import view_planes
from bridge.broadcast.media.scene_order import SceneOrder, draw_screen_scenes
from bridge.broadcast.media.sources import SourceStatus, SourceView
from bridge.broadcast.media.stage import SceneName, Shot, Stage
from bridge.broadcast.media.theme import Theme
from bridge.settings import web_folder
from tests.component.media_builders import BLUE, CAPTION, GREY, RED, classic, plain, write_theme
from tests.helpers import until

SIDES = ("proposition", "opposition")
SCREENS = {f"{side}-screen": side for side in SIDES}
ORDER = SceneOrder(
    theme="classic", web=web_folder(), caption=CAPTION, width=640, height=360, sharers=SIDES
)
FACES = {
    "proposition": SourceView(SourceStatus.LIVE, plain(RED)),
    "opposition": SourceView(SourceStatus.LIVE, plain(BLUE)),
}
SHARED = SourceView(SourceStatus.LIVE, plain(GREY, 1920, 1080))


@pytest.fixture(scope="module")
def scenes() -> dict[str, Artwork]:
    web = web_folder()
    theme = Theme(web / "themes" / "classic", web / "fonts")
    return {side: draw_artwork(theme, CAPTION, (1280, 720), sharer=side) for side in SIDES}


@pytest.fixture
def shots() -> list[Shot]:
    return []


@pytest.fixture
def stage(scenes, shots) -> Stage:
    made = Stage(classic(), SCREENS, on_cut=shots.append)
    for sharer, artwork in scenes.items():
        made.add_screen_scene(sharer, artwork)
    return made


def colour_at(picture: av.VideoFrame, x: int, y: int) -> tuple[int, ...]:
    planes = view_planes(picture)
    return tuple(
        int(plane[y // scale, x // scale]) for plane, scale in zip(planes, (1, 2, 2), strict=True)
    )


def test_a_shared_screen_is_large_and_both_debaters_stay_beside_it(stage, shots):
    side_by_side = stage.compose(FACES)
    assert (colour_at(side_by_side, 300, 400), colour_at(side_by_side, 900, 400)) == (RED, BLUE)
    screen = stage.compose({**FACES, "opposition-screen": SHARED})
    assert colour_at(screen, 300, 400) == colour_at(screen, 900, 400) == GREY
    assert colour_at(screen, 1112, 186) == RED
    assert colour_at(screen, 1112, 510) == BLUE
    again = stage.compose(FACES)
    for before, after in zip(view_planes(side_by_side), view_planes(again), strict=True):
        assert (before == after).all()
    assert [shot.scene for shot in shots] == [SceneName.SCREEN, SceneName.SIDE_BY_SIDE]


def test_a_shot_tells_how_large_each_source_is_seen(stage):
    assert stage.shot.sizes == {"proposition": (616, 464), "opposition": (616, 464)}
    stage.compose({**FACES, "opposition-screen": SHARED})
    assert stage.shot.scene is SceneName.SCREEN
    assert stage.shot.sizes == {
        "opposition-screen": (928, 582),
        "proposition": (304, 228),
        "opposition": (304, 228),
    }


def test_of_two_screens_the_later_is_shown_and_then_the_other_again(stage, shots):
    first, second = {"opposition-screen": SHARED}, {"proposition-screen": SHARED}
    for views in (first, first | second, first | second, first, {}):
        stage.compose({**FACES, **views})
    shared = [[name for name in shot.sizes if name.endswith("-screen")] for shot in shots]
    assert shared == [["opposition-screen"], ["proposition-screen"], ["opposition-screen"], []]


def test_who_shares_is_named(stage):
    left, right = (
        view_planes(stage.compose({**FACES, f"{side}-screen": SHARED}))[0][664:708, 16:940]
        for side in SIDES
    )
    assert (left != right).any()


def test_a_frozen_screen_is_marked_and_stays(stage):
    stage.compose({**FACES, "opposition-screen": SHARED})
    frozen = SourceView(SourceStatus.FROZEN, SHARED.picture)
    canvas = stage.compose({**FACES, "opposition-screen": frozen})
    assert colour_at(canvas, 300, 400)[0] < GREY[0] - 30
    assert view_planes(canvas)[0][92:164, 320:640].max() > 200


@pytest.mark.parametrize(
    "status", [SourceStatus.ABSENT, SourceStatus.RECONNECTING, SourceStatus.CAMERA_OFF]
)
def test_a_screen_without_a_picture_never_takes_the_stage(stage, shots, status):
    stage.compose({**FACES, "opposition-screen": SourceView(status)})
    assert not shots


def test_as_long_as_a_scene_is_not_drawn_it_stays_side_by_side(scenes):
    stage = Stage(classic(), SCREENS)
    canvas = stage.compose({**FACES, "opposition-screen": SHARED})
    assert colour_at(canvas, 300, 400) == RED
    stage.add_screen_scene("opposition", scenes["opposition"])
    canvas = stage.compose({**FACES, "opposition-screen": SHARED})
    assert colour_at(canvas, 300, 400) == GREY


async def test_a_child_draws_what_would_be_drawn_here():
    drawn: dict[str, Artwork] = {}
    await draw_screen_scenes(ORDER, drawn.__setitem__)
    assert tuple(drawn) == SIDES
    web = web_folder()
    theme = Theme(web / "themes" / "classic", web / "fonts")
    here = draw_artwork(theme, CAPTION, (640, 360), sharer="opposition")
    assert drawn["opposition"].scene == here.scene
    for plane, same in zip(drawn["opposition"].base, here.base, strict=True):
        assert (plane == same).all()
    assert drawn["opposition"].badges.keys() == here.badges.keys()


async def test_a_theme_without_the_scene_is_logged_and_no_more(tmp_path, caplog):
    web = tmp_path / "web"
    (web / "themes" / "plain").mkdir(parents=True)
    (web / "fonts").symlink_to(web_folder() / "fonts")
    write_theme(web / "themes" / "plain", "")
    drawn: dict[str, Artwork] = {}
    with caplog.at_level(logging.WARNING):
        order = ORDER.model_copy(update={"theme": "plain", "web": web})
        await draw_screen_scenes(order, drawn.__setitem__)
    assert not drawn
    assert "plain/screen.svg is missing" in caplog.text


async def test_the_child_dies_with_its_task_and_carries_nothing_in_its_arguments():
    drawing = asyncio.create_task(draw_screen_scenes(ORDER, lambda *_: None))
    child = await until(_child, "the child runs")
    assert child.cmdline()[1:] == ["-m", "bridge.broadcast.media.scene_child"]
    assert set(child.environ()) <= {"LANG", "LC_CTYPE"}
    drawing.cancel()
    await asyncio.gather(drawing, return_exceptions=True)
    assert not child.is_running()


def _child() -> psutil.Process | None:
    found = [
        child
        for child in psutil.Process().children()
        if "bridge.broadcast.media.scene_child" in child.cmdline()
    ]
    return found[0] if found else None


def test_the_screen_scene_composes_within_a_third_of_a_tick(stage):
    pictures = [plain(GREY, 1920, 1080) for _ in range(2)]
    spent = []
    for number in range(20):
        view = SourceView(SourceStatus.LIVE, pictures[number % 2])
        begin = time.thread_time()
        stage.compose({**FACES, "opposition-screen": view})
        spent.append(time.thread_time() - begin)
    assert np.median(spent) < 0.011
