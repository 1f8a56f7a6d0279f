"""Playlist text, from typed values. Pure. Tags in the order of RFC 8216bis."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from fractions import Fraction
from math import ceil
from typing import Final

_GAP: Final = "#EXT-X-GAP"


class PlaylistType(Enum):
    """EXT-X-PLAYLIST-TYPE of a playlist that loses no segments."""

    EVENT = "EVENT"
    VOD = "VOD"


@dataclass(frozen=True, slots=True)
class PartLine:
    """EXT-X-PART."""

    uri: str
    duration: Fraction
    independent: bool


@dataclass(frozen=True, slots=True)
class RenditionReport:
    """EXT-X-RENDITION-REPORT: how far another media playlist has come."""

    uri: str
    last_msn: int
    last_part: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentLines:
    """Everything that one segment puts into a media playlist."""

    discontinuity: bool
    map_uri: str | None
    """EXT-X-MAP, where it differs from the segment before."""
    program_date_time: float | None
    """Epoch seconds; None where it follows from the segment before."""
    parts: tuple[PartLine, ...] = ()
    """EXT-X-PART; empty for segments too far from the edge."""
    duration: Fraction
    uri: str | None
    """None while the segment is not published."""
    gap: bool = False
    """EXT-X-GAP: this rendition lacks it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaPlaylist:
    """A Low-Latency media playlist."""

    segment_duration: Fraction
    part_target: Fraction
    media_sequence: int
    discontinuity_sequence: int
    segments: tuple[SegmentLines, ...]
    preload_hint: str | None
    reports: tuple[RenditionReport, ...] = ()
    ended: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryPlaylist:
    """A media playlist of the whole programme, without parts."""

    type: PlaylistType
    segment_duration: Fraction
    media_sequence: int
    segments: Iterable[str]
    """Lines of `segment_text`."""
    ended: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """EXT-X-STREAM-INF."""

    uri: str
    bandwidth: int
    average_bandwidth: int
    codecs: str
    width: int | None
    height: int | None
    fps: int


def render_media(playlist: MediaPlaylist) -> str:
    """Text of a media playlist."""
    lines = [
        "#EXTM3U",
        _version(any(segment.gap for segment in playlist.segments)),
        f"#EXT-X-TARGETDURATION:{ceil(playlist.segment_duration)}",
        # Apple's authoring specification 14.3 makes three parts of hold back a MUST.
        f"#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK={_s(3 * playlist.part_target)}",
        f"#EXT-X-PART-INF:PART-TARGET={_s(playlist.part_target)}",
        f"#EXT-X-MEDIA-SEQUENCE:{playlist.media_sequence}",
        f"#EXT-X-DISCONTINUITY-SEQUENCE:{playlist.discontinuity_sequence}",
        "#EXT-X-INDEPENDENT-SEGMENTS",
    ]
    for segment in playlist.segments:
        lines += segment_text(segment)
    if playlist.ended:
        lines.append("#EXT-X-ENDLIST")
        return "\n".join([*lines, ""])
    if playlist.preload_hint is not None:
        # Without one hls.js polls in a loop.
        lines.append(f'#EXT-X-PRELOAD-HINT:TYPE=PART,URI="{playlist.preload_hint}"')
    lines += (
        f'#EXT-X-RENDITION-REPORT:URI="{one.uri}",LAST-MSN={one.last_msn},LAST-PART={one.last_part}'
        for one in playlist.reports
    )
    return "\n".join([*lines, ""])


def render_history(playlist: HistoryPlaylist) -> str:
    """Text of a media playlist that begins with the programme and loses nothing."""
    segments = list(playlist.segments)
    lines = [
        "#EXTM3U",
        _version(_GAP in segments),
        f"#EXT-X-TARGETDURATION:{ceil(playlist.segment_duration)}",
        f"#EXT-X-PLAYLIST-TYPE:{playlist.type.value}",
        f"#EXT-X-MEDIA-SEQUENCE:{playlist.media_sequence}",
        "#EXT-X-DISCONTINUITY-SEQUENCE:0",
        "#EXT-X-INDEPENDENT-SEGMENTS",
    ]
    lines += segments
    if playlist.ended:
        lines.append("#EXT-X-ENDLIST")
    return "\n".join([*lines, ""])


def render_multivariant(variants: tuple[Variant, ...]) -> str:
    """Text of a multivariant playlist."""
    lines = ["#EXTM3U", "#EXT-X-VERSION:6", "#EXT-X-INDEPENDENT-SEGMENTS"]
    for variant in variants:
        picture = ""
        if variant.width is not None:
            size = f"{variant.width}x{variant.height}"
            picture = f",RESOLUTION={size},FRAME-RATE={variant.fps:.3f}"
        lines += [
            f"#EXT-X-STREAM-INF:BANDWIDTH={variant.bandwidth},"
            f"AVERAGE-BANDWIDTH={variant.average_bandwidth},"
            f'CODECS="{variant.codecs}"{picture}',
            variant.uri,
        ]
    return "\n".join([*lines, ""])


def segment_text(segment: SegmentLines) -> list[str]:
    """Lines of one segment."""
    lines = []
    # All of these before the segment's first part (RFC 8216bis 4.4.4).
    if segment.discontinuity:
        lines.append("#EXT-X-DISCONTINUITY")
    if segment.map_uri is not None:
        lines.append(f'#EXT-X-MAP:URI="{segment.map_uri}"')
    if segment.program_date_time is not None:
        lines.append(f"#EXT-X-PROGRAM-DATE-TIME:{utc(segment.program_date_time)}")
    for part in segment.parts:
        independent = ",INDEPENDENT=YES" if part.independent else ""
        lines.append(f'#EXT-X-PART:DURATION={_s(part.duration)},URI="{part.uri}"{independent}')
    if segment.uri is not None:
        if segment.gap:
            lines.append(_GAP)
        lines += (f"#EXTINF:{_s(segment.duration)},", segment.uri)
    return lines


def _version(has_gaps: bool) -> str:
    # RFC 8216bis 8: EXT-X-GAP needs 8; all else here needs 6, as long as there is no EXT-X-SKIP.
    return f"#EXT-X-VERSION:{8 if has_gaps else 6}"


def _s(seconds: Fraction) -> str:
    # Cut, not rounded: no duration may come out above the target that is written the same way.
    cut = int(seconds * 100_000)
    return f"{cut // 100_000}.{cut % 100_000:05d}"


def utc(epoch: float) -> str:
    """ISO 8601 with milliseconds, of seconds since the epoch."""
    moment = datetime.fromtimestamp(round(epoch, 3), UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
