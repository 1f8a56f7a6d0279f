"""MPEG-DASH (ISO/IEC 23009-1) of the same segments: a Period for each take. Pure."""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Final

from bridge.server.origin.playlist import utc
from bridge.server.origin.take import Take
from bridge.server.origin.tracks import Track

MPD_TYPE: Final = "application/dash+xml"
_TIMESCALE: Final = 90_000
_ORIGIN_SECONDS: Final = 10
"""What the broadcast adds to every timestamp (`bridge.broadcast.media.packets`)."""
_SOUND_BPS: Final = 160_000
"""Only to choose among several, and there is one."""
_BEHIND_LIVE_SEGMENTS: Final = 3


def render_mpd(takes: Sequence[tuple[Take, int]], *, ended: bool) -> str:
    """Text of the manifest of `takes`, each with its number of segments; at least one.

    Sound and picture are apart, as MPEG-DASH players expect: the addresses are those of the tracks
    of the same segments (`tracks`).
    """
    first, last = takes[0][0], takes[-1][0]
    start = first.start_wall(0)
    segment = max(take.header.description.segment_duration for take, _ in takes)
    head = [
        'xmlns="urn:mpeg:dash:schema:mpd:2011"',
        'profiles="urn:mpeg:dash:profile:isoff-live:2011"',
        f'minBufferTime="{_duration(segment)}"',
    ]
    if ended:
        total = sum(_length(take, count) for take, count in takes)
        head += ['type="static"', f'mediaPresentationDuration="{_duration(total)}"']
    else:
        head += [
            'type="dynamic"',
            f'availabilityStartTime="{utc(start)}"',
            f'publishTime="{utc(last.start_wall(takes[-1][1]))}"',
            f'minimumUpdatePeriod="{_duration(segment)}"',
            f'suggestedPresentationDelay="{_duration(_BEHIND_LIVE_SEGMENTS * segment)}"',
        ]
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', f"<MPD {' '.join(head)}>"]
    played = Fraction(0)
    for number, (take, count) in enumerate(takes):
        # Afterwards nobody waits through the time in which nothing was made.
        begin = played if ended else Fraction(round(take.start_wall(0) - start, 3))
        open_ended = not ended and number == len(takes) - 1
        lines += _period(take, count, begin, open_ended=open_ended)
        played += _length(take, count)
    if not ended:
        scheme = "urn:mpeg:dash:utc:http-iso:2014"
        # Relative to the manifest, as all its addresses.
        lines.append(f'  <UTCTiming schemeIdUri="{scheme}" value="now"/>')
    return "\n".join([*lines, "</MPD>", ""])


def _period(take: Take, count: int, begin: Fraction, *, open_ended: bool) -> Iterator[str]:
    length = "" if open_ended else f' duration="{_duration(_length(take, count))}"'
    yield f'  <Period id="{take.header.first_msn}" start="{_duration(begin)}"{length}>'
    pictures = [one for one in take.header.description.renditions if one.has_picture]
    yield '    <AdaptationSet mimeType="video/mp4" segmentAlignment="true" startWithSAP="1">'
    yield from _template(take, count, "$RepresentationID$", Track.PICTURE)
    for one in pictures:
        yield (
            f'      <Representation id="{one.name}" codecs="{one.codecs.partition(",")[0]}"'
            f' bandwidth="{one.bandwidth}" width="{one.width}" height="{one.height}"'
            f' frameRate="{take.header.description.fps}"/>'
        )
    yield "    </AdaptationSet>"
    # The same sound is in every rendition.
    source = pictures[0]
    yield '    <AdaptationSet mimeType="audio/mp4" segmentAlignment="true" startWithSAP="1">'
    yield from _template(take, count, source.name, Track.SOUND)
    codec = source.codecs.partition(",")[2]
    yield f'      <Representation id="sound" codecs="{codec}" bandwidth="{_SOUND_BPS}"/>'
    yield "    </AdaptationSet>"
    yield "  </Period>"


def _template(take: Take, count: int, rendition: str, track: Track) -> Iterator[str]:
    base = f"{take.session.name}/{rendition}"
    offset = _ticks(_ORIGIN_SECONDS + take.first_part * take.header.description.part_duration)
    yield (
        f'      <SegmentTemplate timescale="{_TIMESCALE}" presentationTimeOffset="{offset}"'
        f' startNumber="{take.header.first_number}"'
        f' initialization="{base}/init-{track.value}.mp4"'
        f' media="{base}/{track.value}$Number$.m4s">'
    )
    yield "        <SegmentTimeline>"
    yield from _timeline(take, count, offset)
    yield "        </SegmentTimeline>"
    yield "      </SegmentTemplate>"


def _timeline(take: Take, count: int, offset: int) -> Iterator[str]:
    last = take.duration(count - 1)
    full = take.header.description.segment_duration
    repeated = count if last == full else count - 1
    if repeated:
        yield f'          <S t="{offset}" d="{_ticks(full)}" r="{repeated - 1}"/>'
    if repeated < count:
        begin = offset + repeated * _ticks(full)
        yield f'          <S t="{begin}" d="{_ticks(last)}"/>'


def _length(take: Take, count: int) -> Fraction:
    full = take.header.description.segment_duration
    return (count - 1) * full + take.duration(count - 1)


def _ticks(seconds: Fraction) -> int:
    return round(seconds * _TIMESCALE)


def _duration(seconds: Fraction | int) -> str:
    return f"PT{float(seconds):.3f}S"
