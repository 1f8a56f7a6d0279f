"""Widths of text, from the fonts' own tables (OpenType 1.9: cmap, head, hhea, hmtx).

The rasteriser tells nobody how wide a line will be, so lines are broken here. Kerning is not
counted: in Inter it makes lines narrower almost always, and `_SAFETY` covers the rest.
"""

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bridge.errors import SetupError

_SAFETY: Final = 1.01
_UNKNOWN_EM: Final = 1.05
"""Width of a character that the font lacks and another one will draw: a CJK square, about."""


@dataclass(frozen=True, slots=True)
class Font:
    """The advance widths of one font file."""

    path: Path
    units_per_em: int
    advances: dict[int, int]
    """By Unicode code point, in font units."""

    def width(self, text: str, size: float, *, spacing: float = 0.0) -> float:
        """Return the width of one line, in pixels, with `spacing` pixels after each character."""
        fallback = round(_UNKNOWN_EM * self.units_per_em)
        units = sum(self.advances.get(ord(character), fallback) for character in text)
        return units / self.units_per_em * size * _SAFETY + spacing * len(text)

    def covers(self, text: str) -> bool:
        """Whether every character has a glyph here."""
        return all(ord(character) in self.advances for character in text)


def load_font(path: Path) -> Font:
    """Read a font file. Raises SetupError when it is missing or not what it should be."""
    try:
        data = path.read_bytes()
        tables = _tables(data)
        (units_per_em,) = struct.unpack_from(">H", data, tables["head"] + 18)
        (metrics,) = struct.unpack_from(">H", data, tables["hhea"] + 34)
        by_glyph = [
            struct.unpack_from(">H", data, tables["hmtx"] + 4 * glyph)[0]
            for glyph in range(metrics)
        ]
        glyphs = _characters(data, tables["cmap"])
    except (OSError, struct.error, KeyError) as error:
        message = f"The font {path} cannot be read. Restore web/fonts from the repository."
        raise SetupError(message) from error
    # Glyphs beyond the table share its last width.
    advances = {code: by_glyph[min(glyph, metrics - 1)] for code, glyph in glyphs.items()}
    return Font(path, units_per_em, advances)


def _tables(data: bytes) -> dict[str, int]:
    """Where each table begins."""
    (count,) = struct.unpack_from(">H", data, 4)
    records = (struct.unpack_from(">4sIII", data, 12 + 16 * number) for number in range(count))
    return {tag.decode("ascii"): offset for tag, _, offset, _ in records}


def _characters(data: bytes, cmap: int) -> dict[int, int]:
    """Glyph by code point, from the subtable of format 12, which Inter has; or 4."""
    (count,) = struct.unpack_from(">H", data, cmap + 2)
    subtables = {}
    for number in range(count):
        (offset,) = struct.unpack_from(">I", data, cmap + 8 + 8 * number)
        (kind,) = struct.unpack_from(">H", data, cmap + offset)
        subtables[kind] = cmap + offset
    if 12 in subtables:
        return _segmented_coverage(data, subtables[12])
    return _segment_mapping(data, subtables[4])


def _segmented_coverage(data: bytes, at: int) -> dict[int, int]:
    """Format 12."""
    (count,) = struct.unpack_from(">I", data, at + 12)
    glyphs: dict[int, int] = {}
    for number in range(count):
        first, last, glyph = struct.unpack_from(">III", data, at + 16 + 12 * number)
        glyphs |= {code: glyph + code - first for code in range(first, last + 1)}
    return glyphs


def _segment_mapping(data: bytes, at: int) -> dict[int, int]:
    """Format 4: the Basic Multilingual Plane."""
    (doubled,) = struct.unpack_from(">H", data, at + 6)
    count = doubled // 2
    ends = struct.unpack_from(f">{count}H", data, at + 14)
    starts = struct.unpack_from(f">{count}H", data, at + 16 + doubled)
    deltas = struct.unpack_from(f">{count}h", data, at + 16 + 2 * doubled)
    offsets_at = at + 16 + 3 * doubled
    offsets = struct.unpack_from(f">{count}H", data, offsets_at)
    glyphs = {}
    for number, (start, end, delta, offset) in enumerate(
        zip(starts, ends, deltas, offsets, strict=True)
    ):
        for code in range(start, min(end, 0xFFFE) + 1):
            glyph = code
            if offset:
                place = offsets_at + 2 * number + offset + 2 * (code - start)
                (glyph,) = struct.unpack_from(">H", data, place)
            if glyph or not offset:
                glyph = (glyph + delta) & 0xFFFF
            if glyph:
                glyphs[code] = glyph
    return glyphs
