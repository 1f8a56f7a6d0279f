"""Has the screen scenes drawn by a child process while the programme is on air already."""

import asyncio
import logging
import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict

import bridge
from bridge.broadcast.media.artwork import Artwork
from bridge.broadcast.media.theme import Caption

logger = logging.getLogger(__name__)

SIZE_BYTES: Final = 8
_CHILD: Final = "bridge.broadcast.media.scene_child"
_DEADLINE: Final = 60.0
"""Seconds; usual are two. On a machine that others keep busy the priority makes it many more."""


class SceneOrder(BaseModel):
    """What is to be drawn: for each of `sharers` the scene in which he shares his screen."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    theme: str
    web: Path
    """The folder with themes and fonts."""
    caption: Caption
    width: int
    height: int
    sharers: tuple[str, ...]


async def draw_screen_scenes(order: SceneOrder, on_drawn: Callable[[str, Artwork], object]) -> None:
    """Let a child of low priority draw, and tell each scene as it comes. Loop-side.

    `on_drawn` runs in a thread. What fails is logged and missing: nothing on air depends on it.
    Cancelling kills the child.
    """
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", _CHILD,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=Path(bridge.__file__).parent.parent,
        env={"LANG": "C.UTF-8"},
    )  # fmt: skip
    try:
        async with asyncio.timeout(_DEADLINE):
            await _converse(child, order, on_drawn)
    except TimeoutError:
        logger.warning("screen scenes: not drawn in %g s; screens will not be shown", _DEADLINE)
    finally:
        if child.returncode is None:
            child.kill()
        # Reads what is left, so that the pipes are closed with the child.
        await child.communicate()


async def _converse(
    child: asyncio.subprocess.Process,
    order: SceneOrder,
    on_drawn: Callable[[str, Artwork], object],
) -> None:
    assert child.stdin is not None  # noqa: S101 - asked for
    assert child.stdout is not None  # noqa: S101 - PIPE was asked for
    assert child.stderr is not None  # noqa: S101 - PIPE was asked for
    try:
        child.stdin.write(order.model_dump_json().encode() + b"\n")
        await child.stdin.drain()
        for sharer in order.sharers:
            size = int.from_bytes(await child.stdout.readexactly(SIZE_BYTES), "big")
            drawn = await child.stdout.readexactly(size)
            await asyncio.to_thread(_deliver, drawn, sharer, on_drawn)
    except (asyncio.IncompleteReadError, ConnectionError):
        words = (await child.stderr.read()).decode(errors="replace").strip()
        logger.warning("screen scenes: not drawn, screens will not be shown: %s", words)
    else:
        await child.wait()


def _deliver(drawn: bytes, sharer: str, on_drawn: Callable[[str, Artwork], object]) -> None:
    on_drawn(sharer, pickle.loads(drawn))  # noqa: S301 - our own child made it
