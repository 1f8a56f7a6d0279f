"""From scene to scene: cuts and moves, what is seen in between, and how often what is drawn."""

import time
from dataclasses import replace

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.broadcast.media.artwork import Drawing
from bridge.broadcast.media.caption import Caption, ClockFace
from bridge.broadcast.media.frames import view_planes
from bridge.broadcast.media.scene import ABOUT_A_SIDE, Rect, SceneKey, SceneName, Tile
from bridge.broadcast.media.sources import SourceStatus, SourceView
from bridge.broadcast.media.stage import Stage, Transition
from bridge.broadcast.media.studio import Studio
from bridge.broadcast.media.theme import load_theme
from bridge.errors import ConflictError, ThemeError
from bridge.settings import web_folder
from tests.component.media_builders import BLUE, CAPTION, GREY, RED, SIDE_BY_SIDE, plain

SIDES = ("proposition", "opposition")
FACES = {
    "proposition": SourceView(SourceStatus.LIVE, plain(RED)),
    "opposition": SourceView(SourceStatus.LIVE, plain(BLUE)),
}
SHARED = SourceView(SourceStatus.LIVE, plain(GREY, 1920, 1080))
SCREEN = SceneKey(SceneName.SCREEN, "opposition")
SPEAKER = SceneKey(SceneName.SPEAKER, "opposition")
INSET = SceneKey(SceneName.PICTURE_IN_PICTURE, "opposition")
KEYS = [
    SceneKey(name, subject)
    for name in SceneName
    for subject in (SIDES if name in ABOUT_A_SIDE else (None,))
]


@pytest.fixture(scope="module")
def studio() -> Studio:
    return Studio(load_theme("classic", web_folder()), (1280, 720))


@pytest.fixture(scope="module")
def drawings(studio) -> dict[SceneKey, Drawing]:
    return {key: studio.draw(key, CAPTION) for key in KEYS}


@pytest.fixture
def stage(drawings) -> Stage:
    made = Stage(drawings[SIDE_BY_SIDE])
    for drawing in drawings.values():
        made.put(drawing)
    made.compose(FACES, 0.0)
    return made


