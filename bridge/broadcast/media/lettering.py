"""Breaks and shrinks text until it fits its box. Pure."""

from dataclasses import dataclass

from bridge.broadcast.media.fonts import Font

_ELLIPSIS = "…"


@dataclass(frozen=True, slots=True, kw_only=True)
class TextBox:
    """Room for text, in the theme's units."""

    width: float
    height: float
    largest: float
    """Font size to begin with."""
    smallest: float
    """Font size below which text is cut, with an ellipsis."""
    leading: float = 1.2
    """Distance of baselines, in font sizes."""
    most_lines: int = 99


@dataclass(frozen=True, slots=True)
class Lettering:
    """Text that fits."""

    lines: tuple[str, ...]
    size: float
    leading: float
    """Distance of baselines, in the theme's units."""

    def __str__(self) -> str:
        return " ".join(self.lines)

    @property
    def height(self) -> float:
        """Of all lines together."""
        return self.leading * len(self.lines)


def letter(text: str, box: TextBox, font: Font) -> Lettering:
    """Set `text` as large as fits, in lines of about the same length."""
    words = text.split()
    size = box.largest
    while size > box.smallest:
        if not any(font.width(word, size) > box.width for word in words):
            lines = _wrap(words, box.width, size, font)
            if len(lines) <= box.most_lines and len(lines) * size * box.leading <= box.height:
                return _balanced(words, lines, size, box, font)
        size = max(box.smallest, size - 1)
    words = [piece for word in words for piece in _break(word, box.width, size, font)]
    lines = _wrap(words, box.width, size, font)
    most = max(1, min(box.most_lines, int(box.height // (size * box.leading))))
    if len(lines) > most:
        lines = [*lines[: most - 1], _cut(" ".join(lines[most - 1 :]), box.width, size, font)]
        return Lettering(tuple(lines), size, size * box.leading)
    return _balanced(words, lines, size, box, font)


def _balanced(
    words: list[str], lines: list[str], size: float, box: TextBox, font: Font
) -> Lettering:
    """Narrow the lines as long as there are not more of them."""
    low, high = box.width / max(1, len(lines)), box.width
    for _ in range(8):
        middle = (low + high) / 2
        attempt = _wrap(words, middle, size, font)
        if len(attempt) <= len(lines) and all(font.width(li, size) <= box.width for li in attempt):
            high, lines = middle, attempt
        else:
            low = middle
    return Lettering(tuple(lines), size, size * box.leading)


def _wrap(words: list[str], width: float, size: float, font: Font) -> list[str]:
    """Fill lines greedily; a single word that is wider than a line gets one of its own."""
    lines: list[str] = []
    for word in words:
        if lines and font.width(f"{lines[-1]} {word}", size) <= width:
            lines[-1] = f"{lines[-1]} {word}"
        else:
            lines.append(word)
    return lines


def _break(word: str, width: float, size: float, font: Font) -> list[str]:
    """Cut a word without spaces into pieces that fit."""
    pieces = [""]
    for character in word:
        if pieces[-1] and font.width(pieces[-1] + character, size) > width:
            pieces.append("")
        pieces[-1] += character
    return pieces


def _cut(line: str, width: float, size: float, font: Font) -> str:
    """Shorten to `width`, with an ellipsis at the end."""
    while line and font.width(line + _ELLIPSIS, size) > width:
        line = line[:-1].rstrip()
    return line + _ELLIPSIS
