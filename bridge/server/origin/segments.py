"""Sessions and segments: what the window and the archive are made of. Pure.

Words as in RFC 8216bis: media sequence number (msn), part index in its segment. A *session* is
one run of the encoder; a new one stands behind a DISCONTINUITY with init sections of its own.
"""

from dataclasses import dataclass, field
from fractions import Fraction

from bridge.protocol.upload import ProgrammeDescription

Bytes = bytes | memoryview
PerRendition = tuple[Bytes, ...]
"""In the order of the session's description."""


@dataclass(slots=True)
class Session:
    """One run of the programme's encoder."""

    name: str
    description: ProgrammeDescription
    init: tuple[bytes, ...] = ()
    next_part: int | None = None
    """None until the first part has come."""

    def position_of(self, rendition: str) -> int | None:
        """Place of a rendition in everything that is per rendition; None when it has none such."""
        for position, one in enumerate(self.description.renditions):
            if one.name == rendition:
                return position
        return None

    def wall(self, part: int) -> float:
        """Epoch seconds at which a part's first picture is."""
        return self.description.start_wall + float(part * self.description.part_duration)

    @property
    def grid(self) -> tuple[int, int, int]:
        """What a playlist's head follows from."""
        described = self.description
        return described.fps, described.part_frames, described.segment_frames


@dataclass(slots=True)
class Segment:
    """A media segment in all renditions, open or complete."""

    msn: int
    session: Session
    number: int
    """On the session's grid; names the segment in URLs."""
    discontinuity: bool
    parts: list[PerRendition] = field(default_factory=list)
    whole: tuple[bytes, ...] = ()
    """Per rendition the concatenation of the parts, once complete."""

    @property
    def first_part(self) -> int:
        """Number of part 0 on the session's grid."""
        return self.number * self.session.description.parts_per_segment

    @property
    def duration(self) -> Fraction:
        """Seconds of what is there."""
        return len(self.parts) * self.session.description.part_duration

    @property
    def start_wall(self) -> float:
        """Epoch seconds of the first picture."""
        return self.session.wall(self.first_part)

    @property
    def full(self) -> bool:
        """Whether every part of the grid is there."""
        return len(self.parts) >= self.session.description.parts_per_segment

    def close(self) -> None:
        """Join the parts; they become views of the whole, so that nothing is kept twice."""
        if self.whole or not self.parts:
            return
        self.whole = tuple(b"".join(parts) for parts in zip(*self.parts, strict=True))
        views = [memoryview(whole) for whole in self.whole]
        starts = [0] * len(views)
        for index, part in enumerate(self.parts):
            ends = [start + len(one) for start, one in zip(starts, part, strict=True)]
            self.parts[index] = tuple(
                view[start:end] for view, start, end in zip(views, starts, ends, strict=True)
            )
            starts = ends


@dataclass(frozen=True, slots=True)
class Position:
    """A place in the playlist."""

    msn: int
    part: int | None
    """None: the whole segment."""
