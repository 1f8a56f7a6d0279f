"""What a theme that somebody sent may not do, and that the programme outlives it."""

import asyncio
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from bridge.broadcast.media.artist import Artist
from bridge.broadcast.media.caption import Caption
from bridge.broadcast.media.scene import SceneKey, SceneName
from bridge.broadcast.media.studio_order import Commission, pack, unpack
from bridge.errors import ThemeError
from bridge.settings import web_folder
from tests.component.media_builders import CAPTION, SIDE_BY_SIDE, draw_artwork, write_theme
from tests.component.media_builders import drawing as draw

TILES = "".join(
    f'<rect data-tile="{side}" x="{160 * n}" y="0" width="160" height="90"/>'
    for n, side in enumerate(("proposition", "opposition"))
)


@pytest.mark.parametrize(
    ("drawing", "complaint"),
    [
        ('<image href="/etc/passwd"/>', '<image href="/etc/passwd">'),
        ('<image href="file:///etc/passwd"/>', '<image href="file:///etc/passwd">'),
        ('<image xmlns:xlink="http://www.w3.org/1999/xlink" xlink:href="../x.png"/>', "../x.png"),
        ('<image href="https://example.net/x.png"/>', "https://example.net/x.png"),
        ('<image href="data:image/svg+xml,%3Csvg/%3E"/>', "data:image/svg+xml"),
        ('<use href="other.svg#x"/>', '<use href="other.svg#x">'),
        ('<filter id="f"><feImage href="/etc/hostname"/></filter>', "<feImage href="),
        ('<style>@import url("http://example.net/x.css");</style>', "<style> names an address"),
        ('<rect fill="url(http://example.net/x#y)"/>', "<rect> names an address"),
        ("<rect style=\"fill: url( '/etc/passwd' )\"/>", "<rect> names an address"),
        ("{% include '/etc/passwd' %}", "/etc/passwd is missing"),
        ("{% include '../classic/theme.svg' %}", "is missing"),
        ("{{ ''.__class__.__mro__ }}", "unsafe"),
        ("{{ sides.items.__func__ }}", "theme.svg"),
        ("{% set _ = sides.update({}) %}", "unsafe"),
        ("{{ 'x' * 100000000 }}", "sensible size"),
        ("{{ 10 ** 100000000 }}", "sensible size"),
        ("{{ '%99999999d' % 1 }}", "sensible size"),
        ("{% for i in range(100000000) %}x{% endfor %}", "Range too big"),
        ("{% for i in range(90000) %}<g></g>{% endfor %}", "too many elements"),
        ("{% for i in range(90000) %}<!-- 01234567890123456789012345 -->{% endfor %}", "2 MiB"),
        ("{% for i in range(200) %}<g>{% endfor %}{% for i in range(200) %}</g>{% endfor %}",
         "too many elements"),
        ("{{ motion | fit(0, 10, 10, 5) }}", "fit: sizes"),
        ("{{ motion | fit(10, 10, 10, 5, weight='Heavy') }}", 'weight="Heavy"'),
        ("{{ 1 / 0 }}", "division by zero"),
        ('<svg data-layer="live" x="300" width="90" height="20"/>', "inside the canvas"),
        ('<g data-layer="live"/>', "must be an <svg>"),
    ],
)  # fmt: skip
def test_what_is_outside_the_drawing_is_refused_and_named(tmp_path, drawing, complaint):
    with pytest.raises(ThemeError) as caught:
        draw_artwork(write_theme(tmp_path, TILES + drawing), CAPTION, (320, 180))
    assert complaint in caught.value.message


@pytest.mark.parametrize("head", ["<!DOCTYPE svg>", '<!DOCTYPE svg [<!ENTITY a "aaaa">]>'])
def test_document_types_and_entities_are_refused(tmp_path, head):
    theme = write_theme(tmp_path, TILES)
    text = (tmp_path / "theme.svg").read_text("utf-8")
    (tmp_path / "theme.svg").write_text(head + text, "utf-8")
    with pytest.raises(ThemeError, match="document type"):
        draw_artwork(theme, CAPTION, (320, 180))


def test_a_template_that_is_a_link_to_another_file_is_not_read(tmp_path):
    theme = write_theme(tmp_path, TILES)
    secret = tmp_path.parent / "secret.svg"
    secret.write_text("<svg/>", "utf-8")
    (tmp_path / "theme.svg").unlink()
    (tmp_path / "theme.svg").symlink_to(secret)
    with pytest.raises(ThemeError, match=r"theme\.svg is missing"):
        draw_artwork(theme, CAPTION, (320, 180))


def test_a_template_that_is_too_large_is_not_read(tmp_path):
    theme = write_theme(tmp_path, TILES + "<!--" + "x" * 600_000 + "-->")
    with pytest.raises(ThemeError, match="larger than 512 KiB"):
        draw_artwork(theme, CAPTION, (320, 180))


