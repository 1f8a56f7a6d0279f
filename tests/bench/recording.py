"""The broadcast of one debate is killed again and again: what its recording has in the end.

`python -m tests.bench recording [--kills 20]`.
"""

import argparse
import asyncio
import json
import os
import random
import signal
import tempfile
import time
from pathlib import Path

from bridge.protocol import boxes
from bridge.server.recordings.sample_table import media_duration
from tests import media
from tests.bench.on_air import say
from tests.e2e.stack import COMMAND, Bridge, HostEye
from tests.helpers import until


async def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench recording")
    parser.add_argument("--kills", type=int, default=20)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        bridge = Bridge(Path(name))
        await bridge.start()
        try:
            await _measure(bridge, options.kills)
        finally:
            await bridge.stop()


async def _measure(bridge: Bridge, kills: int) -> None:
    room = await bridge.create()
    path = f"/api/v1/rooms/{room['id']}"
    killed: list[float] = []
    async with HostEye(room["links"]["host"]) as eye:
        await bridge.call("POST", f"{path}/start", token=room["host_token"])
        for number in range(1, kills + 1):
            await until(lambda: _grows(bridge, len(killed) + 1), "it is recorded", seconds=30)
            body = {"text": f"Part {number}"}
            await bridge.call(
                "POST", f"{path}/markers", token=room["host_token"], body=body, expect=204
            )
            await asyncio.sleep(random.uniform(1, 5))
            os.kill(bridge.busiest_broadcast().pid, signal.SIGKILL)
            killed.append(time.time())
            await until(lambda: eye.host.restarts == len(killed), "another one is started")
        await until(lambda: _grows(bridge, kills + 1), "it is recorded", seconds=30)
        await asyncio.sleep(3)
        (folder,) = await asyncio.to_thread(_folders, bridge)
        lost = [_lost(folder, number, at) for number, at in enumerate(killed, start=1)]
        parts = await asyncio.to_thread(_durations, folder)
        await bridge.call("POST", f"{path}/stop", token=room["host_token"])
        (entry,) = await until(lambda: _ready(bridge), "the recording is ready", seconds=120)
    film = folder / "programme.mp4"
    await asyncio.to_thread(media.decodes_cleanly, film)
    verified = await asyncio.create_subprocess_exec(
        COMMAND, "verify", str(film), stdout=asyncio.subprocess.DEVNULL
    )
    say("| what | figure |\n|---|---|")
    say(f"| kills; lost by each | {kills}; {min(lost):.2f} to {max(lost):.2f} s |")
    say(f"| parts together, finished film | {parts:.2f} s and the last, {_seconds(film):.2f} s |")
    say(f"| markers, chapters with their names | {kills}, {_named(entry)} |")
    say(f"| decodes without an error; `verify` | yes; {await verified.wait()} |")


def _folders(bridge: Bridge) -> list[Path]:
    return list((bridge.data / "programmes").iterdir())


def _grows(bridge: Bridge, number: int) -> bool:
    """Whether the file of that broadcast has a fragment."""
    files = [folder / f"programme-{number}.part.mp4" for folder in _folders(bridge)]
    return any(file.exists() and boxes.whole_length(file) for file in files)


def _lost(folder: Path, number: int, killed: float) -> float:
    """Seconds from the end of a part file to the moment at which its process was killed."""
    events = folder / f"events-{number}.jsonl"
    start = json.loads(events.read_text().splitlines()[0])
    spans = boxes.fragmented_spans(folder / f"programme-{number}.part.mp4")
    recorded = float(max(span.end for span in spans)) - 10.0
    return killed - float(start["wall"] - start["at"]) - recorded


def _durations(folder: Path) -> float:
    total = 0.0
    for file in sorted(folder.glob("programme-*.part.mp4"))[:-1]:
        spans = boxes.fragmented_spans(file)
        total += float(max(span.end for span in spans) - min(span.start for span in spans))
    return total


def _seconds(film: Path) -> float:
    return float(media_duration(film))


def _named(entry: dict) -> int:
    return sum(chapter["title"].startswith("Part ") for chapter in entry["chapters"])


async def _ready(bridge: Bridge) -> list[dict] | None:
    entries: list[dict] = await bridge.call("GET", "/api/v1/recordings")
    return entries if all(entry["state"] == "ready" for entry in entries) else None
