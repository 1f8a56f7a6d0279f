"""What the programme says in words, and what its theme is told of the debate. Pure values."""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

_INVISIBLE: Final = {"Cc", "Cs", "Co", "Cn"}
"""Unicode categories that XML forbids or that nothing can draw."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockFace:
    """A clock as it is read."""

    text: str
    """Such as "4:05"."""
    side: str | None = None
    """Whose time it is; None: nobody's."""
    over: bool = False
    """Whether the time is up."""
    paused: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """Which part of the debate it is."""

    title: str
    side: str | None = None
    number: int = 1
    """From 1."""
    of: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """Shares of the votes by side, 0 to 1; empty: not counted yet."""

    open: bool = False
    before: Mapping[str, float] = field(default_factory=dict)
    after: Mapping[str, float] = field(default_factory=dict)

    @property
    def swing(self) -> dict[str, float]:
        """Return by how much each side's share has grown."""
        if not self.before or not self.after:
            return {}
        return {side: share - self.before.get(side, 0.0) for side, share in self.after.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Caption:
    """Everything that is drawn and is no picture of a debater."""

    motion: str
    names: Mapping[str, str]
    """By side."""
    on_air: bool = True
    """False in a rehearsal: no LIVE badge."""
    clock: ClockFace | None = None
    turn: Turn | None = None
    floor: str | None = None
    """The side that has the floor."""
    vote: Vote | None = None
    note: str = ""
    """A line for the title card and the break, such as when it goes on."""
    logo: str = ""
    """Of the sponsor, as a `data:` address of a PNG, JPEG or WebP picture."""


def clean(text: str) -> str:
    """Return `text` on one line, without what XML forbids."""
    visible = (" " if unicodedata.category(c) in _INVISIBLE else c for c in text)
    return " ".join("".join(visible).split())


def initials(name: str) -> str:
    """Return up to two letters for a slate.

    >>> initials("Ada King Lovelace"), initials("Ωριγένης")
    ('AL', 'Ω')
    """
    words = [word for word in name.split() if word[0].isalnum()]
    chosen = [words[0], words[-1]] if len(words) > 1 else words
    return "".join(word[0].upper() for word in chosen)
