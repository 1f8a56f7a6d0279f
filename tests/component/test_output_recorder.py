"""The growing file of a recording."""

import asyncio
import os
import resource
import signal
import subprocess
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from bridge.broadcast.media.packets import EncodedPacket
from bridge.broadcast.outputs.disk_room import RoomLimits
from bridge.broadcast.outputs.recorder import RecordingOutput
from bridge.clock import SystemClock
from bridge.protocol import boxes
from bridge.protocol.messages import OutputState, RecordingReport
from tests import media

TINY = RoomLimits(low_bytes=0, low_seconds=0, full_bytes=0, full_seconds=0)
"""The disk's own word counts."""


class Reports:
    def __init__(self) -> None:
        self.seen: list[RecordingReport] = []
        self._changed = asyncio.Condition()
        self._tasks: set[asyncio.Task] = set()

    def __call__(self, report: RecordingReport) -> None:
        self.seen.append(report)
        task = asyncio.get_running_loop().create_task(self._tell())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    @property
    def state(self) -> OutputState | None:
        return self.seen[-1].state if self.seen else None

    @property
    def stopped(self) -> bool:
        return self.state is OutputState.STOPPED

    async def until(self, condition: Callable[[], bool]) -> None:
        async with self._changed, asyncio.timeout(10):
            await self._changed.wait_for(condition)

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()


def _recorder(
    folder: Path, reports: Reports, parameters=None, number: int = 1, limits: RoomLimits = TINY
) -> RecordingOutput:
    return RecordingOutput(
        folder,
        number,
        parameters=parameters or media.blank_parameters(),
        grid=media.grid(),
        clock=SystemClock(),
        on_report=reports,
        limits=limits,
    )


async def test_every_picture_of_the_programme_is_in_the_file(tmp_path: Path) -> None:
    parameters, packets = media.encode_programme(4)
    reports = Reports()
    recorder = _recorder(tmp_path, reports, parameters)
    recorder.start()
    for packet in packets:
        recorder.put(packet)
    await recorder.stop(5)
    assert recorder.path == tmp_path / "programme-1.part.mp4"
    media.decodes_cleanly(recorder.path)
    assert media.picture_digests(recorder.path) == media.packet_digests(parameters, packets)
    await reports.until(lambda: reports.stopped)
    assert reports.seen[0].state is OutputState.LIVE
    assert reports.seen[-1].bytes == recorder.path.stat().st_size
    assert reports.seen[-1].detail == ""
    await recorder.stop(5)


async def test_the_file_plays_while_it_grows(tmp_path: Path) -> None:
    parameters, packets = media.encode_programme(4)
    reports = Reports()
    recorder = _recorder(tmp_path, reports, parameters)
    recorder.start()
    for packet in packets:
        recorder.put(packet)
    # One report at the start, one at the end of each of the two segments.
    await reports.until(lambda: len(reports.seen) == 3)
    assert int(media.probe_track(recorder.path, "video")["nb_read_packets"]) == 120
    await recorder.stop(5)


async def test_a_file_of_that_number_is_never_touched(tmp_path: Path) -> None:
    (tmp_path / "programme-1.part.mp4").write_bytes(b"an earlier broadcast's")
    reports = Reports()
    recorder = _recorder(tmp_path, reports)
    recorder.start()
    for packet in media.blank_programme(120):
        recorder.put(packet)
    await recorder.stop(5)
    assert (tmp_path / "programme-1.part.mp4").read_bytes() == b"an earlier broadcast's"
    assert recorder.path == tmp_path / "programme-2.part.mp4"
    assert recorder.path.stat().st_size > 1000


async def test_a_folder_that_is_missing_costs_the_recording_only(tmp_path: Path) -> None:
    reports = Reports()
    recorder = _recorder(tmp_path / "missing", reports)
    recorder.start()
    await reports.until(lambda: bool(reports.seen))
    assert reports.seen[-1].state is OutputState.RETRYING
    assert "No such file or directory" in reports.seen[-1].detail
    recorder.put(media.picture(0, keyframe=True))
    await recorder.stop(5)
    await reports.until(lambda: reports.stopped)
    assert reports.seen[-1].detail == "Recording has stopped: No such file or directory."


