"""Parts that were interrupted: picture and sound stay in step, and nothing is coded anew."""

import asyncio
import os
import random
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import pytest

from bridge.clock import FakeClock
from bridge.errors import OutputError
from bridge.server.recordings import finisher
from bridge.server.recordings.clip import ClipCutter
from bridge.server.recordings.ffmpeg import DISK_FULL, run
from bridge.server.recordings.library import RecordingLibrary
from bridge.server.recordings.model import RecordingState
from bridge.server.recordings.sample_table import PICTURE, SOUND, media_duration, read_tables
from bridge.server.recordings.timeline import load_timeline
from tests import media
from tests.component.recorded_parts import (
    ROOM,
    chapter_titles,
    difference,
    finish,
    ignore_progress,
    inodes,
    pictures,
    recorded,
    samples,
    write_journal,
    write_log,
    write_part,
)

FRAME = 1 / 30
AAC_FRAME = 1024 / 48_000

KILLED_FINISH = """
import asyncio, pathlib, sys
from bridge.server.recordings import finisher
def tell(done):
    print(done, flush=True)
asyncio.run(finisher.finish(pathlib.Path(sys.argv[1]), "ffmpeg", on_progress=tell))
"""


def _tracks(path: Path) -> tuple[list[float], list[float]]:
    """Times of all pictures and of all frames of sound."""
    packets = media.probe(path, "-show_packets")["packets"]
    kinds = ("video", "audio")
    video, audio = (
        [float(p["pts_time"]) for p in packets if p["codec_type"] == kind] for kind in kinds
    )
    return video, audio


async def test_a_recording_that_resumed_in_a_further_part_stays_in_step(tmp_path: Path) -> None:
    write_part(tmp_path, 1, recorded(5))
    write_part(tmp_path, 2, recorded(9, begin=6))
    write_part(tmp_path, 3, recorded(3))
    duration = await finish(tmp_path)
    assert duration == pytest.approx(5 + 3 + 3, abs=3 * FRAME)
    file = tmp_path / "programme.mp4"
    media.decodes_cleanly(file)
    video, audio = _tracks(file)
    assert len(video) == 330
    for frame, expected in ((150, 5), (240, 8)):
        assert video[frame] == pytest.approx(expected, abs=2 * FRAME)
        nearest = min(audio, key=lambda time: abs(time - video[frame]))
        assert nearest == pytest.approx(video[frame], abs=AAC_FRAME)
    assert float(media.probe(file)["format"]["duration"]) == pytest.approx(duration, abs=0.001)


async def test_joining_changes_no_byte_of_a_sample(tmp_path: Path) -> None:
    parts = [
        write_part(tmp_path, 1, recorded(4)),
        write_part(tmp_path, 2, recorded(9, begin=6)),
    ]
    await finish(tmp_path)
    for kind in ("video", "audio"):
        coded = [sample for part in parts for sample in samples(part, kind)]
        assert samples(tmp_path / "programme.mp4", kind) == coded


async def test_parts_of_unlike_encoders_are_joined_and_cut_all_the_same(tmp_path: Path) -> None:
    write_part(tmp_path, 1, recorded(4))
    write_part(tmp_path, 2, recorded(6, fps=25))
    assert await finish(tmp_path) == pytest.approx(10, abs=2 * FRAME)
    file = tmp_path / "programme.mp4"
    media.decodes_cleanly(file)
    video, _ = _tracks(file)
    assert len(video) == 4 * 30 + 6 * 25
    shown = pictures(file)
    cutter = ClipCutter("ffmpeg")
    for begin, exact in ((3, True), (6, True), (6, False)):
        clip = await cutter.cut(tmp_path, Fraction(begin), Fraction(10), exact=exact)
        media.decodes_cleanly(clip)
        got = pictures(clip)
        assert difference(got[-1][1], shown[-1][1]) == 0
        assert difference(got[-50][1], shown[-50][1]) == 0


@pytest.mark.parametrize("hole", [(2.0, 3.2), (2.0, 16.0)])
async def test_a_hole_inside_a_part_stays_a_hole_in_both_tracks(
    tmp_path: Path, hole: tuple[float, float]
) -> None:
    end = hole[1] + 4
    write_part(tmp_path, 1, recorded(end, hole=hole))
    duration = await finish(tmp_path)
    assert duration == pytest.approx(end, abs=2 * FRAME)
    video, audio = _tracks(tmp_path / "programme.mp4")
    # The recorder goes on with the next segment, of 2 s.
    on = hole[1] if hole[1] % 2 == 0 else 4.0
    assert [time for time in video if time < hole[0]][-1] == pytest.approx(hole[0], abs=2 * FRAME)
    assert min(time for time in video if time >= hole[0]) == pytest.approx(on, abs=FRAME)
    resumed = min(time for time in audio if time >= hole[0] + 0.1)
    assert resumed == pytest.approx(on, abs=AAC_FRAME)
    assert video[-1] + FRAME == pytest.approx(end, abs=FRAME)


async def test_chapters_of_all_parts_are_in_the_file_where_they_happened(tmp_path: Path) -> None:
    write_journal(tmp_path)
    write_part(tmp_path, 1, recorded(5))
    write_part(tmp_path, 2, recorded(9, begin=6))
    write_log(tmp_path, 1, (0, "start", ""), (2, "turn", "Opening = Ada; #1 \\ é"))
    write_log(tmp_path, 2, (7.5, "marker", "Question"))
    await finish(tmp_path)
    expected = [(0, "Cars should go"), (2, "Opening = Ada; #1 \\ é"), (6.5, "Question")]
    found = chapter_titles(tmp_path / "programme.mp4")
    assert [title for _, title in found] == [title for _, title in expected]
    assert [at for at, _ in found] == pytest.approx([at for at, _ in expected], abs=2 * FRAME)
    timeline = load_timeline(tmp_path)
    assert [(event.part, event.kind) for event in timeline.events] == [
        (1, "start"),
        (1, "turn"),
        (2, "marker"),
    ]
    assert [part.start for part in timeline.parts] == pytest.approx([0, 6], abs=AAC_FRAME)


