"""What the live window says in a media playlist. Pure."""

from typing import Final

from bridge.errors import NotFoundError
from bridge.server.origin.playlist import MediaPlaylist, PartLine, RenditionReport, SegmentLines
from bridge.server.origin.segments import Segment
from bridge.server.origin.window import MediaWindow

_SEGMENTS_WITH_PARTS: Final = 2
"""Complete segments whose parts are listed: RFC 8216bis wants them gone 3 target durations from
the edge, and hls.js stays stuck on a segment for as long as its parts are listed."""


def describe_live(window: MediaWindow, rendition: str) -> MediaPlaylist:
    """Describe one rendition's playlist. Raises NotFoundError before the first part."""
    segments = window.listed()
    if not segments:
        message = "This programme has not begun."
        raise NotFoundError(message)
    ended = window.ended
    with_parts = 0 if ended else _SEGMENTS_WITH_PARTS + 1
    newest = segments[-1]
    described = newest.session.description
    hinted = window.hinted()
    return MediaPlaylist(
        segment_duration=described.segment_duration,
        part_target=described.part_duration,
        media_sequence=segments[0].msn,
        discontinuity_sequence=window.discontinuity_sequence(),
        segments=tuple(
            _lines(
                segment,
                rendition,
                first=index == 0,
                parts=index >= len(segments) - with_parts,
                published=ended or index < len(segments) - 1,
            )
            for index, segment in enumerate(segments)
        ),
        preload_hint=f"{hinted[0].name}/{rendition}/p{hinted[1]}.m4s" if hinted else None,
        # All renditions come together, so that they all stand at the same place.
        reports=tuple(
            RenditionReport(f"{other.name}.m3u8", newest.msn, len(newest.parts) - 1)
            for other in described.renditions
            if other.name != rendition
        ),
        ended=ended,
    )


def _lines(
    segment: Segment, rendition: str, *, first: bool, parts: bool, published: bool
) -> SegmentLines:
    session = segment.session
    position = session.position_of(rendition)
    base = f"{session.name}/{rendition}"
    # An earlier run may have had fewer renditions; there this one has a gap.
    listed = range(len(segment.parts)) if parts and position is not None else ()
    # Without a picture every sample can be the first that is decoded.
    every = position is not None and not session.description.renditions[position].has_picture
    has_map = (first or segment.discontinuity) and position is not None
    return SegmentLines(
        # The first listed segment's own discontinuity is counted once it has scrolled out.
        discontinuity=segment.discontinuity,
        map_uri=f"{base}/init.mp4" if has_map else None,
        program_date_time=segment.start_wall,
        parts=tuple(
            PartLine(
                f"{base}/p{segment.first_part + index}.m4s",
                session.description.part_duration,
                index == 0 or every,
            )
            for index in listed
        ),
        duration=segment.duration,
        uri=f"{base}/s{segment.number}.m4s" if published else None,
        gap=position is None,
    )
