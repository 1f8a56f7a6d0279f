"""Themes: drawn by people, so every mistake is named. And what the classic one looks like."""

import numpy as np
import pytest

from bridge.broadcast.media.caption import Caption
from bridge.broadcast.media.fonts import load_font
from bridge.broadcast.media.raster import rasterise
from bridge.broadcast.media.sources import SourceStatus, SourceView
from bridge.broadcast.media.theme import Theme, load_theme
from bridge.errors import ThemeError
from bridge.settings import web_folder
from tests.component.media_builders import (
    CAPTION,
    GREY,
    SIDE_BY_SIDE,
    Composer,
    classic,
    draw_artwork,
    plain,
    write_theme,
)

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
        (LEFT + RIGHT + '<g data-layer="below"/>', 'a layer is "above" or "live"'),
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
        load_theme("baroque", web_folder())


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
    svg = Theme(web_folder() / "themes" / "classic", web_folder() / "fonts").draw(
        SIDE_BY_SIDE, caption
    )
    assert "&lt;/text&gt;&lt;rect data-tile=&#34;x&#34;/&gt; &amp;" in svg
    assert "&lt;b&gt;Ada&lt;/b&gt; &amp; Co" in svg
    assert "{{ width }}" in svg
    classic(caption=caption)


def test_the_live_badge_is_there_only_on_air():
    on_air = Composer(classic())
    rehearsal = Composer(
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
    written = _rgb(Composer(classic(caption=caption))).astype(int)
    blank = Caption(motion="", names={"proposition": " . ", "opposition": " . "})
    empty = _rgb(Composer(classic(caption=blank))).astype(int)
    changed = np.abs(written - empty).max(axis=2) > 24
    changed[156:620] = False
    columns = np.flatnonzero(changed.any(axis=0))
    assert columns.min() >= 16 + 20
    assert columns.max() < 1264 - 20
    assert not changed[149:155].any()
    assert not changed[700:].any()


def _rgb(compositor: Composer) -> np.ndarray:
    view = SourceView(SourceStatus.LIVE, plain(GREY))
    canvas = compositor.compose({"proposition": view, "opposition": view})
    rgb = canvas.to_ndarray(format="rgb24")
    assert rgb.shape == (720, 1280, 3)
    return rgb.astype(np.uint8)