def colour_at(picture: av.VideoFrame, x: int, y: int) -> tuple[int, ...]:
    planes = view_planes(picture)
    return tuple(
        int(plane[y // scale, x // scale]) for plane, scale in zip(planes, (1, 2, 2), strict=True)
    )


def luma(picture: av.VideoFrame) -> np.ndarray:
    return view_planes(picture)[0].astype(int)


def test_a_cut_is_whole_from_one_picture_to_the_next(stage):
    stage.show(SPEAKER, Transition.CUT)
    picture = stage.compose(FACES, 0.1)
    assert colour_at(picture, 300, 400) == colour_at(picture, 900, 500) == BLUE
    assert colour_at(picture, 1112, 186) == RED


def test_one_side_is_large_and_the_other_lies_over_it_where_that_is_meant(stage):
    stage.show(INSET, Transition.CUT)
    picture = stage.compose(FACES, 0.1)
    assert colour_at(picture, 4, 360) == colour_at(picture, 640, 710) == BLUE
    assert colour_at(picture, 1100, 140) == RED
    assert colour_at(picture, 960, 40)[0] == pytest.approx(BLUE[0], abs=12), "round corners"


def test_a_shared_screen_is_large_and_both_debaters_stay_beside_it(stage):
    shot = stage.show(SCREEN, Transition.CUT)
    assert shot.sizes == {
        "opposition-screen": (928, 582),
        "proposition": (304, 228),
        "opposition": (304, 228),
    }
    screen = stage.compose({**FACES, "opposition-screen": SHARED}, 0.1)
    assert colour_at(screen, 300, 400) == colour_at(screen, 900, 400) == GREY
    assert (colour_at(screen, 1112, 186), colour_at(screen, 1112, 510)) == (RED, BLUE)
    ended = stage.compose(FACES, 0.2)
    assert colour_at(ended, 300, 400) == GREY, "no hole until the next scene"
    frozen = SourceView(SourceStatus.FROZEN, SHARED.picture)
    dim = stage.compose({**FACES, "opposition-screen": frozen}, 0.3)
    assert colour_at(dim, 300, 400)[0] < GREY[0] - 30
    assert view_planes(dim)[0][92:164, 320:640].max() > 200, "and says so"


def test_a_move_takes_three_tenths_of_a_second_and_ends_exactly_there(stage):
    side_by_side = luma(stage.compose(FACES, 0.9))
    stage.show(SPEAKER, Transition.MOVE)
    first = luma(stage.compose(FACES, 1.0))
    assert np.abs(first - side_by_side).mean() < 2, "it begins where it was"
    edges = []
    for tick in range(2, 10):  # Before, the other one passes over its edge.
        picture = stage.compose(FACES, 1.0 + tick / 30)
        blue = view_planes(picture)[1][280] == BLUE[1]
        edges.append(int(np.flatnonzero(blue)[0]))
    assert edges == sorted(edges, reverse=True), "the tile only grows"
    assert len(set(edges)) > 4
    arrived = luma(stage.compose(FACES, 1.31))
    stage.show(SIDE_BY_SIDE, Transition.CUT)
    stage.compose(FACES, 1.4)
    stage.show(SPEAKER, Transition.CUT)
    assert (luma(stage.compose(FACES, 1.5)) == arrived).all()


def test_no_picture_of_any_move_is_black_or_torn(stage):
    """Between all scenes, the mean light changes by small steps only."""
    now = 10.0
    stage.show(SIDE_BY_SIDE, Transition.CUT)
    for key in (*KEYS, SIDE_BY_SIDE):
        views = {**FACES, **{f"{side}-screen": SHARED for side in SIDES}}
        before = luma(stage.compose(views, now)).mean()
        stage.show(key, Transition.MOVE)
        lights = [luma(stage.compose(views, now + tick / 30)).mean() for tick in range(11)]
        steps = np.abs(np.diff([before, *lights]))
        span = abs(lights[-1] - before)
        assert steps.max() <= 0.3 * span + 9, key
        assert min(lights) > min(before, lights[-1]) - 12, key
        now += 1


def test_a_move_that_is_under_way_is_gone_to_its_end(stage):
    stage.show(SPEAKER, Transition.MOVE)
    stage.compose(FACES, 1.0)
    stage.show(SIDE_BY_SIDE, Transition.MOVE)
    assert colour_at(stage.compose(FACES, 1.29), 300, 400) == BLUE
    stage.compose(FACES, 1.31)
    assert colour_at(stage.compose(FACES, 1.7), 300, 400) == RED


def test_slates_glide_too(stage):
    stage.show(SPEAKER, Transition.MOVE)
    nobody: dict[str, SourceView] = {}
    stage.compose(nobody, 1.0)
    halfway = luma(stage.compose(nobody, 1.15))
    assert halfway[300:500, 300:900].std() > 5


def test_what_has_not_been_drawn_cannot_be_shown(drawings):
    stage = Stage(drawings[SIDE_BY_SIDE])
    with pytest.raises(ConflictError, match="speaker has not been drawn"):
        stage.show(SPEAKER, Transition.CUT)
    assert stage.shot.key == SIDE_BY_SIDE
    with pytest.raises(ThemeError):
        Stage(replace(drawings[SIDE_BY_SIDE], artwork=None))


def with_clock(text: str) -> Caption:
    return replace(CAPTION, clock=ClockFace(text=text))


def test_a_clock_is_drawn_alone_and_changes_in_the_picture_that_it_is_due_in(studio):
    opening = studio.draw(SIDE_BY_SIDE, with_clock("4:05"))
    following = studio.draw(SIDE_BY_SIDE, with_clock("4:06"))
    assert following.artwork is None, "nothing else is drawn again"
    stage = Stage(opening)
    stage.put(following, at=1.0)
    before, early, due = (luma(stage.compose(FACES, now)) for now in (0.0, 0.99, 1.0))
    assert (before == early).all()
    rows, columns = np.nonzero(before != due)
    box = Rect(int(columns.min()), int(rows.min()), int(np.ptp(columns)), int(np.ptp(rows)))
    assert box.intersection(Rect(566, 638, 148, 60)) == box


def test_the_same_clock_again_costs_no_drawing(studio, monkeypatch):
    studio.draw(SIDE_BY_SIDE, with_clock("0:01"))
    monkeypatch.setattr(studio, "_rasterise", lambda _svg: pytest.fail("drawn again"))
    assert studio.draw(SIDE_BY_SIDE, with_clock("0:01")).artwork is None


@given(
    st.tuples(*[st.integers(0, 300)] * 4),
    st.tuples(*[st.integers(0, 300)] * 4),
    st.floats(0, 1),
)
@settings(max_examples=200)
def test_between_two_rectangles_all_are_even_and_inside_of_what_holds_both(one, other, share):
    begin, end = (Rect(2 * x, 2 * y, 2 * w + 2, 2 * h + 2) for x, y, w, h in (one, other))
    between = begin.towards(end, share)
    assert between.even
    assert between.width > 0
    assert between.height > 0
    assert min(begin.x, end.x) <= between.x
    assert between.right <= max(begin.right, end.right)
    assert min(begin.y, end.y) <= between.y
    assert between.bottom <= max(begin.bottom, end.bottom)


@pytest.mark.parametrize("size", [(1280, 720), (1920, 1080), (960, 540), (854, 480), (720, 1280)])
def test_tiles_of_every_scene_are_even_inside_and_apart(size):
    studio = Studio(load_theme("classic", web_folder()), size)
    for key in KEYS:
        artwork = studio.draw(key, CAPTION, hasty=True).artwork
        assert artwork is not None
        canvas = Rect(0, 0, *size)
        placed: list[Tile] = []
        for tile in artwork.scene.tiles:
            assert tile.rect.even
            assert tile.rect.intersection(canvas) == tile.rect
            for other in placed:
                assert tile.over == other.source or not tile.rect.intersection(other.rect)
            placed.append(tile)


def test_every_scene_composes_within_a_third_of_a_tick(stage):
    pictures = [plain(GREY, 1920, 1080) for _ in range(2)]
    for key in KEYS:
        stage.show(key, Transition.CUT)
        spent = []
        for number in range(12):
            view = SourceView(SourceStatus.LIVE, pictures[number % 2])
            views = dict.fromkeys([*SIDES, *(f"{side}-screen" for side in SIDES)], view)
            begin = time.thread_time()
            stage.compose(views, 1.0)
            spent.append(time.thread_time() - begin)
        assert np.median(spent) < 0.011, key
