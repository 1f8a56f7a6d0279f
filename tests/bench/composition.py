"""What one programme costs here, beside the other ways to make the same picture, in one run.

`python -m tests.bench composition`. CPU seconds (user and system, whole process trees) per second
of programme:

(a) the broadcast: receiving two debaters, programme with theme and clock, HLS, RTMP to a real
    nginx-rtmp, recording. The debaters send what the layout asks browsers for: 828x466 out of 720p;
(b) bare ffmpeg: the debaters' natural 720p decoded, scaled, composed, encoded, HLS;
(c) the same x264 encode alone, by PyAV on one thread, on the programme's own pictures;
(d) GStreamer's compositor, same job as (b);
(e) a headless browser: Chromium under Xvfb shows both WebRTC pictures, ffmpeg grabs and encodes.
"""

import asyncio
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from bridge.protocol.messages import IngestState
from bridge.rooms.model import Side
from tests.bench.grabbing import grabbing
from tests.bench.offline import bare_ffmpeg, composed, encode_alone, gstreamer, prepare
from tests.bench.on_air import say
from tests.e2e.stack import Bridge, HeadlessDebater, HostEye
from tests.helpers import until
from tests.rtmp_server import RtmpServer

ROUNDS = 3
SECONDS = 10
SETTLE_SECONDS = 12
"""The scenes are drawn ahead in the first seconds; that is paid once a debate."""
GOALS = {"a/b": 1.0, "a/c": 1.6, "a/e": 0.4}


async def main() -> None:
    with tempfile.TemporaryDirectory() as name, RtmpServer(Path(name)) as rtmp:
        folder = Path(name)
        films = await asyncio.to_thread(prepare, folder)
        bridge = Bridge(folder / "data")
        await bridge.start()
        try:
            rows = await measure(bridge, films, rtmp.url("bench"), folder)
        finally:
            await bridge.stop()
    tell(rows)


async def measure(
    bridge: Bridge, films: dict[str, list[Path]], destination: str, folder: Path
) -> dict[str, list[float]]:
    """CPU seconds per programme second of each way, by round."""
    room = await bridge.create(destination)
    sent = [("--media", str(film)) for film in films["sent"]]
    rows: dict[str, list[float]] = {key: [] for key in ("a", "a, main", "b", "c", "d", "e")}
    async with (
        HostEye(room["links"]["host"]) as eye,
        HeadlessDebater(room["links"]["proposition"], *sent[0]),
        HeadlessDebater(room["links"]["opposition"], *sent[1]),
    ):
        await until(lambda: eye.room and len(eye.room.participants) == 2, "both are there")
        await bridge.call("POST", f"/api/v1/rooms/{room['id']}/start", token=room["host_token"])
        await until(
            lambda: all(eye.ingest(side) is IngestState.RECEIVING for side in Side),
            "both debaters are received",
        )
        await asyncio.sleep(SETTLE_SECONDS)
        process = bridge.busiest_broadcast()
        pictures = await asyncio.to_thread(composed, films["sent"])
        offline: dict[str, Callable[[], float]] = {
            "b": lambda: bare_ffmpeg(films["natural"], SECONDS),
            "c": lambda: encode_alone(pictures),
            "d": lambda: gstreamer(films["natural"], SECONDS),
        }
        for _ in range(ROUNDS):
            await ours(process, rows)
            for key, way in offline.items():
                rows[key].append(await asyncio.to_thread(way))
            assert eye.room is not None
            assert eye.room.host is not None
            say(", ".join(f"{key} {values[-1]:.3f}" for key, values in rows.items() if values))
            say(f"relief {eye.room.host.relief}, {eye.room.host.programme}")
        await bridge.call("POST", f"/api/v1/rooms/{room['id']}/stop", token=room["host_token"])
    async with grabbing(films["natural"], folder) as used:
        rows["e"] = [await measured(used, SECONDS) for _ in range(ROUNDS)]
    return rows


async def ours(process: psutil.Process, rows: dict[str, list[float]]) -> None:
    """Watch the broadcast for SECONDS: with its children, and by itself."""
    alone = await measured(lambda: _alone(process), 0)
    whole = await measured(lambda: tree_seconds([process]), 0)
    begin = time.monotonic()
    await asyncio.sleep(SECONDS)
    span = time.monotonic() - begin
    rows["a, main"].append((_alone(process) - alone) / span)
    rows["a"].append((tree_seconds([process]) - whole) / span)


async def measured(read: Callable[[], float], seconds: float) -> float:
    """CPU seconds per second that `read` grows by; with no `seconds`, what it reads."""
    before, begin = read(), time.monotonic()
    if not seconds:
        return before
    await asyncio.sleep(seconds)
    return (read() - before) / (time.monotonic() - begin)


def _alone(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def tree_seconds(roots: list[psutil.Process]) -> float:
    """CPU seconds of these processes and all below them."""
    total = 0.0
    for root in roots:
        for process in (root, *root.children(recursive=True)):
            try:
                total += _alone(process)
            except psutil.NoSuchProcess:
                continue
    return total


def tell(rows: dict[str, list[float]]) -> None:
    names = {
        "a": "(a) the broadcast, with its children",
        "a, main": "    of it the broadcast's own process",
        "b": "(b) bare ffmpeg from 720p",
        "c": "(c) the x264 encode alone",
        "d": "(d) GStreamer's compositor from 720p",
        "e": "(e) Chromium under Xvfb, x11grab, x264",
    }
    say("| CPU s per programme s | median | min | max |")
    say("|---|---|---|---|")
    for key, name in names.items():
        values = rows[key]
        middle = statistics.median(values)
        say(f"| {name} | {middle:.3f} | {min(values):.3f} | {max(values):.3f} |")
    say("")
    for other in "bcde":
        ratio = statistics.median(rows["a"]) / statistics.median(rows[other])
        goal = GOALS.get(f"a/{other}")
        say(f"a/{other} = {ratio:.2f}" + (f" (goal: at most {goal})" if goal else ""))
