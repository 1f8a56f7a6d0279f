"""Which ffmpeg binary there is, and how it is run beside a live debate."""

import asyncio
import contextlib
import os
import shutil
from pathlib import Path

import imageio_ffmpeg

from bridge.errors import OutputError


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


def behind_everything() -> list[str]:
    """Command prefix that gives way to the debates on air, in CPU and in disk time."""
    prefix: list[str] = []
    if nice := shutil.which("nice"):
        prefix += [nice, "-n", "10"]
    if ionice := shutil.which("ionice"):
        prefix += [ionice, "-c", "3"]
    return prefix


async def run(arguments: list[str], *, folder: Path, seconds: float) -> None:
    """Run a command in `folder`. Raises OutputError when it fails or takes longer than `seconds`.

    Cancelling kills it.
    """
    child = await asyncio.create_subprocess_exec(
        *arguments,
        cwd=folder,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        _, complaint = await asyncio.wait_for(child.communicate(), seconds)
    except TimeoutError:
        message = f"ffmpeg took longer than {seconds:.0f} s"
        raise OutputError(message) from None
    finally:
        if child.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                child.kill()
            await child.wait()
    if child.returncode:
        last = complaint.decode(errors="replace").strip().rpartition("\n")[2]
        message = f"ffmpeg failed ({child.returncode}): {last[:300]}"
        raise OutputError(message)
