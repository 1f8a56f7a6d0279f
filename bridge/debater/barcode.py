"""A number of milliseconds that survives the whole path as a picture.

Two rows of 32 cells: 24 bits of time and their CRC-8, and below it the same inverted. A bit is the
sign of the difference between the rows, so neither brightness nor contrast matters; a small
difference is not believed. Measured (notes/browser.md, section 3): right down to a 160x90 tile at
quantiser 51, and beyond that refused, not misread. CRC-8 still lets one random strip of 256 pass:
who reads a series should also check that it goes on plausibly.
"""

from typing import Any, Final

import numpy as np
import numpy.typing as npt

CELLS: Final = 32
MODULUS: Final = 1 << 24
"""Times are modulo this many milliseconds: 4 h 39 min."""
ROWS: Final = 2

_POLYNOMIAL: Final = 0x07  # CRC-8/SMBUS: x^8 + x^2 + x + 1
_DARK: Final = 24
_LIGHT: Final = 232
_LEAST_DIFFERENCE: Final = 16
"""Of mean luma between a cell and its inverse."""

Luma = npt.NDArray[np.uint8]


def encode_barcode(milliseconds: int) -> Luma:
    """Both rows as luma, one value per cell: shape (2, 32). Enlarge by `np.repeat`."""
    value = milliseconds % MODULUS
    word = value << 8 | _crc8(value)
    bits = (word >> np.arange(CELLS - 1, -1, -1)) & 1
    row = np.where(bits, _LIGHT, _DARK)
    return np.stack([row, _LIGHT + _DARK - row]).astype(np.uint8)


def decode_barcode(luma: npt.NDArray[Any]) -> int | None:
    """Milliseconds modulo 2**24 in a region of luma that holds exactly the two rows, at any size.

    None when a cell cannot be told or the checksum is wrong. At least 32x2 pixels.
    """
    height, width = luma.shape
    if height < ROWS or width < CELLS:
        return None
    upper = _cell_means(luma[: height // 2])
    lower = _cell_means(luma[height - height // 2 :])
    difference = upper - lower
    if np.any(np.abs(difference) <= _LEAST_DIFFERENCE):
        return None
    word = 0
    for bit in difference > 0:
        word = word << 1 | int(bit)
    value, checksum = word >> 8, word & 0xFF
    return value if _crc8(value) == checksum else None


def _cell_means(row: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Mean of the middle of each cell: its rims are smeared by scaling and coding."""
    height, width = row.shape
    margin = height // 4
    middle = row[margin : height - margin].astype(np.float64).mean(axis=0)
    edges = np.linspace(0, width, CELLS + 1)
    rim = (edges[1] - edges[0]) / 4
    starts = np.floor(edges[:-1] + rim).astype(int)
    ends = np.maximum(np.ceil(edges[1:] - rim).astype(int), starts + 1)
    return np.array([middle[a:b].mean() for a, b in zip(starts, ends, strict=True)])


def _crc8(value: int) -> int:
    register = 0
    for byte in value.to_bytes(3, "big"):
        register ^= byte
        for _ in range(8):
            register = (register << 1 ^ (_POLYNOMIAL if register & 0x80 else 0)) & 0xFF
    return register
