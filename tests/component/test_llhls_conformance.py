"""The conformance checklist for Low-Latency HLS, by number (RFC 8216bis, Apple's authoring rules).

1 to 17 are rules of a playlist's text, in every version of a programme's life; 18 to 37 are rules
of delivery, over real sockets; 38 to 44 are rules of the media, as the broadcast's own encoder
makes it. 45 to 49 are players: `tests/e2e/test_players.py` and `make bench-latency`.
"""

import asyncio
import gzip
import json
import re
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from functools import cache
from itertools import pairwise
from math import ceil
from pathlib import Path

import av
import numpy as np
import pytest

from bridge.broadcast.media.encoder import AudioEncoder, EncoderSettings, VideoEncoder, describe
from bridge.broadcast.media.ladder import Ladder
from bridge.broadcast.media.packets import SOURCE, Grid, Rendition
from bridge.broadcast.outputs import fmp4, hls
from bridge.broadcast.outputs.packager import Packager, Part
from bridge.protocol.boxes import boxes
from bridge.protocol.upload import PART_BOXES, ProgrammeDescription, split
from bridge.server.origin.live import LiveProgramme
from bridge.server.origin.texts import multivariant
from bridge.server.origin.window import MediaWindow
from tests.component.test_origin_http import PLAYLIST, Door, door
from tests.server import (
    LADDER,
    NEXT_SESSION,
    SESSION,
    description,
    init_set,
    part_set,
)

__all__ = ["door"]

LISTED = 10
GRID = Grid(fps=30, part_frames=12, segment_frames=60)


@dataclass(frozen=True, slots=True)
class Version:
    """One state of one playlist."""

    rendition: str
    text: str
    ended: bool

    def tag(self, name: str) -> str:
        """Value of the tag that stands once."""
        (found,) = re.findall(rf"^#EXT-X-{name}:(.*)$", self.text, re.MULTILINE)
        return str(found)

    @property
    def parts(self) -> list[tuple[Fraction, str, bool]]:
        found = re.findall(r'#EXT-X-PART:DURATION=([\d.]+),URI="([^"]+)"(,INDEP)?', self.text)
        return [(Fraction(duration), uri, bool(own)) for duration, uri, own in found]

    @property
    def segments(self) -> list[list[str]]:
        """Lines of each segment, the open one too."""
        body = self.text.split("#EXT-X-INDEPENDENT-SEGMENTS\n")[1].split("#EXT-X-PRELOAD")[0]
        found: list[list[str]] = [[]]
        for line in body.splitlines():
            found[-1].append(line)
            if line.endswith(".m4s"):
                found.append([])
        return [lines for lines in found if lines and lines != ["#EXT-X-ENDLIST"]]

    @property
    def durations(self) -> list[Fraction]:
        return [Fraction(one) for one in re.findall(r"#EXTINF:([\d.]+),", self.text)]


@cache
def life() -> tuple[Version, ...]:
    """Every version: a broadcast, its death, another one, the end."""
    described = description(renditions=LADDER)
    programme = LiveProgramme(MediaWindow(881_000_000, LISTED))
    found: list[Version] = []

    def look(ended: bool = False) -> None:
        for one in LADDER:
            text = programme.playlist(one.name).text.decode()
            found.append(Version(one.name, text, ended))

    for session, count in ((SESSION, 78), (NEXT_SESSION, 72)):
        programme.open_session(session, described)
        programme.put_init(session, init_set(described))
        for number in range(count):
            programme.put_part(session, number, part_set(number, described))
            look()
    programme.end()
    look(ended=True)
    return tuple(found)


def live() -> Iterator[Version]:
    return (version for version in life() if not version.ended)


def of(rendition: str) -> list[Version]:
    return [version for version in life() if version.rendition == rendition]


def test_01_first_line_version_and_tags_once_before_the_first_segment():
    for version in life():
        lines = version.text.splitlines()
        assert lines[:2] == ["#EXTM3U", "#EXT-X-VERSION:6"]
        head = version.text.split("#EXT-X-MAP")[0]
        for tag in ("TARGETDURATION", "SERVER-CONTROL", "PART-INF", "MEDIA-SEQUENCE"):
            assert version.text.count(f"#EXT-X-{tag}:") == head.count(f"#EXT-X-{tag}:") == 1


def test_02_no_part_is_longer_than_the_target_as_written():
    for version in live():
        target = Fraction(version.tag("PART-INF").removeprefix("PART-TARGET="))
        assert all(duration <= target for duration, _, _ in version.parts)


