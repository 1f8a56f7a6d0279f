"""How many bits a debater's tiles are worth. Pure."""

from collections.abc import Iterable
from typing import Final

_FULL: Final = 2_500_000
"""Bits per second: 1280x720 VP8 of a talking head without visible loss."""
_FULL_PIXELS: Final = 1280 * 720
_EXPONENT: Final = 0.95
"""Between the most that libwebrtc gives a VP8 layer of each size (simulcast.cc): 2500 kb/s at 720
lines, 1200 at 540, 700 at 360, 450 at 270, 200 at 180."""
_LEAST: Final = 350_000
_HIDDEN: Final = 100_000
"""What browsers send of a picture that is not shown (web/static/js/lib/wanted-encoding.js)."""
_SOUND: Final = 64_000
_HEADROOM: Final = 1.15
"""For what is sent again, and for headers."""


def needed_bit_rate(tiles: Iterable[tuple[int, int]], *, hidden: int = 0) -> int:
    """Return bits per second for pictures that fill tiles of these widths and heights, and sound.

    `hidden` counts the pictures that come besides and are not shown.
    """
    pictures = sum(picture_bit_rate(width, height) for width, height in tiles) + hidden * _HIDDEN
    return round((max(pictures, _LEAST) + _SOUND) * _HEADROOM)


def picture_bit_rate(width: int, height: int) -> int:
    """Return bits per second for a picture that fills a tile of this width and height.

    A picture of 16:9 that covers a tile is larger than it: what is cut off is sent as well.
    """
    covering = max(width, height * 16 / 9) * max(height, width * 9 / 16)
    share: float = min(1.0, covering / _FULL_PIXELS) ** _EXPONENT
    return max(_LEAST, round(_FULL * share))
