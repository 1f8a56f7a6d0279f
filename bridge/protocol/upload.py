"""How the broadcast hands the programme's parts to the server's origin: small idempotent PUTs.

    PUT /ingest/{programme}/{session}             ProgrammeDescription, JSON; first of all
    PUT /ingest/{programme}/{session}/init        init segment (ftyp + moov)
    PUT /ingest/{programme}/{session}/parts/{n}   one moof + mdat
    PUT /ingest/{programme}/{session}/end         nothing more comes (empty body)

All carry `Authorization: Bearer <broadcast token>`. `n` counts parts on the pts grid from 0 and is
never used twice; segment k is parts `k * parts_per_segment` up to the next multiple. A part is
independent exactly when it opens a segment. The same PUT again answers 200 and changes nothing; a
part out of order answers 409 with `{"next": n}`; an unknown session answers 404: describe it anew.
"""

from fractions import Fraction
from typing import Annotated, Final, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

MAX_PART_BYTES: Final = 8 * 1024 * 1024
MAX_INIT_BYTES: Final = 64 * 1024
SESSION_PATTERN: Final = r"[a-z0-9]{8,32}"


class ProgrammeDescription(BaseModel):
    """What a session of the programme is made of; fixed for its life."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    width: Annotated[int, Field(ge=2, le=7680)]
    height: Annotated[int, Field(ge=2, le=4320)]
    fps: Annotated[int, Field(ge=1, le=240)]
    part_frames: Annotated[int, Field(ge=1, le=1000)]
    segment_frames: Annotated[int, Field(ge=1, le=10_000)]
    codecs: Annotated[str, Field(pattern=r"^avc1\.[0-9a-f]{6}(,mp4a\.40\.\d+)?$")]
    """RFC 6381, read from the init segment's own bytes."""
    bandwidth: Annotated[int, Field(ge=1)]
    """Peak bits per second, containers included."""
    average_bandwidth: Annotated[int, Field(ge=1)]
    start_wall: float
    """Wall-clock time of frame 0, seconds since the epoch: EXT-X-PROGRAM-DATE-TIME."""

    @model_validator(mode="after")
    def _grid_divides(self) -> Self:
        if self.segment_frames % self.part_frames:
            message = "segment_frames must be a whole number of part_frames"
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