def test_03_no_part_is_shorter_than_85_percent():
    for version in live():
        target = Fraction(version.tag("PART-INF").removeprefix("PART-TARGET="))
        assert all(duration >= target * Fraction(85, 100) for duration, _, _ in version.parts)


def test_04_three_parts_of_hold_back():
    for version in life():
        held = re.search(r"PART-HOLD-BACK=([\d.]+)", version.tag("SERVER-CONTROL"))
        assert held is not None
        target = Fraction(version.tag("PART-INF").removeprefix("PART-TARGET="))
        assert Fraction(held[1]) >= 3 * target
        # Without HOLD-BACK it is three target durations.
        assert ",HOLD-BACK" not in version.tag("SERVER-CONTROL")


def test_05_no_segment_is_longer_than_the_target_duration():
    for version in life():
        target = int(version.tag("TARGETDURATION"))
        assert all(round(duration) <= target for duration in version.durations)


def test_06_a_segment_is_as_long_as_its_parts():
    for version in live():
        for lines in version.segments:
            text = "\n".join(lines)
            parts = [Fraction(one) for one in re.findall(r"PART:DURATION=([\d.]+)", text)]
            whole = re.search(r"#EXTINF:([\d.]+)", text)
            if parts and whole:
                assert abs(sum(parts) - Fraction(whole[1])) <= Fraction(1, 1000)


def test_07_one_hint_which_is_the_next_part():
    for rendition in ("source", "audio"):
        versions = of(rendition)
        for version, following in pairwise(versions):
            (hint,) = re.findall(r'PRELOAD-HINT:TYPE=PART,URI="([^"]+)"', version.text)
            if not following.ended and hint.split("/")[0] in following.parts[-1][1]:
                assert following.parts[-1][1] == hint


def test_08_no_parts_far_from_the_end():
    for version in live():
        after = Fraction(0)
        target = int(version.tag("TARGETDURATION"))
        for lines in reversed(version.segments):
            parts = [line for line in lines if line.startswith("#EXT-X-PART:")]
            assert not parts or after <= 3 * target
            after += len(parts) * Fraction(2, 5) if parts else target


def test_09_a_date_on_every_segment_and_they_fit_together():
    for version in life():
        dates = []
        for lines in version.segments:
            (date,) = [one for one in lines if one.startswith("#EXT-X-PROGRAM-DATE-TIME:")]
            moment = datetime.fromisoformat(date.split(":", 1)[1])
            dates.append((moment, "#EXT-X-DISCONTINUITY" in lines))
        for ((one, _), (other, anew)), duration in zip(
            pairwise(dates), version.durations, strict=False
        ):
            assert anew or abs((other - one).total_seconds() - duration) <= 0.001


def test_10_what_a_segment_begins_with_stands_before_its_parts():
    for version in life():
        for lines in version.segments:
            kinds = [line.split(":")[0] for line in lines]
            first = kinds.index("#EXT-X-PART") if "#EXT-X-PART" in kinds else len(kinds)
            for tag in ("#EXT-X-DISCONTINUITY", "#EXT-X-MAP", "#EXT-X-PROGRAM-DATE-TIME"):
                assert tag not in kinds[first:]


def test_11_the_head_never_changes():
    fixed = ("TARGETDURATION", "SERVER-CONTROL", "PART-INF")
    assert len({tuple(version.tag(name) for name in fixed) for version in life()}) == 1


def test_12_the_media_sequence_grows_by_what_has_left():
    for version, following in pairwise(of("source")):
        gone = int(following.tag("MEDIA-SEQUENCE")) - int(version.tag("MEDIA-SEQUENCE"))
        names, left = (
            re.findall(r"^[^#\n]+\.m4s$", one.text, re.MULTILINE) for one in (version, following)
        )
        assert gone >= 0
        assert names[gone:] == left[: len(names) - gone]


def test_13_the_discontinuity_sequence_is_always_there_and_counts_what_has_left():
    counts = [int(version.tag("DISCONTINUITY-SEQUENCE")) for version in of("source")]
    assert counts == sorted(counts)
    assert set(counts) == {0, 1}
    for version in of("source"):
        shown = "#EXT-X-DISCONTINUITY\n" in version.text
        assert not (shown and version.tag("DISCONTINUITY-SEQUENCE") == "1")


