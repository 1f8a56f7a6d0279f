"""QR codes: what is drawn is what the encoder made, with its quiet zone."""

import re

import pytest
import segno

from bridge.server.qr import drawing, for_terminal

LINKS = ["https://192.168.1.7:8080", "https://[fd00::5]:8443/debate/a#" + "token." * 20]


def modules(text: str, border: int):
    return [
        list(map(int, row))
        for row in segno.make(text, error="m", micro=False).matrix_iter(border=border)
    ]


@pytest.mark.parametrize("link", LINKS)
def test_the_path_fills_exactly_the_dark_modules(link):
    drawn = drawing(link)
    canvas = [[0] * drawn["size"] for _ in range(drawn["size"])]
    strokes = re.findall(r"M(\d+) (\d+)h(\d+)v1h-(\d+)z", drawn["path"])
    assert "".join(f"M{x} {y}h{w}v1h-{v}z" for x, y, w, v in strokes) == drawn["path"]
    for x, y, width, back in strokes:
        assert width == back
        for column in range(int(x), int(x) + int(width)):
            canvas[int(y)][column] = 1
    assert canvas == modules(link, 4)


@pytest.mark.parametrize("link", LINKS)
def test_the_terminal_shows_light_modules_as_blocks(link):
    lines = [re.sub(r"\x1b\[[\d;]*m", "", line) for line in for_terminal(link).splitlines()]
    dark = {" ": (1, 1), "▀": (0, 1), "▄": (1, 0), "█": (0, 0)}
    rows = []
    for line in lines:
        halves = [dark[character] for character in line]
        rows += [[upper for upper, _ in halves], [lower for _, lower in halves]]
    expected = modules(link, 2)
    assert rows[: len(expected)] == expected
    assert all(module == 0 for row in rows[len(expected) :] for module in row)


def test_the_terminals_own_colours_do_not_matter():
    assert all(
        line.startswith("\x1b[97;40m") and line.endswith("\x1b[0m")
        for line in for_terminal(LINKS[0]).splitlines()
    )
