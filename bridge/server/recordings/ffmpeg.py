"""Which ffmpeg binary there is, and how it is run beside a live debate."""

import asyncio
import contextlib
import os
import shutil
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import imageio_ffmpeg

from bridge.errors import OutputError, SetupError

DISK_FULL: Final = "disk_full"
"""`code` of the OutputError of a disk without room."""

_SPARE_BYTES: Final = 32_000_000
"""Room that must be left on the disk beside a new file: for its index and for others."""
_KEPT_COMPLAINT: Final = 8192
"""Bytes of standard error that are kept: the last ones, in which ffmpeg says what ended it."""
_MAX_LINE_CHARS: Final = 300
_DISK_FULL_WORDS: Final = "No space left on device"
_LIMIT_SECONDS: Final = 120
_LIMIT_BYTES_PER_SECOND: Final = 5_000_000
"""A tenth of what a slow disk copies; slower than that hangs."""


def find_ffmpeg(configured: Path | None) -> str | None:
    """Path of ffmpeg: the operator's, then the one in PATH, then imageio-ffmpeg's; else None.

    What the operator configured is not replaced by another: if it cannot be run, there is none.
    """
    if configured is not None:
        return str(configured) if os.access(configured, os.X_OK) else None
    found = shutil.which("ffmpeg")
    if found is not None:
        return found
    try:
        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except RuntimeError:
        return None


def require(ffmpeg_path: str | None) -> str:
    """Return the path of ffmpeg. Raises SetupError when there is none."""
    if ffmpeg_path is None:
        message = "There is no ffmpeg; what was recorded can be downloaded as it is."
        raise SetupError(message)
    return ffmpeg_path


def require_room(folder: Path, size: int) -> None:
    """Refuse at once what would fill the disk, which the debates on air record on too. Blocking.

    Raises OutputError with the code DISK_FULL when there is no room for a file of `size` bytes.
    """
    free = shutil.disk_usage(folder).free
    if free < size + _SPARE_BYTES:
        needed, left = (round(amount / 1e6) for amount in (size + _SPARE_BYTES, free))
        message = f"The disk is full: {needed} MB are needed, {left} MB are free."
        raise OutputError(message, code=DISK_FULL)


def behind_everything() -> list[str]:
    """Command prefix that gives way to the debates on air, in CPU and in disk time.

    Where there is `setpriv` the command also dies with this process: a server that was killed and
    started again must not find the command of its former life at work.
    """
    prefix: list[str] = []
    if setpriv := shutil.which("setpriv"):
        prefix += [setpriv, "--pdeathsig", "KILL"]
    if nice := shutil.which("nice"):
        prefix += [nice, "-n", "10"]
    if ionice := shutil.which("ionice"):
        prefix += [ionice, "-c", "3"]
    return prefix


def copying_limit(size: int) -> float:
    """Seconds after which ffmpeg hangs that copies `size` bytes."""
    return _LIMIT_SECONDS + size / _LIMIT_BYTES_PER_SECOND


def command(output: Any, ffmpeg_path: str) -> list[str]:
    """Arguments for an output of ffmpeg-python: behind everything, quiet, reporting progress."""
    quiet = output.global_args("-nostdin", "-hide_banner", "-loglevel", "error")
    told = quiet.global_args("-progress", "pipe:1", "-nostats").overwrite_output()
    return [*behind_everything(), *(str(part) for part in told.compile(cmd=ffmpeg_path))]


def progress_of(line: str) -> Fraction | None:
    """Seconds of output that a line of `-progress` tells; None when it tells something else."""
    name, _, value = line.partition("=")
    # `out_time_ms` is in microseconds too, in all versions; before the first packet both say N/A.
    if name == "out_time_us" and value.isdecimal():
        return Fraction(int(value), 1_000_000)
    return None


async def run(
    arguments: list[str],
    *,
    folder: Path,
    seconds: float,
    on_line: Callable[[str], None] | None = None,
) -> None:
    """Run a command in `folder`; each line that it prints goes to `on_line`. Loop-side only.

    Raises OutputError when it fails or takes longer than `seconds`, with the code DISK_FULL when
    it says that the disk is full. Cancelling kills it.
    """
    child = await asyncio.create_subprocess_exec(
        *arguments,
        cwd=folder,
        stdin=DEVNULL,
        stdout=DEVNULL if on_line is None else PIPE,
        stderr=PIPE,
    )
    try:
        complaint = await asyncio.wait_for(_attend(child, on_line), seconds)
    except TimeoutError:
        message = f"ffmpeg took longer than {seconds:.0f} s"
        raise OutputError(message) from None
    finally:
        if child.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                child.kill()
            await child.wait()
    if child.returncode:
        if _DISK_FULL_WORDS in complaint:
            message = "The disk is full."
            raise OutputError(message, code=DISK_FULL)
        last = complaint.strip().rpartition("\n")[2]
        message = f"ffmpeg failed ({child.returncode}): {last[:_MAX_LINE_CHARS]}"
        raise OutputError(message)


async def _attend(child: Process, on_line: Callable[[str], None] | None) -> str:
    """Read both pipes to their ends, together; returns the end of what went to standard error."""
    _, complaint, _ = await asyncio.gather(
        _tell_lines(child.stdout, on_line), _last_words(child.stderr), child.wait()
    )
    return complaint


async def _tell_lines(
    stream: asyncio.StreamReader | None, on_line: Callable[[str], None] | None
) -> None:
    if stream is None or on_line is None:
        return
    async for line in stream:
        on_line(line.decode(errors="replace").strip())


async def _last_words(stream: asyncio.StreamReader | None) -> str:
    kept = b""
    while stream is not None and (read := await stream.read(_KEPT_COMPLAINT)):
        kept = (kept + read)[-_KEPT_COMPLAINT:]
    return kept.decode(errors="replace")
