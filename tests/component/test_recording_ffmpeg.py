"""How ffmpeg is run: what it prints, what it says last, and that it always ends."""

import asyncio
import os
import sys
from fractions import Fraction
from pathlib import Path

import psutil
import pytest

from bridge.errors import OutputError
from bridge.server.recordings.ffmpeg import DISK_FULL, behind_everything, progress_of, run
from tests.helpers import until

PARENT = """
import subprocess, sys
subprocess.Popen(sys.argv[1:]).wait()
"""


def _shell(script: str) -> list[str]:
    return ["/bin/sh", "-c", script]


async def test_lines_arrive_as_they_are_printed_and_complaints_do_not_block(
    tmp_path: Path,
) -> None:
    lines: list[str] = []
    flood = "i=0; while [ $i -lt 3000 ]; do echo 0123456789012345678901234567890123456789 >&2; "
    script = f"echo out_time_us=N/A; {flood} i=$((i+1)); done; echo out_time_us=1500000"
    await run(_shell(script), folder=tmp_path, seconds=30, on_line=lines.append)
    assert [progress_of(line) for line in lines] == [None, Fraction(3, 2)]
    assert progress_of("out_time_ms=1500000") is None


@pytest.mark.parametrize(
    ("complaint", "told", "code"),
    [
        ("first\\nlast", "ffmpeg failed (3): last", "output"),
        ("x: No space left on device\\nConversion failed!", "The disk is full.", DISK_FULL),
        ("", "ffmpeg failed (3): ", "output"),
    ],
)
async def test_a_failure_says_what_was_said_last(
    tmp_path: Path, complaint: str, told: str, code: str
) -> None:
    with pytest.raises(OutputError) as failure:
        await run(_shell(f"printf '{complaint}' >&2; exit 3"), folder=tmp_path, seconds=30)
    assert (failure.value.message, failure.value.code) == (told, code)


async def test_what_hangs_is_killed(tmp_path: Path) -> None:
    script = "echo $$ > pid; exec sleep 60"
    with pytest.raises(OutputError, match="took longer"):
        await run(_shell(script), folder=tmp_path, seconds=0.3)
    assert not psutil.pid_exists(int((tmp_path / "pid").read_text()))


async def test_cancelling_kills_it(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    work = asyncio.create_task(
        run(_shell("echo $$ > pid; exec sleep 60"), folder=tmp_path, seconds=60)
    )
    await until(lambda: pid.exists() and pid.read_text(), "it runs")
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert not psutil.pid_exists(int(pid.read_text()))


async def test_it_gives_way_and_dies_with_its_parent(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    command = [*behind_everything(), *_shell(f"echo $$ > {pid}; exec sleep 60")]
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", PARENT, *command)
    await until(lambda: pid.exists() and pid.read_text(), "it runs")
    child = psutil.Process(int(pid.read_text()))
    assert child.nice() >= min(os.nice(0) + 10, 19)
    assert child.ionice().ioclass == psutil.IOPRIO_CLASS_IDLE
    parent.kill()
    await parent.wait()
    await until(lambda: not child.is_running() or child.status() == "zombie", "it is gone")
