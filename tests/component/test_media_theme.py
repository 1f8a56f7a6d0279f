"""Themes: drawn by people, so every mistake is named. And what the classic one looks like."""

from pathlib import Path

import numpy as np
import pytest

from bridge.broadcast.media.artwork import draw_artwork, rasterise
from bridge.broadcast.media.compositor import Compositor
from bridge.broadcast.media.fonts import load_font
from bridge.broadcast.media.sources import SourceStatus, SourceView
from bridge.broadcast.media.stage import draw_side_by_side
from bridge.broadcast.media.theme import Caption, Theme
from bridge.errors import ThemeError
from bridge.settings import web_folder
from tests.component.media_builders import (
    CAPTION,
    GREY,
    classic,
    plain,
    read_png,
    write_png,
    write_theme,
)

GOLDEN = Path(__file__).with_name("media_classic_golden.png")
LEFT = '<rect data-tile="proposition" x="0" y="0" width="160" height="90"/>'
RIGHT = '<rect data-tile="opposition" x="160" y="0" width="160" height="90"/>'


@pytest.mark.parametrize(
    ("drawing", "complaint"),
    [
        (LEFT, 'theme.svg has no <rect data-tile="opposition">'),
        (LEFT + LEFT + RIGHT, 'tile "proposition" is there twice'),
        (LEFT + RIGHT + LEFT.replace("proposition", "moderator"),
         'tile "moderator" overlaps tile "proposition"'),
        (LEFT + RIGHT + LEFT.replace("proposition", "host").replace('y="0"', 'y="90"'),
         '<rect data-tile="host"> is for a side that theme.toml does not name'),
        (LEFT + RIGHT.replace('width="160"', 'width="200"'), 'tile "opposition" does not lie'),
        (LEFT + RIGHT.replace('width="160"', 'width="wide"'),
         '<rect data-tile="opposition">: x, y, width, height and rx must be plain numbers'),
        (LEFT + RIGHT.replace('width="160"', 'width="nan"'),
         '<rect data-tile="opposition">: x, y, width, height and rx must be plain numbers'),
        (LEFT + RIGHT.replace("<rect", '<rect data-fit="stretch"'),
         'data-fit="stretch" is neither cover nor contain'),
        (LEFT + RIGHT.replace("<rect", '<rect transform="scale(2)"'), "without a transform"),
        (LEFT + RIGHT.replace("<rect", "<circle"),
         '<circle data-tile="opposition"> must be a <rect>'),
        (LEFT + f"<g>{RIGHT}</g>", '<rect data-tile="opposition"> must be a child of <svg> itself'),
        (LEFT + RIGHT + '<g data-layer="below"/>', 'the only layer is "above"'),
        (LEFT + RIGHT + "<g>", "not well-formed"),
        (LEFT + RIGHT + "{{ nobody }}", "theme.svg: 'nobody' is undefined"),
        (LEFT + RIGHT + "{% if %}", "theme.svg line 1"),
    ],
)  # fmt: skip
def test_a_theme_that_cannot_be_used_names_the_element(tmp_path, drawing, complaint):
    with pytest.raises(ThemeError) as caught:
        draw_artwork(write_theme(tmp_path, drawing), CAPTION, (320, 180))
    assert complaint in caught.value.message


