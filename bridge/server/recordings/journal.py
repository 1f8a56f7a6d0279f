"""`recording.json`: what a recording is and how far it has come, safe against a crash."""

import os
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bridge.errors import InputError
from bridge.rooms.model import Side
from bridge.server.recordings.model import Access, RecordingState

JOURNAL_FILE: Final = "recording.json"


class Journal(BaseModel):
    """The journal's content."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: Literal[1] = 1
    id: Annotated[str, Field(pattern=r"^[a-z2-7]{26}$")]
    room: str
    motion: str
    title: str = ""
    """Empty: the motion."""
    access: Access = Access.PUBLIC
    names: dict[Side, str]
    started_at: float
    """Seconds since the epoch."""
    state: RecordingState = RecordingState.RECORDING
    duration: float | None = None
    reason: str = ""
    copied: bool = False
    """Whether the copy in another place is complete."""


def load(folder: Path) -> Journal:
    """Read the journal of `folder`. Raises InputError when there is none that can be read."""
    try:
        return Journal.model_validate_json((folder / JOURNAL_FILE).read_bytes())
    except (OSError, ValidationError) as error:
        message = f"{folder.name} has no readable {JOURNAL_FILE}"
        raise InputError(message, code="journal") from error


def save(folder: Path, journal: Journal) -> None:
    """Replace the journal atomically; it is on the disk when this returns."""
    new = folder / f"{JOURNAL_FILE}.new"
    with new.open("wb") as file:
        file.write(journal.model_dump_json(indent=2).encode())
        file.flush()
        os.fsync(file.fileno())
    new.replace(folder / JOURNAL_FILE)
    sync_folder(folder)


def sync_folder(folder: Path) -> None:
    """Bring the names in `folder` to the disk: a rename is not safe before."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
