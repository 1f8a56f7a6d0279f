"""A debate on air under each network of tests/lab, and one table of how it went.

`python -m tests.bench impairments [--seconds 75] [--only NAME ...]`, as root.
"""

import argparse
import os
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from bridge.rooms.model import Side
from tests.bench.on_air import say
from tests.lab.case import CASES, Figures, run_case
from tests.lab.measure import SideFigures

_HEAD = (
    "case", "fps", "skipped", "longest gap ms", "frozen ms", "slate ms", "concealed ms",
    "silent ms (longest)", "latency ms (added)", "lip sync p50 / p95 ms (bias)",
    "slate after s", "back after s", "joins", "load",
)  # fmt: skip


async def main(arguments: Sequence[str] = ()) -> None:
    names = [case.name for case in CASES]
    parser = argparse.ArgumentParser(prog="python -m tests.bench impairments")
    parser.add_argument("--seconds", type=float, default=75)
    parser.add_argument("--only", nargs="+", choices=names, default=names)
    parser.add_argument("--keep", type=Path, help="folder for logs and takes")
    options = parser.parse_args(arguments)
    say("Two values: proposition, opposition. Load above the number of cores spoils all figures.\n")
    say(f"| {' | '.join(_HEAD)} |")
    say("|---" * len(_HEAD) + "|")
    with tempfile.TemporaryDirectory() as temporary:
        for case in CASES:
            if case.name in options.only:
                folder = (options.keep or Path(temporary)) / case.name
                folder.mkdir(parents=True)
                say(row(case.name, await run_case(case, options.seconds, folder)))


def row(name: str, figures: Figures) -> str:
    """One line of the table."""
    sides = [figures.sides[side] for side in Side]
    outage = figures.outages[0] if figures.outages else {}
    cells = [
        name,
        f"{figures.programme.fps:.2f}",
        str(figures.skipped),
        f"{figures.programme.longest_gap_ms:.0f}",
        _both(f"{side.longest_frozen_ms:.0f}" for side in sides),
        _both(f"{side.no_picture_ms:.0f}" for side in sides),
        _both(f"{figures.concealed_ms[side]:.0f}" for side in Side),
        _both(f"{side.silent_ms:.0f} ({side.longest_silent_ms:.0f})" for side in sides),
        _both(f"{side.latency_end_ms:.0f} ({side.added_latency_ms:+.0f})" for side in sides),
        _both(_lip_sync(side) for side in sides),
        _both(_seconds(item.slate_after) for item in outage.values()),
        _both(_seconds(item.back_after) for item in outage.values()),
        _both(str(figures.generations.get(side, 0)) for side in Side),
        f"{os.getloadavg()[0]:.1f}",
    ]
    return f"| {' | '.join(cells)} |"


def _lip_sync(side: SideFigures) -> str:
    quantiles = f"{side.lip_sync_p50_ms:.0f} / {side.lip_sync_p95_ms:.0f}"
    return f"{quantiles} ({side.lip_sync_bias_ms:+.0f})"


def _both(values: Iterable[str]) -> str:
    return ", ".join(values)


def _seconds(value: float | None) -> str:
    return "never" if value is None else f"{value:.1f}"