def test_14_the_window_is_six_segments_and_more_once_there_are():
    """A young programme is served from its first part on: viewers would rather see it."""
    for version in live():
        grown = int(version.tag("MEDIA-SEQUENCE")) > 881_000_000
        assert not grown or len(version.durations) == LISTED >= 6


def test_15_the_end_has_no_hint_and_no_open_segment():
    for version in life():
        assert version.ended == version.text.endswith("#EXT-X-ENDLIST\n")
        if version.ended:
            assert "PRELOAD-HINT" not in version.text
            assert all(lines[-1].endswith(".m4s") for lines in version.segments)


def test_16_the_multivariant_playlist_says_what_the_init_sections_are():
    media = made()
    text = multivariant(media.description).text.decode()
    for one, init in zip(media.description.renditions, media.inits, strict=True):
        assert f'CODECS="{one.codecs}"' in text
        assert f"AVERAGE-BANDWIDTH={one.average_bandwidth}" in text
        if one.has_picture:
            at = init.index(b"avcC") + 5
            assert one.codecs.startswith(f"avc1.{init[at : at + 3].hex()}")
            assert f"RESOLUTION={one.width}x{one.height},FRAME-RATE=30.000" in text


def test_17_reports_say_where_the_other_renditions_are():
    for version in live():
        reports = re.findall(
            r'RENDITION-REPORT:URI="(\w+).m3u8",LAST-MSN=(\d+),LAST-PART=(\d+)', version.text
        )
        assert {name for name, _, _ in reports} == {one.name for one in LADDER} - {
            version.rendition
        }
        last = int(version.tag("MEDIA-SEQUENCE")) + len(version.segments) - 1
        open_parts = sum(line.startswith("#EXT-X-PART:") for line in version.segments[-1])
        assert {(int(msn), int(part)) for _, msn, part in reports} == {(last, open_parts - 1)}


@pytest.mark.parametrize("query", ["_HLS_part=0", "_HLS_msn=abc", "_HLS_msn=-1", "_HLS_msn=1e99"])
async def test_18_19_malformed_directives_are_a_400(door: Door, query: str):
    await door.begin()
    await door.feed(range(3))
    assert (await door.get(f"{PLAYLIST}?{query}")).status == 400


async def test_20_21_the_limit_ahead_is_exact(door: Door):
    await door.begin()
    await door.feed(range(2))
    newest = (door.first_msn, 1)
    limit = newest[1] + ceil(3 / 0.4)
    begin = time.monotonic()
    for query in (f"_HLS_msn={newest[0] + 2}", f"_HLS_msn={newest[0] + 1}&_HLS_part={limit - 4}"):
        assert (await door.get(f"{PLAYLIST}?{query}")).status == 400
    assert time.monotonic() - begin < 0.5
    held = asyncio.create_task(
        door.get(f"{PLAYLIST}?_HLS_msn={newest[0] + 1}&_HLS_part={limit - 5}")
    )
    await door.held(1)
    await door.feed(range(2, limit + 1))
    assert (await held).status == 200


async def test_22_23_24_what_is_past_beyond_a_segment_or_a_whole_segment(door: Door):
    await door.begin()
    await door.feed(range(5))
    first = door.first_msn
    assert (await door.get(f"{PLAYLIST}?_HLS_msn=3&_HLS_part=1")).status == 200
    beyond = asyncio.create_task(door.get(f"{PLAYLIST}?_HLS_msn={first}&_HLS_part=5"))
    whole = asyncio.create_task(door.get(f"{PLAYLIST}?_HLS_msn={first}"))
    await door.held(2)
    await door.feed(range(5, 6))
    assert b"p5.m4s" in await (await beyond).read()
    assert b"#EXTINF" in await (await whole).read()


async def test_27_the_hinted_part_comes_whole_or_not_at_all(door: Door):
    await door.begin()
    await door.feed(range(3))
    asked = asyncio.create_task(door.get(f"/live/room/{SESSION}/source/p3.m4s"))
    await door.held(1)
    assert not asked.done(), "not a byte of the head either"
    await door.feed(range(3, 4))
    answer = await asked
    assert answer.headers["Content-Length"] == str(len(await answer.read()))
    assert (await door.get(f"/live/room/{SESSION}/source/p9.m4s")).status == 404


