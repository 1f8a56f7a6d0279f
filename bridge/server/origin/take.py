"""A take: an unbroken run of segments of one session on the disk.

    <folder>/<first msn>-<session>/take.json           what it is
    <folder>/<first msn>-<session>/<rendition>.mp4     init section and parts, appended as they come

Nothing else is kept: every part tells its number (`mfhd`), so that a file which a crash has torn is
read as far as it is whole.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bridge.errors import InputError
from bridge.protocol import boxes
from bridge.protocol.upload import (
    PART_BOXES,
    SESSION_PATTERN,
    ProgrammeDescription,
    part_number,
    split,
)
from bridge.server.origin.segments import Segment, Session

TAKE_FILE: Final = "take.json"
_MOOF_HEAD_BYTES: Final = 24


class TakeHeader(BaseModel):
    """The content of `take.json`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    session: Annotated[str, Field(pattern=rf"^{SESSION_PATTERN}$")]
    description: ProgrammeDescription
    first_msn: Annotated[int, Field(ge=0)]
    first_number: Annotated[int, Field(ge=0)]
    """Of the segment, on the session's grid."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where bytes lie in a file."""

    start: int
    size: int


@dataclass(slots=True)
class Take:
    """Which segments are on the disk, and where. Segments are contiguous from `first_number` on."""

    folder: Path
    header: TakeHeader
    session: Session
    parts: int = 0
    """Written so far."""
    over: bool = False
    """Whether nothing more will be written."""
    _ends: list[list[int]] = field(default_factory=list)
    """Per rendition the file position after each part."""
    _heads: tuple[int, ...] = ()

    @classmethod
    def begin(cls, folder: Path, header: TakeHeader, session: Session) -> "Take":
        """Return an empty one; `session` has its init sections."""
        heads = tuple(len(init) for init in session.init)
        return cls(folder, header, session, _ends=[[] for _ in heads], _heads=heads)

    def wrote(self, sizes: tuple[int, ...]) -> None:
        """Note one more part, of so many bytes in each rendition."""
        for ends, head, size in zip(self._ends, self._heads, sizes, strict=True):
            ends.append((ends[-1] if ends else head) + size)
        self.parts += 1

    @property
    def per_segment(self) -> int:
        """Parts in a full segment."""
        return self.header.description.parts_per_segment

    @property
    def first_part(self) -> int:
        """Number of the first part on the session's grid."""
        return self.header.first_number * self.per_segment

    def segments(self, *, over: bool) -> int:
        """How many segments are complete; the last one always is when the take is `over`."""
        whole, rest = divmod(self.parts, self.per_segment)
        # The last full one is complete for players only when the next has begun.
        return whole + bool(rest) if over else max(0, whole - (not rest))

    def duration(self, index: int) -> Fraction:
        """Seconds of segment `index` of this take."""
        parts = min(self.per_segment, self.parts - index * self.per_segment)
        return parts * self.header.description.part_duration

    def start_wall(self, index: int) -> float:
        """Epoch seconds of the first picture of segment `index` of this take."""
        return self.session.wall(self.first_part + index * self.per_segment)

    def place(self, rendition: int, index: int) -> Place | None:
        """Where segment `index` lies in the file of a rendition; None when it is not there."""
        first = index * self.per_segment
        last = min(first + self.per_segment, self.parts) - 1
        if index < 0 or last < first:
            return None
        ends = self._ends[rendition]
        start = ends[first - 1] if first else self._heads[rendition]
        return Place(start, ends[last] - start)

    def file(self, rendition: int) -> Path:
        """Return the file of a rendition."""
        return self.folder / f"{self.header.description.renditions[rendition].name}.mp4"

    def read(self, rendition: int, index: int) -> bytes | None:
        """Bytes of segment `index`, None when it is not there. Blocking. Raises OSError."""
        place = self.place(rendition, index)
        if place is None:
            return None
        with self.file(rendition).open("rb") as file:
            file.seek(place.start)
            data = file.read(place.size)
        return data if len(data) == place.size else None

    def restore(self, first: int) -> Iterator[Segment]:
        """Yield segments from index `first` on as the window keeps them. Blocking."""
        renditions = range(len(self.header.description.renditions))
        for index in range(first, self.segments(over=True)):
            found = [self.read(rendition, index) for rendition in renditions]
            whole = [data for data in found if data is not None]
            if len(whole) != len(renditions):
                return
            count = min(self.per_segment, self.parts - index * self.per_segment)
            segment = Segment(
                self.header.first_msn + index,
                self.session,
                self.header.first_number + index,
                discontinuity=False,
            )
            cut = [split(data, PART_BOXES, count) for data in whole]
            segment.parts.extend(zip(*cut, strict=True))
            yield segment


def load(folder: Path) -> Take:
    """Read what is whole of a take. Blocking. Raises InputError when there is nothing to read."""
    try:
        header = TakeHeader.model_validate_json((folder / TAKE_FILE).read_bytes())
        names = [one.name for one in header.description.renditions]
        files = [_scan(folder / f"{name}.mp4", header) for name in names]
    except (OSError, ValidationError) as error:
        message = f"{folder.name} has no readable take"
        raise InputError(message, code="take") from error
    session = Session(header.session, header.description, tuple(init for init, _ in files))
    take = Take.begin(folder, header, session)
    for sizes in zip(*(sizes for _, sizes in files), strict=False):
        take.wrote(sizes)
    session.next_part = take.first_part + take.parts
    take.over = True
    return take


def _scan(path: Path, header: TakeHeader) -> tuple[bytes, list[int]]:
    """Return the init section of a file and the sizes of its parts, up to the first that is torn.

    Raises OSError.
    """
    expected = header.first_number * header.description.parts_per_segment
    sizes: list[int] = []
    init_end = start = 0
    with path.open("rb") as file:
        for box in boxes.file_boxes(path):
            if box.kind == "moov":
                init_end = box.end
            elif box.kind == "moof":
                start = box.start
                head = os.pread(file.fileno(), _MOOF_HEAD_BYTES, start)
                if part_number(head) != expected + len(sizes):
                    break
            elif box.kind == "mdat" and start:
                sizes.append(box.end - start)
        return file.read(init_end), sizes


def takes(folder: Path) -> list[Take]:
    """All takes under `folder` that have a part, oldest first. Blocking."""
    found = []
    for one in sorted(folder.iterdir()) if folder.is_dir() else ():
        try:
            take = load(one)
        except InputError:
            # A take that had only been begun when the server died: nothing is lost with it.
            continue
        if take.parts:
            found.append(take)
    return sorted(found, key=lambda take: take.header.first_msn)