async def test_progress_grows_to_one(tmp_path: Path) -> None:
    write_part(tmp_path, 1, recorded(5))
    told: list[float] = []
    await finisher.finish(tmp_path, "ffmpeg", on_progress=told.append)
    assert told[0] == 0
    assert told[-1] == 1
    assert len(told) > 2
    assert told == sorted(told)


@pytest.mark.parametrize("first", [{"hole": (2, 4)}, {"begin": 2}])
async def test_the_index_of_the_finished_file_is_read_as_ffprobe_reads_it(
    tmp_path: Path, first: dict
) -> None:
    write_part(tmp_path, 1, recorded(6, **first))
    write_part(tmp_path, 2, recorded(5))
    await finish(tmp_path)
    file = tmp_path / "programme.mp4"
    packets = media.probe(file, "-show_packets")["packets"]
    tables = {table.kind: table for table in read_tables(file)}
    for name, kind in (("video", PICTURE), ("audio", SOUND)):
        table = tables[kind]
        own = [packet for packet in packets if packet["codec_type"] == name]
        times = [float(packet["pts_time"]) for packet in own]
        assert [float(table.time(n)) for n in range(table.count)] == pytest.approx(times, abs=1e-3)
        assert [table.first_from(table.time(n)) for n in range(table.count)] == list(
            range(table.count)
        )
        assert table.first_from(table.end) == table.count
    keys = [n for n, p in enumerate(p for p in packets if p["codec_type"] == "video")
            if p["flags"].startswith("K")]  # fmt: skip
    picture = tables[PICTURE]
    assert list(picture.keyframes) == keys
    assert picture.keyframe_before(keys[1] + 1) == keys[1] == picture.keyframe_from(keys[1])
    assert picture.keyframe_from(keys[1] + 1) == keys[2]
    assert picture.keyframe_from(keys[-1] + 1) == picture.count


async def test_a_disk_that_fills_while_finishing_leaves_the_parts_and_says_so(
    tmp_path: Path,
) -> None:
    part = write_part(tmp_path, 1, recorded(3))
    size = part.stat().st_size
    full = tmp_path / "full-ffmpeg"
    full.write_text(
        "#!/bin/sh\necho half > programme.mp4.new\n"
        "echo 'av_interleaved_write_frame(): No space left on device' >&2\n"
        "echo 'Conversion failed!' >&2\nexit 1\n"
    )
    full.chmod(0o755)
    with pytest.raises(OutputError, match="The disk is full") as failure:
        await finisher.finish(tmp_path, str(full), on_progress=ignore_progress)
    assert failure.value.code == DISK_FULL
    assert not (tmp_path / "programme.mp4.new").exists()
    assert part.stat().st_size == size
    assert await finish(tmp_path) == pytest.approx(3, abs=2 * FRAME)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 1 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], check=True)
    yield folder
    subprocess.run(["umount", folder], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a small disk")
async def test_a_disk_without_room_is_told_before_it_is_full_and_tried_at_the_next_start(
    disk: Path,
) -> None:
    library = RecordingLibrary(disk, ffmpeg="ffmpeg", clock=FakeClock())
    await library.start()
    part = write_part(library.open(ROOM), 1, recorded(3))
    library.finish(ROOM.id)
    await library.wait_idle()
    await library.stop()
    (entry,) = library.entries()
    assert entry.state is RecordingState.FAILED
    assert re.fullmatch(r"The disk is full: 32 MB are needed, \d MB are free\.", entry.reason)
    assert [file.name for file in entry.files] == [part.name]
    await run(["mount", "-o", "remount,size=64m", str(disk)], folder=disk, seconds=10)
    again = RecordingLibrary(disk, ffmpeg="ffmpeg", clock=FakeClock())
    await again.start()
    await again.wait_idle()
    await again.stop()
    assert [entry.state for entry in again.entries()] == [RecordingState.READY]


def test_a_server_killed_at_any_moment_of_finishing_costs_nothing(tmp_path: Path) -> None:
    part = write_part(tmp_path, 1, recorded(30))
    write_log(tmp_path, 1, (12, "turn", "Ada"))
    size = part.stat().st_size
    for seed in range(6):
        server = subprocess.Popen(
            [sys.executable, "-c", KILLED_FINISH, tmp_path], stdout=subprocess.PIPE
        )
        assert server.stdout is not None
        assert server.stdout.readline() == b"0.0\n"
        time.sleep(random.Random(seed).uniform(0, 0.25))
        server.kill()
        server.communicate()
        assert part.stat().st_size == size
        if (tmp_path / "programme.mp4").exists():
            assert media_duration(tmp_path / "programme.mp4") == pytest.approx(30, abs=0.03)
    assert asyncio.run(finish(tmp_path)) == pytest.approx(30, abs=FRAME)
    media.decodes_cleanly(tmp_path / "programme.mp4")
    assert chapter_titles(tmp_path / "programme.mp4")[1] == (12, "Ada")
    finisher.drop_parts(tmp_path)
    assert sorted(inodes(tmp_path)) == ["events.json", "programme.mp4"]
