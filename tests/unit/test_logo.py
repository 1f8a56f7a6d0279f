"""A sponsor's logo is a picture, and a small one."""

import base64

import pytest

from bridge.broadcast.logo import read_logo
from bridge.errors import SettingsError

PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)


def test_a_picture_becomes_an_address_that_holds_it(tmp_path):
    path = tmp_path / "logo.txt"
    path.write_bytes(PNG)
    head, _, data = read_logo(path).partition(",")
    assert head == "data:image/png;base64"
    assert base64.b64decode(data) == PNG


@pytest.mark.parametrize("data", [b"", b"<svg/>", b"GIF89a", PNG + bytes(300_000)])
def test_what_is_no_small_picture_is_refused_in_words(tmp_path, data):
    path = tmp_path / "logo.png"
    path.write_bytes(data)
    with pytest.raises(SettingsError, match="PNG, JPEG or WebP"):
        read_logo(path)


def test_a_logo_that_is_not_there_is_named(tmp_path):
    with pytest.raises(SettingsError, match="BRIDGE_LOGO"):
        read_logo(tmp_path / "none.png")
