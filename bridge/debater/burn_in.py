"""The clock that is part of the picture: digits for people, a barcode for tests.

Both show UTC wall time and change with every frame. The panel under them has no colour, so that
only luma is written.
"""

from typing import Final

import numpy as np

from bridge.debater.barcode import CELLS, ROWS, encode_barcode
from bridge.debater.canvas import Canvas, Plane, rasterise
from bridge.debater.face import CLOCK_BACKGROUND, CLOCK_BOX, Box

_CELL_PIXELS: Final = 11
_ROW_PIXELS: Final = 10
BARCODE_BOX: Final = Box(
    CLOCK_BOX.left + (CLOCK_BOX.width - CELLS * _CELL_PIXELS) // 2,
    CLOCK_BOX.top + 6,
    CELLS * _CELL_PIXELS,
    ROWS * _ROW_PIXELS,
)
"""Where the two rows are in a 640x360 picture. In the middle 352 columns: any crop keeps it."""

_GLYPHS: Final = "0123456789:."
_GLYPH_WIDTH: Final = 16
_GLYPH_HEIGHT: Final = 28
_SECONDS_PER_DAY: Final = 86_400


class BurnIn:
    """Paints the clock. Making one rasterises the digits; painting costs some 30 microseconds."""

    def __init__(self, fps: int) -> None:
        self._fps = fps
        luma = rasterise(_glyph_sheet(), text=True).y
        self._glyphs: dict[str, Plane] = {
            glyph: luma[:, index * _GLYPH_WIDTH : (index + 1) * _GLYPH_WIDTH]
            for index, glyph in enumerate(_GLYPHS)
        }

    def paint(self, canvas: Canvas, wall: float) -> None:
        """Write `wall` (seconds since the epoch) into the panel of `canvas`."""
        microseconds = round(wall * 1e6)
        strip = encode_barcode(microseconds // 1000)
        canvas.cut(BARCODE_BOX)[:] = np.repeat(
            np.repeat(strip, _CELL_PIXELS, axis=1), _ROW_PIXELS, axis=0
        )
        text = clock_text(microseconds, self._fps)
        left = CLOCK_BOX.left + (CLOCK_BOX.width - len(text) * _GLYPH_WIDTH) // 2
        top = BARCODE_BOX.top + BARCODE_BOX.height + 2
        for glyph in text:
            canvas.luma[top : top + _GLYPH_HEIGHT, left : left + _GLYPH_WIDTH] = self._glyphs[glyph]
            left += _GLYPH_WIDTH


def clock_text(microseconds: int, fps: int) -> str:
    """Time of day in UTC as hours, minutes, seconds and the frame within the second."""
    # Frame 10 of 30 begins at 333 333.3 microseconds: rounded down it would still be frame 9.
    seconds, rest = divmod(microseconds + 1, 1_000_000)
    minutes, second = divmod(seconds % _SECONDS_PER_DAY, 60)
    hour, minute = divmod(minutes, 60)
    return f"{hour:02}:{minute:02}:{second:02}.{rest * fps // 1_000_000:02}"


def _glyph_sheet() -> str:
    width = _GLYPH_WIDTH * len(_GLYPHS)
    letters = "".join(
        f'<text x="{(index + 0.5) * _GLYPH_WIDTH}" y="22" text-anchor="middle" fill="#fff" '
        f'font-family="Inter" font-weight="600" font-size="23">{glyph}</text>'
        for index, glyph in enumerate(_GLYPHS)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{_GLYPH_HEIGHT}">'
        f'<rect width="100%" height="100%" fill="{CLOCK_BACKGROUND}"/>{letters}</svg>'
    )
