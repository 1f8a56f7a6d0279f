"""MPEG-DASH of the same segments: the manifest is right, and each track is a file of its own."""

import re
import subprocess
from xml.etree import ElementTree as ET

import pytest

from bridge.clock import FakeClock
from bridge.errors import InputError
from bridge.protocol.upload import PART_BOXES, split
from bridge.server.origin.answers import Answer, Asked
from bridge.server.origin.origin import Origin
from bridge.server.origin.routes import Routes
from bridge.server.origin.tracks import Track, init_of, media_of
from tests.component.test_llhls_conformance import made, probe
from tests.helpers import until
from tests.server import NEXT_SESSION, SESSION, START_WALL

NS = {"m": "urn:mpeg:dash:schema:mpd:2011"}


@pytest.fixture
async def room(tmp_path):
    clock = FakeClock()
    clock.advance(START_WALL - clock.wall())
    origin = Origin(clock, listed=6, folder=tmp_path)
    origin.start()
    yield Room(origin)
    origin.close()
    await origin.stop()


class Room:
    """A programme of real media."""

    def __init__(self, origin: Origin) -> None:
        self.origin = origin
        self.routes = Routes(origin)

    async def put(self, session: str, count: int) -> None:
        media = made()
        described = media.description.model_copy(update={"start_wall": self.origin.wall()})
        programme = self.origin.open("room", described)
        programme.open_session(session, described)
        programme.put_init(session, media.inits)
        archive = programme.archive
        assert archive is not None
        before = sum(take.parts for take in archive._takes)
        for part in media.parts[:count]:
            programme.put_part(session, part.number, split(part.data, PART_BOXES, 3))
        await until(
            lambda: sum(take.parts for take in archive._takes) == before + count, "all is written"
        )

    async def get(self, name: str) -> Answer:
        reply = self.routes(Asked("GET", f"/live/room/{name}", ""))
        answer = reply if isinstance(reply, Answer) else await reply  # type: ignore[misc]
        assert isinstance(answer, Answer)
        return answer

    async def manifest(self) -> ET.Element:
        answer = await self.get("manifest.mpd")
        assert answer.status == 200
        return ET.fromstring(bytes(answer.body))


def timeline(adaptation: ET.Element) -> list[tuple[int, int]]:
    """Start and duration of each segment."""
    found: list[tuple[int, int]] = []
    for one in adaptation.iterfind(".//m:S", NS):
        start, duration = int(one.attrib["t"]), int(one.attrib["d"])
        repeats = range(int(one.get("r", "0")) + 1)
        found += ((start + repeat * duration, duration) for repeat in repeats)
    return found


async def test_a_live_manifest_names_what_there_is(room):
    await room.put(SESSION, 23)
    mpd = await room.manifest()
    assert mpd.attrib["type"] == "dynamic"
    (period,) = mpd.iterfind("m:Period", NS)
    picture, sound = period.iterfind("m:AdaptationSet", NS)
    assert (
        timeline(picture)
        == timeline(sound)
        == [(900_000 + 180_000 * number, 180_000) for number in range(4)]
    )
    names = [one.attrib["id"] for one in picture.iterfind("m:Representation", NS)]
    assert names == ["source", "360p"]
    timing = mpd.find("m:UTCTiming", NS)
    assert timing is not None
    now = await room.get(timing.attrib["value"])
    assert re.fullmatch(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", bytes(now.body))


async def test_every_address_of_the_manifest_is_one_track(room, tmp_path):
    await room.put(SESSION, 50)
    mpd = await room.manifest()
    for adaptation, kind in zip(
        mpd.iterfind(".//m:AdaptationSet", NS), ("video", "audio"), strict=True
    ):
        template = adaptation.find("m:SegmentTemplate", NS)
        assert template is not None
        for one in adaptation.iterfind("m:Representation", NS):
            own = template.attrib["initialization"].replace("$RepresentationID$", one.attrib["id"])
            data = bytes((await room.get(own)).body)
            for number in range(9):
                media = template.attrib["media"].replace("$RepresentationID$", one.attrib["id"])
                answer = await room.get(media.replace("$Number$", str(number)))
                assert answer.status == 200, media
                data += bytes(answer.body)
            file = tmp_path / f"{one.attrib['id']}.mp4"
            file.write_bytes(data)
            assert {packet["codec_type"] for packet in probe(file)["packets"]} == {kind}
            command = ["ffmpeg", "-v", "error", "-xerror", "-i", str(file), "-f", "null", "-"]
            done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: ASYNC221 - nothing else runs here
            assert (done.returncode, done.stderr) == (0, "")


async def test_a_new_session_is_a_period_and_the_end_makes_it_static(room):
    await room.put(SESSION, 12)
    await room.put(NEXT_SESSION, 13)
    room.origin.end("room")
    archive = room.origin.get("room").archive
    await until(lambda: archive.ended, "the end is written")
    mpd = await room.manifest()
    assert (mpd.attrib["type"], mpd.attrib["mediaPresentationDuration"]) == ("static", "PT10.000S")
    periods = list(mpd.iterfind("m:Period", NS))
    assert [one.attrib["start"] for one in periods] == ["PT0.000S", "PT4.800S"]
    last = periods[1].find("m:AdaptationSet", NS)
    assert last is not None
    assert [duration for _, duration in timeline(last)] == [180_000, 180_000, 108_000]


def test_a_track_that_is_not_there_is_refused():
    media = made()
    with pytest.raises(InputError):
        init_of(media.inits[2], Track.PICTURE)
    assert media_of(media.rendition(2)[0], Track.PICTURE) == b""
    with pytest.raises(InputError):
        media_of(b"\0\0\0\x08free", Track.SOUND)
