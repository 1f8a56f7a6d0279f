"""Scenes are checked when they are made."""

import pytest

from bridge.broadcast.media.scaler import fit
from bridge.broadcast.media.scene import Fit, Rect, Scene, Tile
from bridge.errors import ThemeError


def scene(*tiles: Tile) -> Scene:
    return Scene(width=1280, height=720, tiles=tiles)


def tile(source: str, x: int, y: int, width: int, height: int, radius: int = 0) -> Tile:
    return Tile(source=source, rect=Rect(x, y, width, height), radius=radius)


def test_tiles_may_touch_each_other_and_the_edge():
    made = scene(tile("a", 0, 0, 640, 720), tile("b", 640, 0, 640, 720, radius=20))
    assert [t.source for t in made.tiles] == ["a", "b"]


@pytest.mark.parametrize(
    ("tiles", "complaint"),
    [
        ([tile("a", 700, 0, 640, 360)], 'tile "a" does not lie inside the canvas'),
        ([tile("a", -2, 0, 640, 360)], 'tile "a" does not lie inside the canvas'),
        ([tile("a", 0, 0, 0, 360)], 'tile "a" does not lie inside the canvas'),
        ([tile("a", 1, 0, 640, 360)], 'tile "a" must have even coordinates and sides'),
        ([tile("a", 0, 0, 640, 361)], 'tile "a" must have even coordinates and sides'),
        ([tile("a", 0, 0, 64, 36, radius=19)], 'tile "a" is rounded by more than half its side'),
        ([tile("a", 0, 0, 64, 36), tile("a", 64, 0, 64, 36)], 'tile "a" is there twice'),
        ([tile("a", 0, 0, 64, 36), tile("b", 62, 34, 64, 36)], 'tile "b" overlaps tile "a"'),
    ],
)
def test_a_scene_that_cannot_be_drawn_names_the_tile(tiles, complaint):
    with pytest.raises(ThemeError, match=complaint):
        scene(*tiles)


def test_an_odd_canvas_is_refused():
    with pytest.raises(ThemeError, match="1281x720"):
        Scene(width=1281, height=720, tiles=())


TILE = Rect(16, 158, 616, 462)


@pytest.mark.parametrize(
    ("width", "height", "crop"),
    [
        (640, 360, Rect(80, 0, 480, 360)),
        (640, 480, Rect(0, 0, 640, 480)),
        (641, 361, Rect(78, 0, 482, 360)),
        (720, 720, Rect(0, 90, 720, 540)),
    ],
)
def test_cover_shows_the_middle_of_a_picture_and_fills_the_tile(width, height, crop):
    assert fit(width, height, TILE, Fit.COVER) == (crop, TILE)


def test_contain_shows_the_whole_picture_in_the_middle_of_the_tile():
    crop, place = fit(640, 360, TILE, Fit.CONTAIN)
    assert crop == Rect(0, 0, 640, 360)
    assert place == Rect(16, 216, 616, 346)


@pytest.mark.parametrize(
    ("width", "height", "place"),
    [(720, 1280, Rect(194, 158, 260, 462)), (480, 640, Rect(150, 158, 346, 462))],
)
def test_cover_shows_a_phone_held_upright_whole(width, height, place):
    assert fit(width, height, TILE, Fit.COVER) == (Rect(0, 0, width, height), place)
