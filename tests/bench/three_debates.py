"""Three debates on air at once on this machine: what is skipped, what it costs.

`python -m tests.bench three_debates [SECONDS]`, default 300. The debaters are headless, six, on
the same processors: they take about as much as the broadcasts.
"""

import asyncio
import tempfile
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from bridge.protocol.messages import IngestState
from bridge.rooms.model import Side
from tests.bench.on_air import CLIPS, say
from tests.e2e.stack import Bridge, HeadlessDebater, HostEye
from tests.helpers import until

DEBATES = 3
SETTLE_SECONDS = 20


async def main(arguments: list[str]) -> None:
    seconds = int(arguments[0]) if arguments else 300
    clips = [CLIPS / "debater-a.mp4", CLIPS / "debater-b.mp4"]
    sent = [("--media", str(clip)) if clip.exists() else () for clip in clips]
    with tempfile.TemporaryDirectory() as folder:
        bridge = Bridge(Path(folder))
        await bridge.start()
        try:
            async with AsyncExitStack() as stack:
                eyes = [await _on_air(bridge, sent, stack) for _ in range(DEBATES)]
                await asyncio.sleep(SETTLE_SECONDS)
                await _watch(eyes, seconds)
        finally:
            await bridge.stop()


async def _on_air(
    bridge: Bridge, sent: Sequence[tuple[str, ...]], stack: AsyncExitStack
) -> HostEye:
    room = await bridge.create()
    eye = await stack.enter_async_context(HostEye(room["links"]["host"]))
    for side, options in zip(Side, sent, strict=True):
        await stack.enter_async_context(HeadlessDebater(room["links"][side.value], *options))
    await bridge.call("POST", f"/api/v1/rooms/{room['id']}/start", token=room["host_token"])
    await until(
        lambda: all(eye.ingest(side) is IngestState.RECEIVING for side in Side),
        "both debaters are received",
    )
    return eye


async def _watch(eyes: list[HostEye], seconds: int) -> None:
    before = [eye.programme for eye in eyes]
    begin = time.monotonic()
    relief = 0
    while time.monotonic() - begin < seconds:
        await asyncio.sleep(1)
        relief = max(relief, *(eye.host.relief for eye in eyes))
    say("| debate | ticks | skipped | late |")
    say("|---|---|---|---|")
    for number, (eye, then) in enumerate(zip(eyes, before, strict=True), 1):
        now = eye.programme
        say(
            f"| {number} | {now.ticks - then.ticks} | {now.skipped - then.skipped}"
            f" | {now.late - then.late} |"
        )
    say("")
    say(f"{seconds} s, most relief: {relief}")
