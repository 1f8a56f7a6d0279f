"""The growing file of a recording."""

import asyncio
import errno
import os
import resource
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from bridge.broadcast.outputs.recorder import RecordingOutput
from bridge.protocol import boxes
from bridge.protocol.messages import OutputState, RecordingReport
from tests import media


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
    def stopped(self) -> bool:
        return bool(self.seen) and self.seen[-1].state is OutputState.STOPPED

    async def until(self, condition: Callable[[], bool]) -> None:
        async with self._changed, asyncio.timeout(10):
            await self._changed.wait_for(condition)

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()


def _recorder(folder: Path, reports: Reports, parameters=None, number: int = 1) -> RecordingOutput:
    return RecordingOutput(
        folder,
        number,
        parameters=parameters or media.blank_parameters(),
        grid=media.grid(),
        on_report=reports,
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
    assert recorder.path.read_bytes() == b"an earlier broadcast's"
    await reports.until(lambda: bool(reports.seen))
    assert reports.seen[-1].state is OutputState.STOPPED
    assert os.strerror(errno.EEXIST) in reports.seen[-1].detail


async def test_a_folder_that_is_missing_stops_the_recording_only(tmp_path: Path) -> None:
    reports = Reports()
    recorder = _recorder(tmp_path / "missing", reports)
    recorder.start()
    await reports.until(lambda: bool(reports.seen))
    assert reports.seen[-1].detail == "Recording has stopped: No such file or directory."
    recorder.put(media.picture(0, keyframe=True))
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
    await reports.until(lambda: reports.stopped)
    assert "File too large" in reports.seen[-1].detail
    await recorder.stop(5)
    assert recorder.path.stat().st_size == 100_000
    os.truncate(recorder.path, boxes.whole_length(recorder.path))
    media.decodes_cleanly(recorder.path)


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
