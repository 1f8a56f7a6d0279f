"""Two destinations of one debate, one of which is ill: what the other, HLS and the file notice.

`python -m tests.bench destinations [--restarts 20] [--freeze 60]`. Real nginx-rtmp servers; the ill
one is killed and started again at random moments, then frozen (SIGSTOP), then refuses its key.
"""

import argparse
import asyncio
import random
import re
import tempfile
import time
from itertools import pairwise
from pathlib import Path

import psutil

from bridge.protocol.messages import OutputState
from tests import media
from tests.bench.on_air import say
from tests.e2e.stack import Bridge, HostEye
from tests.helpers import until
from tests.rtmp_server import RtmpServer

KEYS = ("healthy-key-1234", "ill-key-56789")
BACK_SECONDS = 30.0


async def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench destinations")
    parser.add_argument("--restarts", type=int, default=20)
    parser.add_argument("--freeze", type=float, default=60)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        folders = [Path(name, each) for each in ("healthy", "ill", "data")]
        for folder in folders:
            folder.mkdir()
        with RtmpServer(folders[0]) as healthy, RtmpServer(folders[1]) as ill:
            bridge = Bridge(folders[2])
            await bridge.start()
            try:
                await _measure(bridge, healthy, ill, options)
            finally:
                await bridge.stop()


async def _measure(
    bridge: Bridge, healthy: RtmpServer, ill: RtmpServer, options: argparse.Namespace
) -> None:
    room = await bridge.create(healthy.url(KEYS[0]), ill.url(KEYS[1]))
    path = f"/api/v1/rooms/{room['id']}"
    async with HostEye(room["links"]["host"]) as eye:
        await bridge.call("POST", f"{path}/start", token=room["host_token"])
        await _ill_is(eye, OutputState.LIVE)
        backs = [await _restart(eye, ill) for _ in range(options.restarts)]
        noticed, thawed = await _freeze(eye, ill, options.freeze)
        found = await asyncio.to_thread(_key_found, bridge)
        dropped = eye.host.destinations[0].report.dropped
        skipped = eye.programme.skipped
        await bridge.call("POST", f"{path}/stop", token=room["host_token"])
        playlist = (await bridge.fetch(f"/live/{room['id']}/source-vod.m3u8")).decode()
        await until(lambda: _ready(bridge), "the recording is ready", seconds=60)
    (recording,) = (bridge.data / "programmes").glob("*/programme.mp4")
    say("| what | figure |\n|---|---|")
    say(f"| {len(backs)} restarts: back on air after | {min(backs):.1f} to {max(backs):.1f} s |")
    say(f"| frozen for {options.freeze:g} s: noticed, back | {noticed:.1f} s, {thawed:.1f} s |")
    say(f"| the healthy one: packets left out | {dropped} |")
    say(
        f"| its longest step between pictures | {_longest(healthy.recordings(KEYS[0])[-1]):.3f} s |"
    )
    say(f"| the recording's | {_longest(recording):.3f} s |")
    gaps = playlist.count("EXT-X-GAP") + playlist.count("EXT-X-DISCONTINUITY\n")
    say(f"| HLS: gaps and discontinuities | {gaps} |")
    say(f"| ticks skipped | {skipped} |")
    say(f"| places in which a key was found | {found} |")


async def _restart(eye: HostEye, ill: RtmpServer) -> float:
    """Seconds from the server's return to "live"."""
    await asyncio.sleep(random.uniform(1, 5))
    ill.kill()
    await _ill_is(eye, OutputState.RETRYING)
    await asyncio.sleep(random.uniform(0, 3))
    await asyncio.to_thread(ill.start)
    begin = time.monotonic()
    await _ill_is(eye, OutputState.LIVE)
    return time.monotonic() - begin


async def _freeze(eye: HostEye, ill: RtmpServer, seconds: float) -> tuple[float, float]:
    begin = time.monotonic()
    ill.freeze()
    await _ill_is(eye, OutputState.RETRYING)
    noticed = time.monotonic() - begin
    await asyncio.sleep(max(0.0, seconds - noticed))
    ill.thaw()
    begin = time.monotonic()
    await _ill_is(eye, OutputState.LIVE)
    return noticed, time.monotonic() - begin


async def _ill_is(eye: HostEye, state: OutputState) -> None:
    def is_now() -> bool:
        return bool(
            eye.room
            and len(eye.host.destinations) == 2
            and eye.host.destinations[1].report.state is state
        )

    await until(is_now, f"the ill one is {state}", seconds=BACK_SECONDS)


async def _ready(bridge: Bridge) -> bool:
    entries = await bridge.call("GET", "/api/v1/recordings")
    return all(entry["state"] == "ready" for entry in entries)


def _longest(film: Path) -> float:
    packets = media.probe(film, "-show_packets", "-select_streams", "v")["packets"]
    times = sorted(float(packet["pts_time"]) for packet in packets)
    return max(later - sooner for sooner, later in pairwise(times))


def _key_found(bridge: Bridge) -> int:
    """Lines of the log and words of processes that tell a key, and processes that may dump core."""
    server = psutil.Process(bridge.pid)
    told = list(bridge.log)
    for process in (server, *server.children(recursive=True)):
        try:
            told += [*process.cmdline(), *process.environ().values()]
        except psutil.Error:
            continue
        if not re.search(r"Max core file size\s+0\s", _limits(process.pid)):
            told.append(f"may dump core with {KEYS[0]}: {process.cmdline()}")
    found = [text for text in told if any(key in text for key in KEYS)]
    for text in found:
        say(text)
    return len(found)


def _limits(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/limits").read_text()
    except OSError:
        return ""
