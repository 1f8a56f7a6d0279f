"""What the programme shows and how it sounds: the host's choice, and what he sees of it."""

from typing import Annotated, Literal

from pydantic import StringConstraints

from bridge.protocol.message import Message
from bridge.rooms.model import Side


class SceneChoice(Message):
    """What the host wants to be shown."""

    scene: Literal[
        "auto",
        "side_by_side",
        "speaker",
        "picture_in_picture",
        "screen",
        "title",
        "break",
        "result",
    ] = "auto"
    """`auto`: a shared screen while there is one, else side by side. A screen that nobody shares
    is shown as soon as somebody does."""
    side: Side | None = None
    """Who is large, in `speaker` and `picture_in_picture`; None: whoever speaks."""
    transition: Literal["cut", "move"] = "move"
    note: Annotated[str, StringConstraints(strip_whitespace=True, max_length=120)] = ""
    """A line for the title card and the break."""


class SceneShown(Message):
    """What the programme shows now."""

    scene: str
    side: Side | None = None


class LevelReport(Message):
    """How a debater sounds. dBFS and LUFS as he sends it, the rest as the programme has it."""

    peak: float
    """dBFS, the highest since the last report."""
    short_term: float
    """LUFS over 3 s."""
    gain: float
    """dB by which he is raised: the programme has all at the same loudness."""
    voiced: bool
    floor: Literal["open", "ducked", "closed"] = "open"


class Levels(Message):
    """`levels`: how everybody sounds, five times a second; from the broadcast, and to the host."""

    sides: dict[Side, LevelReport]
