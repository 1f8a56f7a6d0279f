"""An independent strict parser reads every playlist of a programme's life."""

import asyncio
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from bridge.clock import FakeClock
from bridge.server.origin.live import LiveProgramme
from bridge.server.origin.texts import multivariant
from bridge.server.origin.window import MediaWindow
from tests.component.test_archive import Life
from tests.helpers import until
from tests.server import (
    LADDER,
    NEXT_SESSION,
    SESSION,
    START_WALL,
    description,
    init_set,
    part_set,
)

WEB = Path(__file__).parents[2] / "web"

JUDGE = """
import {parse, setOptions} from 'hls-parser';
setOptions({strictMode: true});
let text = '';
for await (const chunk of process.stdin) text += chunk;
for (const playlist of JSON.parse(text)) parse(playlist);
"""

pytestmark = pytest.mark.skipif(
    shutil.which("node") is None or not (WEB / "node_modules" / "hls-parser").is_dir(),
    reason="needs the web checks' packages: make test installs them",
)


def judge(playlists: list[str]) -> subprocess.CompletedProcess:
    return subprocess.run(
        ["node", "--input-type=module", "--eval", JUDGE],
        cwd=WEB,
        input=json.dumps(playlists),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def life(part_frames: int, segment_frames: int) -> list[str]:
    """Every version of the media playlist: a broadcast, its death, another one, the end."""
    programme = LiveProgramme(MediaWindow(881_000_000, 10))
    described = description(
        part_frames=part_frames, segment_frames=segment_frames, renditions=LADDER
    )
    texts: list[str] = []
    for session, parts in ((SESSION, 78), (NEXT_SESSION, 33)):
        programme.open_session(session, described)
        programme.put_init(session, init_set(described))
        for number in range(parts):
            programme.put_part(session, number, part_set(number, described))
            texts += (programme.playlist(one.name).text.decode() for one in LADDER)
    texts.append(multivariant(described).text.decode())
    programme.end()
    texts.append(programme.playlist("source").text.decode())
    return texts


@pytest.mark.parametrize(("part_frames", "segment_frames"), [(12, 60), (10, 60), (15, 60)])
def test_a_strict_parser_accepts_every_version(part_frames, segment_frames):
    verdict = judge(life(part_frames, segment_frames))
    assert verdict.returncode == 0, verdict.stderr[-2000:]


def test_the_judge_refuses_a_part_above_the_target():
    good = (life(12, 60))[20]
    bad = good.replace("PART-TARGET=0.40000", "PART-TARGET=0.30000")
    assert judge([bad]).returncode != 0


def test_the_head_is_the_same_line_by_line_over_the_whole_life():
    fixed = ("#EXT-X-VERSION", "#EXT-X-TARGETDURATION", "#EXT-X-SERVER-CONTROL", "#EXT-X-PART-INF")
    heads = {
        tuple(line for line in text.splitlines() if line.startswith(fixed))
        for text in life(12, 60)
        if "PART-INF" in text
    }
    assert len(heads) == 1


async def test_it_accepts_the_playlists_of_the_whole_and_gaps(tmp_path):
    texts = []
    clock = FakeClock()
    clock.advance(START_WALL - clock.wall())
    for session, renditions in ((SESSION, LADDER[:1]), (NEXT_SESSION, LADDER)):
        async with Life(tmp_path, clock) as room:
            room.put(range(38), session, renditions=renditions)
            await room.written(38 if session == SESSION else 76)
            names = [one.name for one in renditions]
            texts += [await room.text(f"{name}.m3u8") for name in names]
            texts += [await room.text(f"{name}-dvr.m3u8") for name in names]
            texts.append(await room.text("dvr.m3u8"))
            if session == NEXT_SESSION:
                room.origin.end("room")
                await until(lambda: room.programme.archive.ended, "all is written")
                texts += [await room.text(f"{name}-vod.m3u8") for name in names]
    assert any("#EXT-X-GAP" in text for text in texts)
    assert any("#EXT-X-PLAYLIST-TYPE:VOD" in text for text in texts)
    verdict = await asyncio.to_thread(judge, texts)
    assert verdict.returncode == 0, verdict.stderr[-2000:]
