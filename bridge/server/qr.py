"""QR codes of links, for a terminal and for a page. Links hold secrets: never log what is here."""

from itertools import groupby
from typing import Final, TypedDict

import segno

_QUIET: Final = 4
"""Light modules around a code (ISO/IEC 18004, 9.1)."""
_LIGHT_ON_DARK: Final = "\x1b[97;40m"
_PLAIN: Final = "\x1b[0m"
_HALVES: Final = {(1, 1): " ", (0, 1): "▀", (1, 0): "▄", (0, 0): "█"}


class QrDrawing(TypedDict):
    """An SVG path of the dark modules, in a square of `size` units that includes the quiet zone."""

    size: int
    path: str


def drawing(text: str) -> QrDrawing:
    """Return a code as a path for `<svg viewBox="0 0 size size">`."""
    rows = _modules(text, _QUIET)
    strokes = [
        f"M{x} {y}h{width}v1h-{width}z"
        for y, row in enumerate(rows)
        for x, width in _dark_runs(row)
    ]
    return {"size": len(rows), "path": "".join(strokes)}


def for_terminal(text: str) -> str:
    """Return a code in half blocks, two rows of modules to a line.

    It brings its own colours: as the terminal's, it would be inverted on a light background.
    """
    rows = _modules(text, _QUIET // 2)
    if len(rows) % 2:
        rows.append([0] * len(rows))
    lines = [
        "".join(_HALVES[pair] for pair in zip(upper, lower, strict=True))
        for upper, lower in zip(rows[::2], rows[1::2], strict=True)
    ]
    return "".join(f"{_LIGHT_ON_DARK}{line}{_PLAIN}\n" for line in lines)


def _modules(text: str, border: int) -> list[list[int]]:
    """Return rows of 0 (light) and 1 (dark), with a quiet zone of `border` modules."""
    code = segno.make(text, error="m", micro=False)
    return [[int(module) for module in row] for row in code.matrix_iter(border=border)]


def _dark_runs(row: list[int]) -> list[tuple[int, int]]:
    """Return start and length of each run of dark modules."""
    runs, x = [], 0
    for dark, group in groupby(row):
        width = len(list(group))
        if dark:
            runs.append((x, width))
        x += width
    return runs