def test_pictures_inside_the_drawing_are_allowed(tmp_path):
    dot = (
        "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8Dwn"
        "wAFBQIAX8jx0gAAAABJRU5ErkJggg=="
    )
    theme = write_theme(tmp_path, TILES + f'<image href="{dot}" width="9" height="9"/>')
    draw_artwork(theme, CAPTION, (320, 180))


def own_theme(tmp_path: Path, drawing: str) -> Commission:
    web = tmp_path / "web"
    (web / "themes" / "own").mkdir(parents=True)
    (web / "fonts").symlink_to(web_folder() / "fonts")
    (web / "themes" / "classic").symlink_to(web_folder() / "themes" / "classic")
    write_theme(web / "themes" / "own", drawing)
    return Commission(theme="own", web=web, width=320, height=180)


async def test_a_child_draws_what_would_be_drawn_here():
    artist = Artist(Commission(theme="classic", web=web_folder(), width=640, height=360))
    try:
        drawn = await artist.draw(SIDE_BY_SIDE, CAPTION)
        again = await artist.draw(SIDE_BY_SIDE, CAPTION)
    finally:
        await artist.close()
    here = draw(SIDE_BY_SIDE, CAPTION, (640, 360))
    assert drawn.artwork is not None
    assert here.artwork is not None
    assert drawn.artwork.scene == here.artwork.scene
    for plane, same in zip(drawn.artwork.base, here.artwork.base, strict=True):
        assert (plane == same).all()
    assert again.artwork is None, "nothing has changed"


async def test_a_scene_that_a_theme_lacks_is_the_classic_one(tmp_path):
    artist = Artist(own_theme(tmp_path, TILES))
    try:
        drawn = await artist.draw(SceneKey(SceneName.SPEAKER, "opposition"), CAPTION)
    finally:
        await artist.close()
    assert drawn.artwork is not None
    assert [tile.source for tile in drawn.artwork.scene.tiles] == ["opposition", "proposition"]


async def test_a_mistake_is_told_and_the_same_child_goes_on(tmp_path):
    artist = Artist(own_theme(tmp_path, TILES + "{% if note %}{{ nobody }}{% endif %}"))
    try:
        for _ in range(2):
            await artist.draw(SIDE_BY_SIDE, CAPTION)
            before = children()
            with pytest.raises(ThemeError, match="'nobody' is undefined"):
                await artist.draw(SIDE_BY_SIDE, _noted())
            assert children() == before
    finally:
        await artist.close()


@pytest.mark.parametrize(
    "stall",
    [
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
        "{{ '%999999999d' | format(1) }}{{ '%999999999d' | format(1) }}",
    ],
)
async def test_a_theme_that_takes_too_long_or_too_much_is_stopped(tmp_path, stall):
    artist = Artist(
        own_theme(tmp_path, TILES + "{% if note %}" + stall + "{% endif %}"), deadline=3
    )
    try:
        begin = time.monotonic()
        with pytest.raises(ThemeError):
            await artist.draw(SIDE_BY_SIDE, _noted())
        assert time.monotonic() - begin < 20
        drawn = await artist.draw(SIDE_BY_SIDE, CAPTION)
    finally:
        await artist.close()
    assert drawn.artwork is not None, "another child draws all anew"


async def test_a_child_that_dies_is_replaced():
    artist = Artist(Commission(theme="classic", web=web_folder(), width=320, height=180))
    try:
        await artist.draw(SIDE_BY_SIDE, CAPTION)
        for child in children():
            assert set(child.environ()) <= {"LANG", "LC_CTYPE"}
            child.kill()
            child.wait()
        with pytest.raises(ThemeError, match="has died"):
            await artist.draw(SIDE_BY_SIDE, CAPTION)
        assert (await artist.draw(SIDE_BY_SIDE, CAPTION)).artwork is not None
    finally:
        await artist.close()
    assert not children()


async def test_a_machine_that_has_no_process_left_is_an_error_of_the_drawing(monkeypatch):
    artist = Artist(Commission(theme="classic", web=web_folder(), width=320, height=180))

    async def refuse(*_arguments: object, **_options: object) -> None:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    try:
        with monkeypatch.context() as patch:
            patch.setattr(asyncio, "create_subprocess_exec", refuse)
            with pytest.raises(ThemeError):
                await artist.draw(SIDE_BY_SIDE, CAPTION)
        assert (await artist.draw(SIDE_BY_SIDE, CAPTION)).artwork is not None
    finally:
        await artist.close()


def test_an_answer_may_hold_drawings_and_nothing_else():
    assert unpack(pack("wrong")[8:]) == "wrong"
    with pytest.raises(Exception, match=r"holds no (posix|nt)\.system|holds no os\.system"):
        unpack(b"cposix\nsystem\n(S'true'\ntR.")
    with pytest.raises(Exception, match="is no int"):
        unpack(b"I1\n.")


def _noted() -> Caption:
    return replace(CAPTION, note="go")


def children() -> list[psutil.Process]:
    return [
        child
        for child in psutil.Process().children()
        if "bridge.broadcast.media.studio_child" in child.cmdline()
    ]
