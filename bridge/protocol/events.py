"""The event log of a recording: what happened, on the programme's own timeline.

Each broadcast of a debate appends lines of JSON to a file of its own beside the file of parts that
it records. A line is written whole, so that a crash costs at most the last.
"""

from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

MAX_TEXT: Final = 200

EventKind = Literal["start", "scene", "marker", "turn", "floor", "joined", "left", "hole", "end"]


class RecordedEvent(BaseModel):
    """One line of the log."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    at: float
    """Seconds of programme since frame 0 of the broadcast that wrote it."""
    wall: float
    """Seconds since the epoch; for people, not for lining things up."""
    kind: EventKind
    text: Annotated[str, Field(max_length=MAX_TEXT)] = ""
    """For people: what a chapter that begins here is called."""
    data: dict[str, JsonValue] = {}
    """For programs: for a scene its `scene` and `side`."""


def events_file_name(number: int) -> str:
    """Name of the log of broadcast `number` of a debate (1, 2, ...)."""
    return f"events-{number}.jsonl"
