"""The whole programme as a playlist: EVENT while it is live, VOD when it has ended."""

from dataclasses import dataclass, field

from bridge.errors import NotFoundError
from bridge.server.origin.archive import ProgrammeArchive
from bridge.server.origin.playlist import (
    HistoryPlaylist,
    PlaylistType,
    SegmentLines,
    render_history,
    segment_text,
)
from bridge.server.origin.take import Take


@dataclass(slots=True)
class _TakeText:
    """The lines of one take's segments, which only ever grow in number."""

    segments: int = 0
    lines: list[str] = field(default_factory=list)

    def extend(self, take: Take, count: int, rendition: str) -> None:
        position = take.session.position_of(rendition)
        base = f"{take.session.name}/{rendition}"
        for index in range(self.segments, count):
            first = index == 0
            has_map = first and position is not None
            self.lines += segment_text(
                SegmentLines(
                    discontinuity=False,
                    map_uri=f"{base}/init.mp4" if has_map else None,
                    # Within a take it follows from the durations, and hours are many lines.
                    program_date_time=take.start_wall(index) if first else None,
                    duration=take.duration(index),
                    uri=f"{base}/s{take.header.first_number + index}.m4s",
                    gap=position is None,
                )
            )
        self.segments = max(self.segments, count)


class History:
    """Writes the playlists of an archive; what has been written once is kept. Loop-side only."""

    def __init__(self, archive: ProgrammeArchive) -> None:
        self._archive = archive
        self._written: dict[tuple[str, int], _TakeText] = {}

    def text(self, rendition: str, kind: PlaylistType) -> str:
        """Return a playlist's text. Raises NotFoundError when there is none, or none yet."""
        takes = self._archive.takes
        ended = self._archive.ended
        known = takes and takes[-1][0].session.position_of(rendition) is not None
        if not known or (kind is PlaylistType.VOD and not ended):
            message = "There is no such playlist, or not yet."
            raise NotFoundError(message)
        lines: list[str] = []
        for number, (take, count) in enumerate(takes):
            written = self._written.setdefault((rendition, take.header.first_msn), _TakeText())
            written.extend(take, count, rendition)
            if number:
                lines.append("#EXT-X-DISCONTINUITY")
            lines += written.lines
        return render_history(
            HistoryPlaylist(
                type=kind,
                segment_duration=max(take.header.description.segment_duration for take, _ in takes),
                media_sequence=takes[0][0].header.first_msn,
                segments=lines,
                ended=ended,
            )
        )
