"""The right picture in the right tile, in the right colour."""

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.broadcast.media.frames import view_planes
from bridge.broadcast.media.raster import find_boxes, to_planes
from bridge.broadcast.media.scaler import Scaler, fit
from bridge.broadcast.media.scene import Fit, Rect
from bridge.broadcast.media.sources import SourceStatus, SourceView
from tests.component.media_builders import (
    BLUE,
    CAPTION,
    GREY,
    RED,
    Composer,
    classic,
    draw_artwork,
    plain,
    write_theme,
)

TWO_TILES = (
    '<rect width="320" height="180" fill="#808080"/>'
    '<rect data-tile="proposition" x="0" y="40" width="160" height="120" rx="20"/>'
    '<rect data-tile="opposition" x="160" y="40" width="160" height="120"/>'
)


@pytest.fixture(scope="module")
def compositor() -> Composer:
    return Composer(classic())


def live(picture: av.VideoFrame) -> SourceView:
    return SourceView(SourceStatus.LIVE, picture)


def colour_at(picture: av.VideoFrame, x: int, y: int) -> tuple[int, ...]:
    planes = view_planes(picture)
    return tuple(
        int(plane[y // scale, x // scale]) for plane, scale in zip(planes, (1, 2, 2), strict=True)
    )


def test_red_is_left_and_blue_is_right_over_the_whole_of_their_tiles(compositor):
    canvas = compositor.compose({"proposition": live(plain(RED)), "opposition": live(plain(BLUE))})
    assert (canvas.width, canvas.height, canvas.format.name) == (1280, 720, "yuv420p")
    y, u, v = view_planes(canvas)
    for left, colour in ((16, RED), (648, BLUE)):
        for plane, value, scale in zip((y, u, v), colour, (1, 2, 2), strict=True):
            tile = plane[156 // scale : 620 // scale, left // scale : (left + 616) // scale]
            border = 2 // scale
            inner = tile[14 // scale : -14 // scale, border:-border]
            assert (inner == value).all()


def test_pictures_are_tagged_bt709_limited(compositor):
    canvas = compositor.compose({})
    assert canvas.colorspace == canvas.color_primaries == canvas.color_trc == 1
    assert canvas.color_range == 1


def test_a_tick_never_writes_into_an_earlier_canvas(compositor):
    first = compositor.compose({"proposition": live(plain(RED))})
    compositor.compose({"proposition": live(plain(BLUE))})
    assert colour_at(first, 300, 400) == RED


def test_the_same_picture_is_scaled_once_and_a_new_one_anew(compositor):
    red = plain(RED)
    compositor.compose({"proposition": live(red)})
    again = compositor.compose({"proposition": live(red)})
    assert colour_at(again, 300, 400) == RED
    other = compositor.compose({"proposition": live(plain(GREY))})
    assert colour_at(other, 300, 400) == GREY


def test_each_slate_is_its_own_and_comes_back_from_a_picture(compositor):
    compositor.compose({"proposition": live(plain(RED)), "opposition": live(plain(RED))})
    absent = view_planes(compositor.compose({}))[0]
    off = view_planes(compositor.compose({"proposition": SourceView(SourceStatus.CAMERA_OFF)}))[0]
    left, right = slice(16, 632), slice(648, 1264)
    assert (absent[156:620, left] != off[156:620, left]).any(), "another line of text"
    assert (absent[156:620, right] == off[156:620, right]).all()
    assert (absent[156:620, left] != absent[156:620, right]).any(), "another name and colour"
    assert absent[156:620, left].std() > 5


def test_a_frozen_picture_is_dim_and_marked_until_the_next_one(compositor):
    red = plain(RED)
    before = compositor.compose({"proposition": live(red)})
    for _ in range(2):
        frozen = compositor.compose({"proposition": SourceView(SourceStatus.FROZEN, red)})
        assert colour_at(frozen, 300, 400) == pytest.approx((40, 115, 184), abs=1)
        badge = view_planes(frozen)[0][176:248, 166:482]
        assert badge.max() > 200, "words"
        assert badge.min() < 30, "on dark"
    after = compositor.compose({"proposition": live(plain(RED))})
    for plane, same in zip(view_planes(after), view_planes(before), strict=True):
        assert (plane == same).all()


def test_muted_is_marked_in_the_corner_of_pictures_and_of_the_camera_off_slate(compositor):
    red = plain(RED)
    for view in (live(red), SourceView(SourceStatus.CAMERA_OFF)):
        loud = view_planes(compositor.compose({"proposition": view}))[0]
        muted = view_planes(
            compositor.compose({"proposition": SourceView(view.status, view.picture, muted=True)})
        )[0]
        rows, columns = np.nonzero(loud != muted)
        assert columns.min() >= 30
        assert columns.max() < 102
        assert rows.min() >= 534
        assert rows.max() < 606


def test_who_sends_nothing_has_no_muted_mark(compositor):
    for status in (SourceStatus.ABSENT, SourceStatus.RECONNECTING):
        loud, muted = (
            view_planes(compositor.compose({"proposition": SourceView(status, None, muted)}))[0]
            for muted in (False, True)
        )
        assert (loud == muted).all()


def test_changes_of_size_and_orientation_are_seen_whole_in_the_same_tile(compositor):
    for width, height in ((1280, 720), (640, 360), (720, 1280), (360, 640), (1280, 720)):
        canvas = compositor.compose({"proposition": live(plain(RED, width, height))})
        assert colour_at(canvas, 324, 164) == RED, "up to the upper edge"
        assert colour_at(canvas, 324, 610) == RED, "and to the lower one"
        beside = colour_at(canvas, 40, 400)
        assert beside == RED if width > height else beside[0] < RED[0] - 20
        assert beside[2] > 150, "of the same colour"


SIZES = st.tuples(st.integers(16, 700), st.integers(16, 700))


@settings(deadline=None, max_examples=60)
@given(SIZES, st.sampled_from([(2, 2), (1, 1), (17, 3)]) | SIZES, st.sampled_from(Fit))
def test_pictures_of_any_size_are_shown(first, second, how):
    tile = Rect(16, 158, 616, 462)
    scaler = Scaler()
    for width, height in (first, second, first):
        place, planes = scaler.scale(plain(RED, width, height), tile, how)
        assert planes[0].shape == (place.height, place.width)
        assert planes[1].shape == planes[2].shape == (place.height // 2, place.width // 2)
        _, seen = fit(width, height, tile, how)
        assert place == (tile if how is Fit.COVER else seen)
        inside = Rect(seen.x - place.x, seen.y - place.y, seen.width, seen.height)
        for plane, value, part in zip(
            planes, RED, (inside, inside.halved(), inside.halved()), strict=True
        ):
            assert (plane[part.y : part.bottom, part.x : part.right] == value).all()


def test_a_picture_of_the_tiles_size_passes_untouched():
    picture = plain(GREY, 616, 462)
    view_planes(picture)[0][:] = np.random.default_rng(0).integers(16, 235, (462, 616))
    _, planes = Scaler().scale(picture, Rect(16, 158, 616, 462), Fit.COVER)
    assert (planes[0] == view_planes(picture)[0]).all()


@pytest.mark.parametrize("size", [(828, 466), (620, 466), (618, 464)])
def test_what_senders_give_for_a_tile_is_cut_and_not_scaled(size):
    picture = plain(GREY, *size)
    noise = np.random.default_rng(0).integers(16, 235, (size[1], size[0]))
    view_planes(picture)[0][:] = noise
    tile = Rect(16, 156, 616, 464)
    place, planes = Scaler().scale(picture, tile, Fit.COVER)
    left, top = ((size[0] - 616) // 2) & ~1, ((size[1] - 464) // 2) & ~1
    assert place == tile
    assert (planes[0] == noise[top : top + 464, left : left + 616]).all()


def test_a_full_range_picture_is_brought_to_limited_range():
    picture = av.VideoFrame(640, 480, "yuvj420p")
    for plane, value in zip(view_planes(picture), (255, 128, 128), strict=True):
        plane[:] = value
    _, planes = Scaler().scale(picture, Rect(0, 0, 616, 462), Fit.COVER)
    assert planes[0][100, 100] == pytest.approx(235, abs=1)


def test_round_corners_show_the_artwork_and_have_soft_edges(tmp_path):
    made = Composer(draw_artwork(write_theme(tmp_path, TWO_TILES), CAPTION, (320, 180)))
    canvas = made.compose({"proposition": live(plain(RED)), "opposition": live(plain(RED))})
    grey = to_planes(np.full((2, 2, 4), (128, 128, 128, 255), np.uint8))[0][0, 0]
    y = view_planes(canvas)[0]
    assert y[40, 0] == y[159, 0] == y[40, 159] == grey
    assert y[40, 160] == RED[0], "a tile without rx is square"
    assert y[46, 5] not in {grey, RED[0]}, "on the arc: both"
    assert y[60, 20] == RED[0]


def test_what_is_drawn_above_covers_pictures_where_it_has_alpha_and_nothing_else(tmp_path):
    above = (
        '<g data-layer="above"><rect x="140" y="90" width="40" height="20" fill="#ffffff"/>'
        '<rect x="20" y="60" width="20" height="20" fill="#ffffff" fill-opacity="0.5"/>'
        '<rect x="0" y="0" width="10" height="10" fill="#ffffff"/></g>'
    )
    artwork = draw_artwork(write_theme(tmp_path, TWO_TILES + above), CAPTION, (320, 180))
    assert sorted((o.rect.x, o.rect.y, o.rect.width, o.rect.height) for o in artwork.overlays) == [
        (20, 60, 20, 20),
        (140, 90, 20, 20),
        (160, 90, 20, 20),
    ]
    canvas = Composer(artwork).compose(
        {"proposition": live(plain(RED)), "opposition": live(plain(BLUE))}
    )
    assert colour_at(canvas, 150, 100) == colour_at(canvas, 170, 100) == (235, 128, 128)
    assert colour_at(canvas, 4, 4) == (235, 128, 128), "beside the tiles it is in the base"
    half = tuple((a + b) / 2 for a, b in zip(RED, (235, 128, 128), strict=True))
    assert colour_at(canvas, 30, 70) == pytest.approx(half, abs=2)
    assert colour_at(canvas, 60, 100) == RED
    assert colour_at(canvas, 300, 100) == BLUE


def test_contain_leaves_the_artwork_visible_beside_the_picture(tmp_path):
    drawing = TWO_TILES.replace(
        'data-tile="opposition"', 'data-tile="opposition" data-fit="contain"'
    )
    made = Composer(draw_artwork(write_theme(tmp_path, drawing), CAPTION, (320, 180)))
    canvas = made.compose({"opposition": live(plain(RED, 320, 120))})
    assert colour_at(canvas, 240, 100) == RED
    assert colour_at(canvas, 240, 46) == colour_at(canvas, 10, 20)


def test_boxes_hold_everything_and_are_even():
    mask = np.zeros((100, 200), bool)
    for at in ((3, 5), (3, 6), (40, 5), (40, 150), (99, 199)):
        mask[at] = True
    boxes = list(find_boxes(mask, Rect(0, 0, 200, 100)))
    assert all(box.even for box in boxes)
    covered = np.zeros_like(mask)
    for box in boxes:
        covered[box.y : box.bottom, box.x : box.right] = True
    assert (covered | ~mask).all()
    assert len(boxes) == 4


def test_primary_colours_become_their_bt709_values():
    drawn = np.zeros((2, 8, 4), np.uint8)
    drawn[:, 0:2], drawn[:, 2:4] = (255, 0, 0, 255), (0, 0, 255, 255)
    drawn[:, 4:6], drawn[:, 6:8] = (255, 255, 255, 255), (255, 255, 255, 0)
    y, u, v = to_planes(drawn)
    assert y[0, ::2].tolist() == [63, 32, 235, 16]
    assert u[0].tolist() == [102, 240, 128, 128]
    assert v[0].tolist() == [240, 118, 128, 128]


@pytest.mark.parametrize("size", [(640, 360), (1920, 1080), (720, 1280), (426, 240)])
def test_the_classic_theme_fits_other_canvases(size):
    canvas = Composer(classic(*size)).compose({"proposition": live(plain(RED))})
    assert (canvas.width, canvas.height) == size
    unit = min(size[0] / 1280, size[1] / 720)
    left, top = (size[0] - 1280 * unit) / 2, (size[1] - 720 * unit) / 2
    assert colour_at(canvas, round(left + 300 * unit), round(top + 400 * unit)) == RED
