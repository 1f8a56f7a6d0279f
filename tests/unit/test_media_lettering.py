"""Text always fits its room."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.broadcast.media.caption import clean, initials
from bridge.broadcast.media.fonts import load_font
from bridge.broadcast.media.lettering import TextBox, letter
from bridge.errors import SetupError
from bridge.settings import web_folder

FONT = load_font(web_folder() / "fonts" / "Inter-SemiBold.otf")
MOTION = TextBox(width=1180, height=96, largest=42, smallest=22, leading=1.17)
NAME = TextBox(width=548, height=40, largest=31, smallest=17)


@given(st.text(max_size=200), st.sampled_from([MOTION, NAME]))
def test_any_text_of_200_characters_stays_inside(text, box):
    set_text = letter(clean(text), box, FONT)
    assert set_text.height <= box.height
    assert box.smallest <= set_text.size <= box.largest
    assert all(FONT.width(line, set_text.size) <= box.width for line in set_text.lines)


@given(st.text(alphabet="abcdefghij klmnop", max_size=100))
def test_what_fits_is_not_changed(text):
    assert str(letter(clean(text), MOTION, FONT)) == clean(text)


def test_a_short_motion_is_one_large_line():
    assert letter("Cats are better than dogs", MOTION, FONT).lines == ("Cats are better than dogs",)
    assert letter("Cats are better than dogs", MOTION, FONT).size == 42


def test_a_motion_of_two_lines_is_balanced():
    motion = "This house believes that democracies should ban anonymous accounts on social media"
    first, second = letter(motion, MOTION, FONT).lines
    assert abs(FONT.width(first, 42) - FONT.width(second, 42)) < 0.3 * FONT.width(first, 42)


def test_a_word_without_end_is_cut_in_pieces():
    set_text = letter("x" * 200, NAME, FONT)
    assert len(set_text.lines) == 1
    assert set_text.lines[0].endswith("…")


@pytest.mark.parametrize("text", ["Zoë Ångström", "Ελένη Παπαδοπούλου", "Александра", "Łódź ß ñ ő"])
def test_the_bundled_font_has_the_letters_of_europe(text):
    assert FONT.covers(text)


def test_widths_come_from_the_font():
    assert FONT.width("iiii", 40) < FONT.width("mmmm", 40) / 2
    assert FONT.width("李", 40) >= 40, "a character that the font lacks is taken to be a square"
    assert not FONT.covers("李")


def test_a_missing_font_is_said_to_be_missing(tmp_path):
    with pytest.raises(SetupError, match=r"Inter-None\.otf cannot be read"):
        load_font(tmp_path / "Inter-None.otf")
    broken = tmp_path / "broken.otf"
    broken.write_bytes(b"OTTO\0\1" + bytes(20))
    with pytest.raises(SetupError, match="broken"):
        load_font(broken)


def test_control_characters_and_line_breaks_become_spaces():
    assert clean("a\x00b\n\tc\ud800d\x1b") == "a b c d"


@pytest.mark.parametrize(
    ("name", "letters"),
    [("Ada King Lovelace", "AL"), ("plato", "P"), ("", ""), ("李小龍", "李"), ("— (x)", "")],
)
def test_initials(name, letters):
    assert initials(name) == letters
