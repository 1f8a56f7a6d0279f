"""From torn parts to an MP4 that ffprobe likes, with the real ffmpeg."""

import random
from itertools import pairwise
from pathlib import Path

import pytest

from bridge.broadcast.outputs import fmp4
from bridge.broadcast.outputs.packager import Packager
from bridge.clock import FakeClock
from bridge.rooms.model import Room
from bridge.server.recordings import derived, finisher
from bridge.server.recordings.ffmpeg import find_ffmpeg
from bridge.server.recordings.journal import load, save
from bridge.server.recordings.library import RecordingLibrary
from bridge.server.recordings.model import RecordingEntry, RecordingState
from tests import media
from tests.helpers import until

ROOM = Room(id="room1", motion="Cars should go", proposition="A", opposition="B", created_at=0.0)
FINISHED = sorted(["programme.mp4", "recording.json", *derived.DERIVED_FILES])


def _library(folder: Path, ffmpeg: str | None = "ffmpeg") -> RecordingLibrary:
    return RecordingLibrary(folder, ffmpeg=ffmpeg, clock=FakeClock())


def _recorded(seconds: float) -> bytes:
    """The bytes that a recorder writes."""
    parameters, packets = media.encode_programme(seconds)
    packager = Packager(media.grid())
    parts = [part for packet in packets for part in packager.put(packet)] + packager.flush()
    return fmp4.init_segment(parameters) + b"".join(part.data for part in parts)


async def _finish(library: RecordingLibrary, *parts: bytes) -> tuple[RecordingEntry, Path]:
    await library.start()
    folder = library.open(ROOM)
    for number, data in enumerate(parts, 1):
        (folder / f"programme-{number}.part.mp4").write_bytes(data)
    library.finish(ROOM.id)
    await library.wait_idle()
    (entry,) = library.entries()
    await library.stop()
    return entry, folder


def _starts_with_its_index(file: Path) -> bool:
    data = file.read_bytes()
    return data.index(b"moov") < data.index(b"mdat")


async def test_one_part_becomes_an_ordinary_mp4_from_zero(tmp_path: Path) -> None:
    library = _library(tmp_path)
    entry, folder = await _finish(library, _recorded(5))
    assert (entry.state, entry.reason) == (RecordingState.READY, "")
    assert entry.duration == pytest.approx(5, abs=0.1)
    file = entry.files[0]
    assert [each.kind for each in entry.files] == [
        "programme", "sound", "chapters", "youtube", "events", "poster",
    ]  # fmt: skip
    path = library.find(entry.id, file.name).path
    assert file.bytes == path.stat().st_size
    assert _starts_with_its_index(path)
    media.decodes_cleanly(path)
    report = media.probe(path)
    video, audio, _titles = report["streams"]
    assert float(report["format"]["duration"]) == pytest.approx(5, abs=0.1)
    assert int(video["nb_read_packets"]) == 150
    assert float(video["start_time"]) == pytest.approx(0, abs=0.001)
    assert float(audio["start_time"]) == pytest.approx(0, abs=0.001)
    assert video["avg_frame_rate"] == "30/1"
    parameters, packets = media.encode_programme(5)
    assert media.picture_digests(path) == media.packet_digests(parameters, packets)
    assert sorted(p.name for p in folder.iterdir()) == FINISHED


async def test_the_parts_of_a_debate_that_was_restarted_are_joined_in_step(
    tmp_path: Path,
) -> None:
    library = _library(tmp_path)
    entry, folder = await _finish(library, _recorded(5), b"", _recorded(3))
    assert (entry.state, entry.reason) == (RecordingState.READY, "")
    assert entry.duration == pytest.approx(8, abs=0.1)
    file = library.find(entry.id, "programme.mp4").path
    media.decodes_cleanly(file)
    packets = media.probe(file, "-show_packets")["packets"]
    video = [p for p in packets if p["codec_type"] == "video"]
    audio = [p for p in packets if p["codec_type"] == "audio"]
    assert len(video) == 240
    # Where the second broadcast begins, both tracks begin: in step to a frame of sound.
    second = float(video[150]["pts_time"])
    assert second == pytest.approx(5, abs=0.05)
    begins = min((float(p["pts_time"]) for p in audio), key=lambda t: abs(t - second))
    assert begins == pytest.approx(second, abs=0.022)
    times = [float(packet["pts_time"]) for packet in audio]
    steps = [later - time for time, later in pairwise(times)]
    assert min(steps) > 0
    assert max(steps) < 0.1
    assert sorted(p.name for p in folder.iterdir()) == FINISHED


