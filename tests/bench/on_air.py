"""The broadcast's CPU beside a bare ffmpeg that makes the same picture, in one run.

Both are counted in CPU seconds per second of programme: what the kernel charges to the process
(user and system), so that a busy neighbour changes the figure little, and the ratio less.
"""

import asyncio
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from playwright.async_api import async_playwright

from bridge.protocol.messages import IngestState
from bridge.rooms.model import Side
from tests.e2e.browsers import chromium
from tests.e2e.stack import Bridge, HeadlessDebater, HostEye
from tests.helpers import until

CLIPS = Path(__file__).parents[3] / "shared" / "media"
ROUNDS = 3
SECONDS = 12


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


async def main() -> None:
    clips = [CLIPS / "debater-a.mp4", CLIPS / "debater-b.mp4"]
    if not all(clip.exists() for clip in clips):
        clips = []
    with tempfile.TemporaryDirectory() as folder:
        bridge = Bridge(Path(folder))
        await bridge.start()
        try:
            await measure(bridge, clips, Path(folder))
        finally:
            await bridge.stop()


async def measure(bridge: Bridge, clips: list[Path], folder: Path) -> None:
    room = await bridge.create()
    options: list[tuple[str, ...]] = [("--media", str(clip)) for clip in clips] or [(), ()]
    async with (
        HostEye(room["links"]["host"]) as eye,
        HeadlessDebater(room["links"]["proposition"], *options[0]),
        HeadlessDebater(room["links"]["opposition"], *options[1]),
    ):
        await until(lambda: eye.room and len(eye.room.participants) == 2, "both are there")
        begin = time.monotonic()
        await bridge.call("POST", f"/api/v1/rooms/{room['id']}/start", token=room["host_token"])
        first_part, first_segment, received = await asyncio.gather(
            first(bridge, room, ".m4s", begin),
            first(bridge, room, "#EXTINF", begin),
            both_received(eye, begin),
        )
        first_frames = [await first_frame(f"{bridge.url}/watch/{room['id']}") for _ in range(3)]
        if not clips:
            clips = await take_down(bridge, room, folder)
        process = bridge.busiest_broadcast()
        ours, bare = [], []
        for _ in range(ROUNDS):
            before, start = process.cpu_times(), time.monotonic()
            await asyncio.sleep(SECONDS)
            after, end = process.cpu_times(), time.monotonic()
            used = after.user + after.system - before.user - before.system
            ours.append(used / (end - start))
            bare.append(await asyncio.to_thread(bare_ffmpeg, clips))
        assert eye.room is not None
        assert eye.room.host is not None
        programme = eye.room.host.programme
    await bridge.call("POST", f"/api/v1/rooms/{room['id']}/stop", token=room["host_token"])
    ratios = [a / b for a, b in zip(ours, bare, strict=True)]
    say("| figure | median | min | max |")
    say("|---|---|---|---|")
    for name, values in (
        ("broadcast, CPU s per programme s", ours),
        ("bare ffmpeg, CPU s per programme s", bare),
        ("ratio", ratios),
    ):
        say(f"| {name} | {statistics.median(values):.3f} | {min(values):.3f} | {max(values):.3f} |")
    say("")
    say(f"programme: {programme}")
    say(
        f"from POST start: both debaters connected {received:.2f} s, first playable part "
        f"{first_part:.2f} s, first whole segment {first_segment:.2f} s "
        f"({first_segment - received:.2f} s after both were connected)"
    )
    frames = ", ".join(f"{seconds:.2f}" for seconds in first_frames)
    say(f"from a spectator opening the page to the first frame, a new browser each: {frames} s")


async def both_received(eye: HostEye, begin: float) -> float:
    """Seconds from `begin` until the broadcast has both debaters' media."""
    await until(
        lambda: all(eye.ingest(side) is IngestState.RECEIVING for side in Side),
        "both debaters are received",
    )
    return time.monotonic() - begin


async def first_frame(watch_page: str) -> float:
    """Seconds from opening the watch page in a fresh Chromium to its first frame on screen."""
    async with async_playwright() as playwright, chromium(playwright, None) as browser:
        page = await browser.new_page()
        begin = time.monotonic()
        await page.goto(watch_page, wait_until="commit")
        await page.wait_for_selector("#programme", state="attached")
        await page.evaluate(
            "() => new Promise(shown => document.getElementById('programme')"
            ".requestVideoFrameCallback(() => shown(null)))"
        )
        return time.monotonic() - begin


async def first(bridge: Bridge, room: dict, mark: str, begin: float) -> float:
    """Seconds from `begin` until the media playlist shows `mark`."""

    async def shown() -> bool:
        try:
            text = await bridge.fetch(f"/live/{room['id']}/source.m3u8")
        except AssertionError:
            return False
        return mark in text.decode()

    await until(shown, f"the playlist shows {mark}")
    return time.monotonic() - begin


async def take_down(bridge: Bridge, room: dict, folder: Path) -> list[Path]:
    """Make two 640x360 clips out of the demo's programme, for ffmpeg to chew on."""
    targets = []
    for number, left in enumerate((0, 640)):
        target = folder / f"clip-{number}.mp4"
        process = await asyncio.create_subprocess_exec(
            "ffmpeg", "-v", "error", "-y", "-t", "6",
            "-i", f"{bridge.url}/live/{room['id']}/index.m3u8",
            "-vf", f"crop=640:360:{left}:180", "-ac", "1", target,
        )  # fmt: skip
        assert await process.wait() == 0
        targets.append(target)
    return targets


def bare_ffmpeg(clips: list[Path]) -> float:
    """CPU seconds that ffmpeg needs per second of the same picture with the same x264 settings."""
    layout = (
        "color=c=0x101418:s=1280x720:r=30[base];"
        "[0:v]fps=30,scale=822:462,crop=616:462[a];[1:v]fps=30,scale=822:462,crop=616:462[b];"
        "[base][a]overlay=16:140[one];[one][b]overlay=648:140[out];"
        "[0:a][1:a]amix=inputs=2,aresample=48000[sound]"
    )
    command = ["ffmpeg", "-v", "error", "-nostdin"]
    for clip in clips:
        command += ["-stream_loop", "-1", "-threads", "1", "-i", str(clip)]
    command += [
        "-filter_complex_threads", "1", "-filter_complex", layout, "-map", "[out]",
        "-map", "[sound]", "-t", str(SECONDS), "-c:v", "libx264", "-preset", "veryfast",
        "-tune", "zerolatency", "-profile:v", "high", "-threads", "1", "-b:v", "4000k",
        "-maxrate", "4000k", "-bufsize", "4000k", "-g", "60", "-keyint_min", "60",
        "-sc_threshold", "0", "-bf", "0", "-c:a", "aac", "-b:a", "128k", "-ac", "2",
        "-f", "flv", "-y", "/dev/null",
    ]  # fmt: skip
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with subprocess.Popen(command) as process:
        code = process.wait()
    assert code == 0
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return used / SECONDS
