"""A recording outlives what records it, and a disk without room costs nothing else."""

import asyncio
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from bridge.protocol import boxes
from bridge.protocol.messages import OutputState
from tests import media
from tests.e2e.stack import Bridge, HostEye
from tests.helpers import until


async def go_live(bridge: Bridge, room: dict) -> None:
    await bridge.call("POST", f"/api/v1/rooms/{room['id']}/start", token=room["host_token"])


def parts(bridge: Bridge) -> list[Path]:
    files = (bridge.data / "programmes").glob("*/programme-*.part.mp4")
    return sorted(file for file in files if boxes.whole_length(file))


async def test_everything_is_killed_and_the_recording_goes_on(tmp_path):
    first = Bridge(tmp_path)
    await first.start()
    room = await first.create()
    await go_live(first, room)
    await until(lambda: parts(first), "something is recorded")
    everything = [psutil.Process(first.pid), *psutil.Process(first.pid).children(recursive=True)]
    for process in everything:
        os.kill(process.pid, signal.SIGKILL)
    await first.stop()

    second = Bridge(tmp_path)
    await second.start()
    try:
        await until(lambda: len(parts(second)) == 2, "the debate is recorded again")
        path = f"/api/v1/rooms/{room['id']}/stop"
        await second.call("POST", path, token=room["host_token"])

        async def ready() -> bool:
            (entry,) = await second.call("GET", "/api/v1/recordings")
            return bool(entry["state"] == "ready")

        await until(ready, "the recording is ready")
        (film,) = await asyncio.to_thread(lambda: list(tmp_path.glob("programmes/*/*.mp4")))
        await asyncio.to_thread(media.decodes_cleanly, film)
    finally:
        await second.stop()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """64 MB: less than a recording leaves to others."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(folder)]
    subprocess.run(mount, check=True)
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


async def test_a_disk_without_room_costs_the_recording_only(small_disk):
    bridge = Bridge(small_disk)
    await bridge.start()
    try:
        room = await bridge.create()
        async with HostEye(room["links"]["host"]) as eye:
            await go_live(bridge, room)
            await until(
                lambda: eye.room and eye.host.recording, "the host is told of the recording"
            )
            assert eye.host.recording is not None
            assert eye.host.recording.state is OutputState.RETRYING
            assert "disk" in eye.host.recording.detail
            await until(lambda: eye.programme.ticks > 120, "the programme goes on")
            assert eye.host.recording.state is OutputState.RETRYING
            playlist = await bridge.fetch(f"/live/{room['id']}/source.m3u8")
            assert b"#EXT-X-PART" in playlist
            path = f"/api/v1/rooms/{room['id']}/stop"
            await bridge.call("POST", path, token=room["host_token"])
        assert not await asyncio.to_thread(parts, bridge)
    finally:
        await bridge.stop()
