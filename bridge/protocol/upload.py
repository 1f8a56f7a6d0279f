"""How the broadcast hands the programme's parts to the server's origin: small idempotent PUTs.

    PUT /ingest/{programme}/{session}             ProgrammeDescription, JSON; first of all
    PUT /ingest/{programme}/{session}/init        init segments: ftyp + moov of each rendition
    PUT /ingest/{programme}/{session}/parts/{n}   part n: moof + mdat of each rendition
    PUT /ingest/{programme}/{session}/end         nothing more comes (empty body)

All carry `Authorization: Bearer <broadcast token>`. `n` counts parts on the pts grid from 0 and is
never used twice; segment k is parts `k * parts_per_segment` up to the next multiple. A part is
independent exactly when it opens a segment. The same PUT again answers 200 and changes nothing; a
part out of order answers 409 with `{"next": n}`; an unknown session answers 404: describe it anew.

All renditions of a part travel together, one after the other in the order of the description, so
that a part appears in all of them at the same moment. `sequence_number` of each moof's mfhd is
`n + 1`: what is found on a disk tells by itself which part it is.
"""

from collections.abc import Sequence
from fractions import Fraction
from typing import Annotated, Final, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from bridge.errors import InputError
from bridge.protocol.boxes import boxes

MAX_PART_BYTES: Final = 8 * 1024 * 1024
MAX_INIT_BYTES: Final = 64 * 1024
MAX_RENDITIONS: Final = 4
SESSION_PATTERN: Final = r"[a-z0-9]{8,32}"
INIT_BOXES: Final = ("ftyp", "moov")
PART_BOXES: Final = ("moof", "mdat")
_SEQUENCE_NUMBER: Final = slice(20, 24)
"""In a moof: its header, then mfhd with header, version and flags before the number."""


class RenditionDescription(BaseModel):
    """One way to receive the programme; players choose among them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(pattern=r"^[a-z0-9]{1,16}$")]
    """In URLs."""
    codecs: Annotated[str, Field(pattern=r"^(avc1\.[0-9a-f]{6}(,mp4a\.40\.\d+)?|mp4a\.40\.\d+)$")]
    """RFC 6381, read from the init segment's own bytes."""
    bandwidth: Annotated[int, Field(ge=1)]
    """Peak bits per second, containers included."""
    average_bandwidth: Annotated[int, Field(ge=1)]
    width: Annotated[int, Field(ge=2, le=7680)] | None = None
    height: Annotated[int, Field(ge=2, le=4320)] | None = None
    """None with `width`: sound alone."""

    @model_validator(mode="after")
    def _picture_has_a_size(self) -> Self:
        sizes = (self.width is not None, self.height is not None)
        if sizes != (self.has_picture, self.has_picture):
            message = "a rendition has a width and a height exactly when it has a picture"
            raise ValueError(message)
        return self

    @property
    def has_picture(self) -> bool:
        """Whether it is more than sound."""
        return self.codecs.startswith("avc1")


class ProgrammeDescription(BaseModel):
    """What a session of the programme is made of; fixed for its life."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    fps: Annotated[int, Field(ge=1, le=240)]
    part_frames: Annotated[int, Field(ge=1, le=1000)]
    segment_frames: Annotated[int, Field(ge=1, le=10_000)]
    start_wall: float
    """Wall-clock time of frame 0, seconds since the epoch: EXT-X-PROGRAM-DATE-TIME."""
    renditions: Annotated[
        tuple[RenditionDescription, ...], Field(min_length=1, max_length=MAX_RENDITIONS)
    ]
    """The programme as it was made comes first."""

    @model_validator(mode="after")
    def _grid_divides(self) -> Self:
        if self.segment_frames % self.part_frames:
            message = "segment_frames must be a whole number of part_frames"
            raise ValueError(message)
        return self

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        if len({one.name for one in self.renditions}) != len(self.renditions):
            message = "two renditions have the same name"
            raise ValueError(message)
        return self

    @property
    def part_duration(self) -> Fraction:
        """Seconds."""
        return Fraction(self.part_frames, self.fps)

    @property
    def segment_duration(self) -> Fraction:
        """Seconds."""
        return Fraction(self.segment_frames, self.fps)

    @property
    def parts_per_segment(self) -> int:
        """Parts in each segment."""
        return self.segment_frames // self.part_frames


def session_path(programme: str, session: str) -> str:
    """Path of the session itself; the other paths begin with it."""
    return f"/ingest/{programme}/{session}"


def split(data: bytes, kinds: Sequence[str], renditions: int) -> tuple[bytes, ...]:
    """Take a body apart again: the boxes `kinds`, whole and in this order, once per rendition.

    Raises InputError for anything else: torn, too many, too few.
    """
    found = list(boxes(data))
    expected = tuple(kinds) * renditions
    if tuple(box.kind for box in found) != expected or found[-1].end != len(data):
        message = f"Expected the boxes {' '.join(kinds)} of {renditions} rendition(s)."
        raise InputError(message, code="torn")
    ends = [found[at].end for at in range(len(kinds) - 1, len(found), len(kinds))]
    starts = [0, *ends[:-1]]
    return tuple(data[start:end] for start, end in zip(starts, ends, strict=True))


def part_number(part: bytes) -> int:
    """Return which part a `moof` + `mdat` is, by its own sequence number."""
    return int.from_bytes(part[_SEQUENCE_NUMBER], "big") - 1
