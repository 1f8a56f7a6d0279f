"""The parts of a recording behind one another, and what happened on that one timeline.

    broadcast 1   |--- part 1 ---|          broadcast 2   |------ part 2 ------|
    finished file |--- part 1 ---|------ part 2 ------|
                  offset 0       offset = duration of part 1

`events.json` keeps it when the parts are gone: all later files are made from it.
"""

import logging
import math
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bridge.errors import InputError
from bridge.protocol.events import RecordedEvent

logger = logging.getLogger(__name__)

EVENTS_FILE: Final = "events.json"
_LOG_FILE: Final = re.compile(r"^events-([1-9]\d{0,8})\.jsonl$")
_MAX_LOG_BYTES: Final = 16 * 1024 * 1024
"""Some 100 000 events; the rest of a longer log is left out."""


class PlacedPart(BaseModel):
    """Where a part lies in the finished file. All in seconds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    number: int
    offset: float
    """Where it begins in the finished file."""
    start: float
    """Where it begins on the timeline of the broadcast that recorded it."""
    duration: float


class PlacedEvent(RecordedEvent):
    """An event on the timeline of the finished file: `at` counts from its beginning."""

    part: int
    """Number of the log it comes from, which is that of the part."""


class Timeline(BaseModel):
    """Content of `events.json`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: Literal[1] = 1
    duration: float = Field(ge=0, allow_inf_nan=False)
    """Of the finished file, in seconds."""
    parts: tuple[PlacedPart, ...] = ()
    events: tuple[PlacedEvent, ...] = ()
    """In order."""


def read_logs(folder: Path) -> dict[int, list[RecordedEvent]]:
    """Read all event logs of a recording, by their number. Blocking.

    A torn last line is left out, and so is, with a warning, any other that cannot be read.
    """
    logs = {}
    for path in folder.iterdir():
        if (match := _LOG_FILE.match(path.name)) and path.is_file():
            logs[int(match[1])] = _read_log(path)
    return logs


def line_up(
    parts: Sequence[PlacedPart], logs: dict[int, list[RecordedEvent]], duration: float
) -> Timeline:
    """Place the events of all `logs` on the timeline of the finished file. Pure.

    What happened before a part began or after it ended (the picture was not recorded) is at the
    part's beginning or end; what happened in a broadcast that left no part, where it would be.
    """
    placed = {part.number: part for part in parts}
    events = []
    for number, log in sorted(logs.items()):
        part = placed.get(number) or _empty_part(parts, number)
        for event in log:
            inside = min(max(event.at - part.start, 0.0), part.duration)
            at = round(min(part.offset + inside, duration), 6)
            fields = {**event.model_dump(), "at": at, "part": number}
            events.append(PlacedEvent.model_validate(fields))
    events.sort(key=lambda event: event.at)
    return Timeline(duration=duration, parts=tuple(parts), events=tuple(events))


def save_timeline(folder: Path, timeline: Timeline) -> None:
    """Replace `events.json` atomically; its content is on the disk when this returns. Blocking."""
    new = folder / f"{EVENTS_FILE}.new"
    with new.open("wb") as file:
        file.write(timeline.model_dump_json(indent=1).encode())
        file.flush()
        os.fsync(file.fileno())
    new.replace(folder / EVENTS_FILE)


def load_timeline(folder: Path) -> Timeline:
    """Read `events.json`. Raises InputError when there is none that can be read. Blocking."""
    try:
        return Timeline.model_validate_json((folder / EVENTS_FILE).read_bytes())
    except (OSError, ValidationError) as error:
        message = f"{folder.name} has no readable {EVENTS_FILE}"
        raise InputError(message, code="events") from error


def _read_log(path: Path) -> list[RecordedEvent]:
    with path.open("rb") as file:
        *lines, _torn = file.read(_MAX_LOG_BYTES).split(b"\n")
    events = []
    for number, line in enumerate(lines, 1):
        try:
            event = RecordedEvent.model_validate_json(line)
        except ValidationError:
            logger.warning("recordings: %s: line %d cannot be read", path, number)
            continue
        if math.isfinite(event.at) and math.isfinite(event.wall):
            events.append(event)
    return events


def _empty_part(parts: Sequence[PlacedPart], number: int) -> PlacedPart:
    before = [part for part in parts if part.number < number]
    offset = before[-1].offset + before[-1].duration if before else 0.0
    return PlacedPart(number=number, offset=offset, start=0.0, duration=0.0)
