"""Hours on air with 1 % loss and a short outage now and then: nothing may grow.

`python -m tests.bench soak [--minutes 360] [--every 10]`, as root. The last row against the first
is what counts.
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

from tests.bench.on_air import say
from tests.lab.impairment import Cut, Impairment
from tests.lab.namespaces import Lab, lab
from tests.lab.stage import Stage, on_stage

_HEAD = (
    "minutes", "server MB", "broadcast MB", "threads", "descriptors", "ticks", "skipped",
    "concealed ms/s", "generations",
)  # fmt: skip
_OUTAGE_SECONDS = 12


async def main(arguments: Sequence[str] = ()) -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench soak")
    parser.add_argument("--minutes", type=float, default=360)
    parser.add_argument("--every", type=float, default=10, help="minutes between rows and outages")
    options = parser.parse_args(arguments)
    say(f"| {' | '.join(_HEAD)} |")
    say("|---" * len(_HEAD) + "|")
    with tempfile.TemporaryDirectory() as folder:
        async with lab() as cable:
            await cable.lose(1)
            async with on_stage(cable, Path(folder)) as stage:
                begin = time.monotonic()
                while (minutes := (time.monotonic() - begin) / 60) < options.minutes:
                    say(_row(minutes, stage))
                    await asyncio.sleep(options.every * 60 - _OUTAGE_SECONDS)
                    await _outage(cable)
                say(_row(minutes, stage))


async def _outage(cable: Lab) -> None:
    """Cut everything for long enough that both debaters join anew."""
    await cable.impair(Impairment(cut=Cut.ALL))
    await asyncio.sleep(_OUTAGE_SECONDS)
    await cable.impair(Impairment())


def _row(minutes: float, stage: Stage) -> str:
    broadcast, server = stage.bridge.busiest_broadcast(), psutil.Process(stage.bridge.pid)
    host, room = stage.eye.host, stage.eye.room
    assert room is not None
    cells = (
        f"{minutes:.1f}",
        f"{server.memory_info().rss / 1e6:.0f}",
        f"{broadcast.memory_info().rss / 1e6:.0f}",
        f"{broadcast.num_threads()}",
        f"{broadcast.num_fds()}",
        f"{stage.eye.programme.ticks}",
        f"{stage.eye.programme.skipped}",
        ", ".join(f"{report.concealed_ms:.0f}" for report in host.ingests.values()),
        ", ".join(str(item.generation) for item in room.participants),
    )
    return f"| {' | '.join(cells)} |"
