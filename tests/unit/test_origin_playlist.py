"""Playlist text, whole."""

from fractions import Fraction

from bridge.server.origin.live import LiveProgramme
from bridge.server.origin.playlist import (
    MediaPlaylist,
    PartLine,
    SegmentLines,
    Variant,
    render_media,
    render_multivariant,
)
from bridge.server.origin.texts import multivariant
from bridge.server.origin.window import MediaWindow
from tests.server import (
    LADDER,
    NEXT_SESSION,
    SESSION,
    description,
    init_bytes,
    init_set,
    part_bytes,
    part_set,
)

LIVE = """\
#EXTM3U
#EXT-X-VERSION:6
#EXT-X-TARGETDURATION:2
#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=1.20000
#EXT-X-PART-INF:PART-TARGET=0.40000
#EXT-X-MEDIA-SEQUENCE:100
#EXT-X-DISCONTINUITY-SEQUENCE:0
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-MAP:URI="aaaaaaaa/source/init.mp4"
#EXT-X-PROGRAM-DATE-TIME:2025-11-23T12:13:20.000Z
#EXTINF:2.00000,
aaaaaaaa/source/s0.m4s
#EXT-X-PROGRAM-DATE-TIME:2025-11-23T12:13:22.000Z
#EXT-X-PART:DURATION=0.40000,URI="aaaaaaaa/source/p5.m4s",INDEPENDENT=YES
#EXT-X-PART:DURATION=0.40000,URI="aaaaaaaa/source/p6.m4s"
#EXT-X-PART:DURATION=0.40000,URI="aaaaaaaa/source/p7.m4s"
#EXT-X-PART:DURATION=0.40000,URI="aaaaaaaa/source/p8.m4s"
#EXT-X-PART:DURATION=0.40000,URI="aaaaaaaa/source/p9.m4s"
#EXTINF:2.00000,
aaaaaaaa/source/s1.m4s
#EXT-X-PROGRAM-DATE-TIME:2025-11-23T12:13:24.000Z
#EXT-X-PART:DURATION=0.40000,URI="aaaaaaaa/source/p10.m4s",INDEPENDENT=YES
#EXTINF:0.40000,
aaaaaaaa/source/s2.m4s
#EXT-X-DISCONTINUITY
#EXT-X-MAP:URI="bbbbbbbb/source/init.mp4"
#EXT-X-PROGRAM-DATE-TIME:2025-11-23T12:13:20.000Z
#EXT-X-PART:DURATION=0.40000,URI="bbbbbbbb/source/p0.m4s",INDEPENDENT=YES
#EXT-X-PART:DURATION=0.40000,URI="bbbbbbbb/source/p1.m4s"
#EXT-X-PRELOAD-HINT:TYPE=PART,URI="bbbbbbbb/source/p2.m4s"
"""

ENDED = """\
#EXTM3U
#EXT-X-VERSION:6
#EXT-X-TARGETDURATION:2
#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=1.20000
#EXT-X-PART-INF:PART-TARGET=0.40000
#EXT-X-MEDIA-SEQUENCE:100
#EXT-X-DISCONTINUITY-SEQUENCE:0
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-MAP:URI="aaaaaaaa/source/init.mp4"
#EXT-X-PROGRAM-DATE-TIME:2025-11-23T12:13:20.000Z
#EXTINF:2.00000,
aaaaaaaa/source/s0.m4s
#EXT-X-PROGRAM-DATE-TIME:2025-11-23T12:13:22.000Z
#EXTINF:0.80000,
aaaaaaaa/source/s1.m4s
#EXT-X-ENDLIST
"""

MULTIVARIANT = """\
#EXTM3U
#EXT-X-VERSION:6
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-STREAM-INF:BANDWIDTH=6200000,AVERAGE-BANDWIDTH=4200000,\
CODECS="avc1.64001f,mp4a.40.2",RESOLUTION=1280x720,FRAME-RATE=30.000
source.m3u8
"""


def on_air() -> LiveProgramme:
    programme = LiveProgramme(MediaWindow(100, 10))
    programme.open_session(SESSION, description())
    programme.put_init(SESSION, (init_bytes(),))
    return programme


def put(programme: LiveProgramme, numbers: range, session: str = SESSION) -> None:
    for number in numbers:
        programme.put_part(session, number, (part_bytes(number),))


def test_the_live_playlist_over_a_killed_broadcast():
    programme = on_air()
    put(programme, range(11))
    programme.open_session(NEXT_SESSION, description())
    programme.put_init(NEXT_SESSION, (init_bytes(1),))
    put(programme, range(2), NEXT_SESSION)
    assert programme.playlist("source").text.decode() == LIVE


