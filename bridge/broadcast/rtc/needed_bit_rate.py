"""How many bits a debater's tiles are worth. Pure."""

from collections.abc import Iterable
from typing import Final

_FULL: Final = 2_500_000
"""Bits per second: 1280x720 VP8 of a talking head without visible loss."""
_FULL_PIXELS: Final = 1280 * 720
_EXPONENT: Final = 0.75
"""Half the pixels need more than half the bits: what is left is edges (the usual rule)."""
_LEAST: Final = 350_000
_SOUND: Final = 64_000
_HEADROOM: Final = 1.15
"""For what is sent again, and for headers."""


def needed_bit_rate(tiles: Iterable[tuple[int, int]]) -> int:
    """Return bits per second for pictures that fill tiles of these widths and heights, and sound.

    A picture of 16:9 that covers a tile is larger than it: what is cut off is sent as well.
    """
    pictures = sum(_picture(width, height) for width, height in tiles)
    return round((max(pictures, _LEAST) + _SOUND) * _HEADROOM)


def _picture(width: int, height: int) -> float:
    covering = max(width, height * 16 / 9) * max(height, width * 9 / 16)
    share: float = min(1.0, covering / _FULL_PIXELS) ** _EXPONENT
    return max(_LEAST, _FULL * share)