async def test_28_what_has_left_the_playlist_stays_for_a_while(door: Door):
    await door.begin()
    await door.feed(range(20))
    listed = await (await door.get(PLAYLIST)).text()
    for number in range(20):
        answer = await door.get(f"/live/room/{SESSION}/source/p{number}.m4s")
        assert answer.status == 200
    assert "p4.m4s" not in listed
    assert (await door.get(f"/live/room/{SESSION}/source/s0.m4s")).status == 200
    await door.feed(range(20, 90))
    assert (await door.get(f"/live/room/{SESSION}/360p/p1.m4s")).status == 404


async def test_29_30_31_32_compression_lifetimes_and_other_sites(door: Door):
    await door.begin()
    await door.feed(range(6))
    plain = await door.get(PLAYLIST)
    zipped = await door.get(PLAYLIST, **{"Accept-Encoding": "gzip"})
    assert gzip.decompress(await zipped.read()) == await plain.read()
    assert plain.headers["Vary"] == "Accept-Encoding"
    for path, kept in (
        (PLAYLIST, "max-age=1"),
        (f"{PLAYLIST}?_HLS_msn={door.first_msn}", "max-age=12"),
        (f"/live/room/{SESSION}/source/p0.m4s", "immutable"),
        (f"{PLAYLIST}?_HLS_part=1", "max-age=1"),
    ):
        for method in ("GET", "HEAD", "OPTIONS"):
            answer = await door.ask(method, path)
            assert answer.headers["Access-Control-Allow-Origin"] == "*"
            assert "Age" in answer.headers["Access-Control-Expose-Headers"]
            assert method == "OPTIONS" or kept in answer.headers["Cache-Control"]
    assert plain.content_type == "application/vnd.apple.mpegurl"


async def test_33_37_all_get_the_same_and_can_fetch_what_it_names(door: Door):
    await door.begin()
    await door.feed(range(3))
    url = f"{PLAYLIST}?_HLS_msn={door.first_msn}&_HLS_part=3"
    asked = [asyncio.create_task(door.get(url)) for _ in range(3)]
    await door.held(3)
    await door.feed(range(3, 4))
    bodies = {await (await one).read() for one in asked}
    assert len(bodies) == 1
    for uri in re.findall(rb'PART:.*URI="([^"]+)"', bodies.pop()):
        assert (await door.get(f"/live/room/{uri.decode()}")).status == 200


# 25, 26 and 36 are in `test_origin_http.py` and `test_lane.py`; 34 and 35 are figures of the bench.


@dataclass(frozen=True, slots=True)
class Media:
    """Twenty seconds of a moving picture and a tone, in every rendition."""

    description: ProgrammeDescription
    inits: tuple[bytes, ...]
    parts: tuple[Part, ...]

    def rendition(self, position: int) -> list[bytes]:
        """Parts of one rendition."""
        count = len(self.inits)
        return [split(part.data, PART_BOXES, count)[position] for part in self.parts]


@cache
def made() -> Media:
    settings = EncoderSettings(
        width=1280, height=720, grid=GRID, video_kbps=1500, audio_kbps=128, preset="ultrafast",
        ladder=("360p", "audio"),
    )  # fmt: skip
    video, audio, ladder = VideoEncoder(settings), AudioEncoder(settings), Ladder(settings)
    source = Rendition(name=SOURCE, parameters=describe(settings, video, audio))
    renditions = ladder.renditions(source, audio)
    packager = Packager(GRID, [one.name for one in renditions])
    noise = np.random.default_rng(7).integers(16, 235, (1080, 1280), np.uint8)
    parts: list[Part] = []
    for frame in range(600):
        times = np.arange(frame * 1600, (frame + 1) * 1600) / 48_000
        tone = np.stack([0.3 * np.sin(2 * np.pi * 440 * times)] * 2).astype(np.float32)
        picture = av.VideoFrame.from_ndarray(np.roll(noise, frame, axis=1), format="yuv420p")
        for packet in (
            *audio.encode(tone), *video.encode(picture, frame), *ladder.encode(picture, frame)
        ):  # fmt: skip
            parts += packager.put(packet)
    inits = tuple(fmp4.init_segment(one.parameters, picture=one.has_picture) for one in renditions)
    return Media(hls.describe(renditions, GRID, 0.0), inits, tuple(parts))