def test_the_ended_playlist_has_no_hint_and_no_parts():
    programme = on_air()
    put(programme, range(7))
    programme.end()
    assert programme.playlist("source").text.decode() == ENDED


def test_the_multivariant_playlist():
    programme = on_air()
    assert multivariant(programme.description).text.decode() == MULTIVARIANT


def test_the_first_part_alone_makes_a_playlist():
    programme = on_air()
    assert not programme.ready
    put(programme, range(1))
    assert programme.ready


def test_rounded_durations_never_exceed_the_part_target():
    third = Fraction(1, 3)
    text = render_media(
        MediaPlaylist(
            segment_duration=Fraction(2),
            part_target=third,
            media_sequence=7,
            discontinuity_sequence=0,
            segments=(
                SegmentLines(
                    discontinuity=False,
                    map_uri="s/init.mp4",
                    program_date_time=0.0004,
                    parts=(PartLine("s/p0.m4s", third, independent=True),),
                    duration=third,
                    uri=None,
                ),
            ),
            preload_hint="s/p1.m4s",
            ended=False,
        )
    )
    assert "PART-TARGET=0.33333\n" in text
    assert "DURATION=0.33333," in text
    assert "PART-HOLD-BACK=1.00000" in text
    assert "1970-01-01T00:00:00.000Z" in text


def test_target_duration_is_rounded_up():
    text = render_media(
        MediaPlaylist(
            segment_duration=Fraction(60, 25),
            part_target=Fraction(12, 25),
            media_sequence=1,
            discontinuity_sequence=3,
            segments=(),
            preload_hint=None,
            ended=False,
        )
    )
    assert "#EXT-X-TARGETDURATION:3\n" in text
    assert "#EXT-X-DISCONTINUITY-SEQUENCE:3\n" in text


def test_several_renditions_stand_one_after_the_other():
    variants = tuple(
        Variant(
            uri=f"{height}.m3u8",
            bandwidth=height,
            average_bandwidth=height,
            codecs="avc1.64001f,mp4a.40.2",
            width=height * 16 // 9,
            height=height,
            fps=25,
        )
        for height in (720, 360)
    )
    text = render_multivariant(variants)
    assert text.count("#EXT-X-STREAM-INF") == 2
    assert text.index("720.m3u8") < text.index("360.m3u8")
    assert "FRAME-RATE=25.000" in text


def ladder(parts: int) -> LiveProgramme:
    described = description(renditions=LADDER)
    programme = LiveProgramme(MediaWindow(100, 10))
    programme.open_session(SESSION, described)
    programme.put_init(SESSION, init_set(described))
    for number in range(parts):
        programme.put_part(SESSION, number, part_set(number, described))
    return programme


def test_each_rendition_reports_the_others():
    programme = ladder(7)
    text = programme.playlist("360p").text.decode()
    assert '#EXT-X-RENDITION-REPORT:URI="source.m3u8",LAST-MSN=101,LAST-PART=1\n' in text
    assert '#EXT-X-RENDITION-REPORT:URI="audio.m3u8",LAST-MSN=101,LAST-PART=1\n' in text
    assert text.count("RENDITION-REPORT") == 2
    assert 'URI="aaaaaaaa/360p/p6.m4s"' in text


def test_sound_alone_can_be_decoded_from_any_part():
    lines = ladder(7).playlist("audio").text.decode().splitlines()
    parts = [line for line in lines if line.startswith("#EXT-X-PART:")]
    assert len(parts) == 7
    assert all("INDEPENDENT=YES" in line for line in parts)


def test_the_multivariant_playlist_has_no_picture_for_sound_alone():
    text = multivariant(ladder(1).description).text.decode()
    *_, sound, uri = text.splitlines()
    assert uri == "audio.m3u8"
    assert 'CODECS="mp4a.40.2"' in sound
    assert "RESOLUTION" not in sound


def test_a_rendition_that_an_earlier_run_lacked_has_a_gap_there():
    programme = on_air()
    put(programme, range(5))
    described = description(renditions=LADDER)
    programme.open_session(NEXT_SESSION, described)
    programme.put_init(NEXT_SESSION, init_set(described))
    programme.put_part(NEXT_SESSION, 0, part_set(0, described))
    text = programme.playlist("360p").text.decode()
    assert "#EXT-X-GAP\n#EXTINF:2.00000,\naaaaaaaa/360p/s0.m4s\n#EXT-X-DISCONTINUITY\n" in text
    assert text.count("#EXT-X-MAP") == 1
