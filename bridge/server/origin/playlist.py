"""Playlist text, from typed values. Pure. Tags in the order of RFC 8216bis."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from math import ceil


@dataclass(frozen=True, slots=True)
class PartLine:
    """EXT-X-PART."""

    uri: str
    duration: Fraction
    independent: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentLines:
    """Everything that one segment puts into a media playlist."""

    discontinuity: bool
    map_uri: str | None
    """EXT-X-MAP, where it differs from the segment before."""
    program_date_time: float
    """Epoch seconds."""
    parts: tuple[PartLine, ...]
    """EXT-X-PART; empty for segments too far from the edge."""
    duration: Fraction
    uri: str | None
    """None while the segment is not published."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaPlaylist:
    """A Low-Latency media playlist."""

    segment_duration: Fraction
    part_target: Fraction
    media_sequence: int
    discontinuity_sequence: int
    segments: tuple[SegmentLines, ...]
    preload_hint: str | None
    ended: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """EXT-X-STREAM-INF."""

    uri: str
    bandwidth: int
    average_bandwidth: int
    codecs: str
    width: int
    height: int
    fps: int


def render_media(playlist: MediaPlaylist) -> str:
    """Text of a media playlist; version 6 is enough without EXT-X-SKIP."""
    head = [
        "#EXTM3U",
        "#EXT-X-VERSION:6",
        f"#EXT-X-TARGETDURATION:{ceil(playlist.segment_duration)}",
        # Apple's authoring specification 14.3 makes three parts of hold back a MUST.
        f"#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK={_s(3 * playlist.part_target)}",
        f"#EXT-X-PART-INF:PART-TARGET={_s(playlist.part_target)}",
        f"#EXT-X-MEDIA-SEQUENCE:{playlist.media_sequence}",
        f"#EXT-X-DISCONTINUITY-SEQUENCE:{playlist.discontinuity_sequence}",
        "#EXT-X-INDEPENDENT-SEGMENTS",
    ]
    body = [line for segment in playlist.segments for line in _segment(segment)]
    if playlist.ended:
        body.append("#EXT-X-ENDLIST")
    elif playlist.preload_hint is not None:
        # Without one hls.js polls in a loop.
        body.append(f'#EXT-X-PRELOAD-HINT:TYPE=PART,URI="{playlist.preload_hint}"')
    return "\n".join([*head, *body, ""])


def render_multivariant(variants: tuple[Variant, ...]) -> str:
    """Text of a multivariant playlist."""
    lines = ["#EXTM3U", "#EXT-X-VERSION:6", "#EXT-X-INDEPENDENT-SEGMENTS"]
    for variant in variants:
        lines += [
            f"#EXT-X-STREAM-INF:BANDWIDTH={variant.bandwidth},"
            f"AVERAGE-BANDWIDTH={variant.average_bandwidth},"
            f'CODECS="{variant.codecs}",RESOLUTION={variant.width}x{variant.height},'
            f"FRAME-RATE={variant.fps:.3f}",
            variant.uri,
        ]
    return "\n".join([*lines, ""])


def _segment(segment: SegmentLines) -> Iterator[str]:
    # All of these before the segment's first part (RFC 8216bis 4.4.4).
    if segment.discontinuity:
        yield "#EXT-X-DISCONTINUITY"
    if segment.map_uri is not None:
        yield f'#EXT-X-MAP:URI="{segment.map_uri}"'
    yield f"#EXT-X-PROGRAM-DATE-TIME:{_date(segment.program_date_time)}"
    for part in segment.parts:
        independent = ",INDEPENDENT=YES" if part.independent else ""
        yield f'#EXT-X-PART:DURATION={_s(part.duration)},URI="{part.uri}"{independent}'
    if segment.uri is not None:
        yield f"#EXTINF:{_s(segment.duration)},"
        yield segment.uri


def _s(seconds: Fraction) -> str:
    # Cut, not rounded: no duration may come out above the target that is written the same way.
    cut = int(seconds * 100_000)
    return f"{cut // 100_000}.{cut % 100_000:05d}"


def _date(epoch: float) -> str:
    moment = datetime.fromtimestamp(round(epoch, 3), UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