def probe(path: Path) -> dict[str, list[dict[str, str]]]:
    command = [
        "ffprobe", "-v", "error", "-of", "json", "-show_entries",
        "packet=pts,duration,flags,codec_type,pts_time:stream=codec_type,nb_read_packets",
        "-count_packets", str(path),
    ]  # fmt: skip
    # What it says on the side is of decoding, which nobody asked for: test 43 does.
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, list[dict[str, str]]] = json.loads(done.stdout)
    return found


@pytest.fixture(params=range(3), ids=["source", "360p", "audio"])
def rendition(request: pytest.FixtureRequest) -> int:
    return int(request.param)


def test_38_init_with_a_part_a_segment_or_all_is_a_file(rendition, tmp_path):
    media = made()
    parts, init = media.rendition(rendition), media.inits[rendition]
    for name, chosen, frames in (("part", parts[5:6], 12), ("segment", parts[5:10], 60),
                                 ("all", parts, 600)):  # fmt: skip
        file = tmp_path / f"{name}.mp4"
        file.write_bytes(init + b"".join(chosen))
        packets = probe(file)["packets"]
        pictures = sum(one["codec_type"] == "video" for one in packets)
        assert pictures == (frames if media.description.renditions[rendition].has_picture else 0)
        assert len(packets) > pictures


def test_39_timestamps_have_no_gap_in_either_track(rendition, tmp_path):
    media = made()
    file = tmp_path / "all.mp4"
    file.write_bytes(media.inits[rendition] + b"".join(media.rendition(rendition)))
    packets = probe(file)["packets"]
    for kind in {one["codec_type"] for one in packets}:
        track = [one for one in packets if one["codec_type"] == kind]
        for one, other in pairwise(track):
            assert int(other["pts"]) == int(one["pts"]) + int(one.get("duration", 1024))
    assert abs(float(packets[0]["pts_time"]) - 10) < 0.05


def test_40_segments_begin_with_a_keyframe_and_flags_say_so(rendition, tmp_path):
    media = made()
    has_picture = media.description.renditions[rendition].has_picture
    for number, data in enumerate(media.rendition(rendition)):
        file = tmp_path / "part.mp4"
        file.write_bytes(media.inits[rendition] + data)
        if number > 12:
            break
        pictures = [one for one in probe(file)["packets"] if one["codec_type"] == "video"]
        keys = [index for index, one in enumerate(pictures) if "K" in one["flags"]]
        assert keys == ([0] if has_picture and number % 5 == 0 else [])


def test_41_segments_are_their_parts_and_parts_know_their_number():
    media = made()
    described = media.description
    window = MediaWindow(100, 6)
    window.open_session(SESSION, described)
    window.put_init(SESSION, media.inits)
    for part in media.parts[:11]:
        window.put_part(SESSION, part.number, split(part.data, PART_BOXES, 3))
    for position, one in enumerate(described.renditions):
        whole = b"".join(media.rendition(position)[:5])
        assert window.find_segment(SESSION, one.name, 0) == whole
        assert [box.kind for box in boxes(whole)] == ["moof", "mdat"] * 5


def test_42_sound_and_picture_of_a_part_begin_together(tmp_path):
    """Within three AAC frames: the encoder's lead-in, the one being filled, one of rounding.

    That is where a part is cut; what is heard with what is seen is exact (39).
    """
    media = made()
    for data in media.rendition(0)[1:15]:
        file = tmp_path / "part.mp4"
        file.write_bytes(media.inits[0] + data)
        packets = probe(file)["packets"]
        first = {
            kind: min(float(one["pts_time"]) for one in packets if one["codec_type"] == kind)
            for kind in ("video", "audio")
        }
        assert abs(first["video"] - first["audio"]) <= 3 * 1024 / 48_000


def test_43_it_decodes_without_a_word(rendition, tmp_path):
    media = made()
    file = tmp_path / "all.mp4"
    file.write_bytes(media.inits[rendition] + b"".join(media.rendition(rendition)))
    command = ["ffmpeg", "-v", "error", "-xerror", "-i", str(file), "-f", "null", "-"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_44_bit_rates_are_what_the_playlist_says(rendition):
    """1.28 and 1.29 of the authoring rules: a moving picture, half of which is noise."""
    media = made()
    described = media.description.renditions[rendition]
    parts = media.rendition(rendition)
    sizes = [8 * sum(map(len, parts[at : at + 5])) / 2 for at in range(0, len(parts) - 4, 5)]
    assert sum(sizes) / len(sizes) <= 1.1 * described.average_bandwidth
    assert max(sizes) <= 1.25 * described.bandwidth