@pytest.mark.parametrize("seed", range(6))
async def test_a_broadcast_killed_at_any_byte_loses_at_most_the_open_part(
    tmp_path: Path, seed: int
) -> None:
    data = _recorded(5)
    rng = random.Random(seed)
    cut = rng.randrange(len(data) // 4, len(data))
    library = _library(tmp_path)
    entry, _ = await _finish(library, data[:cut])
    assert (entry.state, entry.reason) == (RecordingState.READY, "")
    file = library.find(entry.id, "programme.mp4").path
    media.decodes_cleanly(file)
    # The torn part never counts: it is not whole.
    whole = int(media.probe_track(file, "video")["nb_read_packets"])
    assert whole % 12 in {0, 6}
    torn = tmp_path / "torn.mp4"
    torn.write_bytes(data[:cut])
    assert entry.duration == pytest.approx(whole / 30, abs=0.1)


async def test_a_crash_while_recording_is_made_good_at_the_next_start(tmp_path: Path) -> None:
    before = _library(tmp_path)
    folder = before.open(ROOM)
    (folder / "programme-1.part.mp4").write_bytes(_recorded(5)[:-1000])
    after = _library(tmp_path)
    await after.start()
    await after.wait_idle()
    (entry,) = after.entries()
    assert entry.state is RecordingState.READY
    assert load(folder).state is RecordingState.READY
    await after.stop()


@pytest.mark.parametrize("state", [RecordingState.RECORDING, RecordingState.FINISHING])
async def test_a_crash_between_the_rename_and_the_journal_is_made_good(
    tmp_path: Path, state: RecordingState
) -> None:
    before = _library(tmp_path)
    folder = before.open(ROOM)
    (folder / "programme-1.part.mp4").write_bytes(_recorded(5))
    (folder / "programme.mp4").write_bytes(b"of the crash")
    (folder / "programme.mp4.new").write_bytes(b"of the crash")
    save(folder, load(folder).model_copy(update={"state": state}))
    after = _library(tmp_path)
    await after.start()
    await after.wait_idle()
    (entry,) = after.entries()
    assert entry.state is RecordingState.READY
    media.decodes_cleanly(after.find(entry.id, "programme.mp4").path)
    await after.stop()


async def test_parts_left_behind_by_a_crash_after_ready_are_removed(tmp_path: Path) -> None:
    library = _library(tmp_path)
    _, folder = await _finish(library, _recorded(2))
    (folder / "programme-1.part.mp4").write_bytes(b"left")
    again = _library(tmp_path)
    await again.start()
    assert not (folder / "programme-1.part.mp4").exists()
    assert again.entries()[0].files[0].name == "programme.mp4"
    await again.stop()


async def test_stop_while_finishing_leaves_it_to_the_next_start(tmp_path: Path) -> None:
    library = _library(tmp_path)
    await library.start()
    folder = library.open(ROOM)
    (folder / "programme-1.part.mp4").write_bytes(_recorded(5))
    library.finish(ROOM.id)
    await library.stop()
    assert library.entries()[0].state is RecordingState.FINISHING
    again = _library(tmp_path)
    await again.start()
    await again.wait_idle()
    assert again.entries()[0].state is RecordingState.READY
    await again.stop()


@pytest.mark.parametrize(
    ("ffmpeg", "reason"),
    [(None, "no ffmpeg"), ("/bin/false", "ffmpeg failed (1)"), ("/bin/true", "")],
)
async def test_a_failure_says_why_and_leaves_the_parts_to_download(
    tmp_path: Path, ffmpeg: str | None, reason: str
) -> None:
    library = _library(tmp_path, ffmpeg)
    data = _recorded(5)
    entry, folder = await _finish(library, data)
    assert entry.state is RecordingState.FAILED
    assert entry.reason
    assert reason in entry.reason
    assert load(folder).reason == entry.reason
    (file,) = entry.files
    assert (file.name, file.bytes) == ("programme-1.part.mp4", len(data))
    assert library.find(entry.id, file.name).path.read_bytes() == data
    # With an ffmpeg, the next start succeeds.
    again = _library(tmp_path)
    await again.start()
    await again.wait_idle()
    assert again.entries()[0].state is RecordingState.READY
    await again.stop()


async def test_an_ffmpeg_that_makes_too_short_a_file_loses_nothing(tmp_path: Path) -> None:
    real = find_ffmpeg(None)
    assert real is not None
    short = tmp_path / "short-ffmpeg"
    short.write_text(f'#!/bin/sh\nexec {real} -t 1 "$@"\n')
    short.chmod(0o755)
    library = _library(tmp_path / "programmes", str(short))
    entry, folder = await _finish(library, _recorded(5))
    assert entry.state is RecordingState.FAILED
    assert "1.0 s instead of 5.0" in entry.reason
    assert not (folder / "programme.mp4").exists()
    assert [file.name for file in entry.files] == ["programme-1.part.mp4"]


def test_mending_twice_changes_nothing_more(tmp_path: Path) -> None:
    part = tmp_path / "programme-1.part.mp4"
    part.write_bytes(_recorded(2) + b"\0\0\1\0moofxx")
    assert len(finisher.mend(tmp_path)) == 1
    size = part.stat().st_size
    assert size == len(_recorded(2))
    assert len(finisher.mend(tmp_path)) == 1
    assert part.stat().st_size == size


async def test_a_recording_is_offered_for_its_copy_until_there_is_one(tmp_path: Path) -> None:
    library = _library(tmp_path)
    offered: list[str] = []
    library.on_ready = offered.append
    entry, _ = await _finish(library, _recorded(2))
    assert offered == [entry.id]
    assert {path.name for path in library.paths(entry.id)} >= {"programme.mp4", "sound.m4a"}
    again = _library(tmp_path)
    again.on_ready = offered.append
    await again.start()
    await until(lambda: len(offered) == 2, "it is offered again")
    await again.note_copy(entry.id)
    await again.stop()
    last = _library(tmp_path)
    last.on_ready = offered.append
    await last.start()
    await last.wait_idle()
    await last.stop()
    assert len(offered) == 2