async def feed(recorder: RecordingOutput, packets: Iterable[EncodedPacket]) -> None:
    """In real time, as an encoder does."""
    loop = asyncio.get_running_loop()
    begin: float | None = None
    for packet in packets:
        begin = loop.time() - float(packet.time) if begin is None else begin
        await asyncio.sleep(max(0.0, begin + float(packet.time) - loop.time()))
        recorder.put(packet)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 2 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    subprocess.run(mount, check=True)
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


async def test_a_disk_that_was_full_is_recorded_to_again_in_a_second_part(small_disk: Path) -> None:
    parameters, packets = media.encode_programme(14)
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(1800 * 1024))
    reports = Reports()
    recorder = _recorder(small_disk, reports, parameters)
    recorder.start()
    feeding = asyncio.create_task(feed(recorder, packets))
    await reports.until(lambda: reports.state is OutputState.RETRYING)
    assert "No space left" in reports.seen[-1].detail
    first = recorder.path if recorder.path.exists() else small_disk / "programme-1.part.mp4"
    recorder.note(b'{"at": 4, "wall": 0, "kind": "marker"}\n')
    ballast.unlink()
    await reports.until(lambda: reports.state is OutputState.LIVE)
    await feeding
    await recorder.stop(5)
    await reports.until(lambda: reports.stopped)
    assert "missing" in reports.seen[-1].detail
    assert recorder.path.name == "programme-2.part.mp4"
    for path in (first, recorder.path):
        os.truncate(path, boxes.whole_length(path))
        media.decodes_cleanly(path)
    assert b"marker" in (small_disk / "events-2.jsonl").read_bytes()


async def test_a_disk_with_little_room_is_left_alone(tmp_path: Path) -> None:
    everything = RoomLimits(full_bytes=1 << 60)
    reports = Reports()
    recorder = _recorder(tmp_path, reports, limits=everything)
    recorder.start()
    await reports.until(lambda: bool(reports.seen))
    assert reports.seen[-1].state is OutputState.RETRYING
    assert "almost full" in reports.seen[-1].detail
    assert reports.seen[-1].free_bytes
    await recorder.stop(5)
    assert not recorder.path.exists()


async def test_a_disk_that_gets_full_is_told_while_there_is_time(tmp_path: Path) -> None:
    reports = Reports()
    parameters, packets = media.encode_programme(4)
    recorder = _recorder(
        tmp_path, reports, parameters, limits=RoomLimits(low_bytes=1 << 60, full_bytes=0)
    )
    recorder.start()
    for packet in packets:
        recorder.put(packet)
    await reports.until(lambda: reports.state is OutputState.DEGRADED)
    assert "more minutes" in reports.seen[-1].detail
    await recorder.stop(5)


@pytest.fixture
def small_files():
    """RLIMIT_FSIZE stands for a disk that is full after 100 kB; no file system is needed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    signal.signal(signal.SIGXFSZ, handler)


async def test_a_full_disk_stops_the_recording_and_leaves_a_file_that_plays(
    tmp_path: Path, small_files: None
) -> None:
    parameters, packets = media.encode_programme(4)
    reports = Reports()
    recorder = _recorder(tmp_path, reports, parameters)
    recorder.start()
    for packet in packets:
        recorder.put(packet)
    await reports.until(lambda: reports.state is OutputState.RETRYING)
    assert "File too large" in reports.seen[-1].detail
    await recorder.stop(5)
    first = tmp_path / "programme-1.part.mp4"
    assert first.stat().st_size == 100_000
    os.truncate(first, boxes.whole_length(first))
    media.decodes_cleanly(first)


async def test_a_disk_that_was_too_slow_leaves_a_hole_and_goes_on_at_a_segment(
    tmp_path: Path,
) -> None:
    parameters, packets = media.encode_programme(14)
    reports = Reports()
    recorder = _recorder(tmp_path, reports, parameters)
    # Before start nobody takes: eleven seconds do not fit into the ten there are.
    cut = next(n for n, packet in enumerate(packets) if packet.pts == media.grid().pts(330))
    for packet in packets[:cut]:
        recorder.put(packet)
    recorder.start()
    for packet in packets[cut:]:
        recorder.put(packet)
    await recorder.stop(5)
    video = boxes.fragmented_spans(recorder.path)[0]
    assert [video.start, video.end] == [10 + 12, 10 + 14]
    media.decodes_cleanly(recorder.path)
    await reports.until(lambda: reports.stopped)
    assert OutputState.DEGRADED in [report.state for report in reports.seen]
    assert "missing" in reports.seen[-1].detail