def test_a_theme_needs_a_view_box(tmp_path):
    theme = write_theme(tmp_path, LEFT + RIGHT)
    (tmp_path / "theme.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg"/>')
    with pytest.raises(ThemeError, match="viewBox of four numbers"):
        draw_artwork(theme, CAPTION, (320, 180))


def test_a_theme_without_slates_is_refused(tmp_path):
    theme = write_theme(tmp_path, LEFT + RIGHT)
    (tmp_path / "slate.svg").unlink()
    with pytest.raises(ThemeError, match=r"slate\.svg is missing"):
        draw_artwork(theme, CAPTION, (320, 180))


def test_an_unknown_theme_is_named():
    with pytest.raises(ThemeError, match='no theme "baroque"'):
        draw_side_by_side(
            theme="baroque", web=web_folder(), caption=CAPTION, width=1280, height=720
        )


def test_a_manifest_with_a_wrong_colour_is_named(tmp_path):
    write_theme(tmp_path, LEFT + RIGHT)
    toml = (tmp_path / "theme.toml").read_text("utf-8").replace("#0f766e", "teal")
    (tmp_path / "theme.toml").write_text(toml, "utf-8")
    with pytest.raises(ThemeError, match=r"sides\.proposition\.colour"):
        Theme(tmp_path, web_folder() / "fonts")


def test_markup_in_motion_and_names_is_text():
    caption = Caption(
        motion='</text><rect data-tile="x"/> & "quotes" ]]>',
        names={"proposition": "<b>Ada</b> & Co", "opposition": "{{ width }}\x00\x1b"},
    )
    svg = Theme(web_folder() / "themes" / "classic", web_folder() / "fonts").draw(caption)
    assert "&lt;/text&gt;&lt;rect data-tile=&#34;x&#34;/&gt; &amp;" in svg
    assert "&lt;b&gt;Ada&lt;/b&gt; &amp; Co" in svg
    assert "{{ width }}" in svg
    classic(caption=caption)


def test_the_live_badge_is_there_only_on_air():
    on_air = Compositor(classic())
    rehearsal = Compositor(
        classic(caption=Caption(motion=CAPTION.motion, names=CAPTION.names, on_air=False))
    )
    difference = _rgb(on_air) != _rgb(rehearsal)
    rows, columns = np.nonzero(difference.any(axis=2))
    assert rows.size > 500
    assert rows.max() < 60
    assert columns.min() > 1150


@pytest.mark.parametrize("weight", ["Regular", "SemiBold", "Bold"])
@pytest.mark.parametrize("text", ["Hamburgefonstiv", "Ελένη Ωμέγα", "Жёлтый щит", "WAVA To. Yö Å"])
def test_measured_widths_hold_what_is_drawn(weight, text):
    font = load_font(web_folder() / "fonts" / f"Inter-{weight}.otf")
    number = {"Regular": 400, "SemiBold": 600, "Bold": 700}[weight]
    svg = (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 900 100" width="900" height="100">'
        f'<text x="10" y="60" font-family="Inter" font-size="40" font-weight="{number}">'
        f"{text}</text></svg>"
    )
    fonts = [web_folder() / "fonts" / f"Inter-{w}.otf" for w in ("Regular", "SemiBold", "Bold")]
    alpha = rasterise(svg, fonts, only_bundled=True)[..., 3]
    drawn = np.flatnonzero(alpha.any(axis=0))
    width = drawn[-1] - drawn[0] + 1
    assert width <= font.width(text, 40) + 2
    assert width >= 0.85 * font.width(text, 40)


@pytest.mark.parametrize(
    "caption",
    [
        CAPTION,
        Caption(motion="W" * 200, names={"proposition": "W" * 80, "opposition": "Ж" * 80}),
        Caption(motion="wide words " * 18, names={"proposition": "Ω " * 60, "opposition": "i"}),
    ],
)
def test_no_text_touches_a_tile_or_the_edge(caption):
    """Compared with a drawing without words, only the rooms for words may differ."""
    written = _rgb(Compositor(classic(caption=caption))).astype(int)
    blank = Caption(motion="", names={"proposition": " . ", "opposition": " . "})
    empty = _rgb(Compositor(classic(caption=blank))).astype(int)
    changed = np.abs(written - empty).max(axis=2) > 24
    changed[156:620] = False
    columns = np.flatnonzero(changed.any(axis=0))
    assert columns.min() >= 16 + 20
    assert columns.max() < 1264 - 20
    assert not changed[149:155].any()
    assert not changed[700:].any()


def test_the_classic_theme_looks_as_it_was_approved(tmp_path):
    """Delete the golden picture to make a new one; look at it before it is committed."""
    compositor = Compositor(classic(640, 360))
    canvas = compositor.compose({"proposition": SourceView(SourceStatus.LIVE, plain(GREY))})
    if not GOLDEN.exists():
        write_png(canvas, GOLDEN)
        pytest.fail(f"{GOLDEN.name} was missing and has been written: look at it, then run again")
    write_png(canvas, tmp_path / "now.png")
    golden, now = read_png(GOLDEN).astype(int), read_png(tmp_path / "now.png").astype(int)
    difference = np.abs(golden - now).max(axis=2)
    assert difference.mean() < 0.5
    assert (difference > 32).mean() < 0.001


def _rgb(compositor: Compositor) -> np.ndarray:
    view = SourceView(SourceStatus.LIVE, plain(GREY))
    canvas = compositor.compose({"proposition": view, "opposition": view})
    rgb = canvas.to_ndarray(format="rgb24")
    assert rgb.shape == (720, 1280, 3)
    return rgb.astype(np.uint8)
