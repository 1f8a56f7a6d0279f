"""Has scenes drawn by a child process while the programme is on air."""

import asyncio
import logging
import pickle
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

import bridge
from bridge.broadcast.media.artwork import Drawing
from bridge.broadcast.media.caption import Caption
from bridge.broadcast.media.scene import SceneKey
from bridge.broadcast.media.studio_order import (
    MAX_DRAWING_BYTES,
    SIZE_BYTES,
    Commission,
    Order,
    unpack,
)
from bridge.errors import ThemeError

logger = logging.getLogger(__name__)

_CHILD: Final = "bridge.broadcast.media.studio_child"
DEADLINE: Final = 20.0
"""Seconds for one scene; usual is 0.3. On a machine that others keep busy it is many more; who
draws for longer would draw for ever."""


class Artist:
    """Owns the child. Loop-side only; one order after another.

    A child that is too slow or dies is replaced at the next order, which then draws all anew.
    """

    def __init__(self, commission: Commission, *, deadline: float = DEADLINE) -> None:
        self._commission = commission
        self._deadline = deadline
        self._turn = asyncio.Lock()
        self._child: asyncio.subprocess.Process | None = None

    async def draw(self, key: SceneKey, caption: Caption, *, hasty: bool = False) -> Drawing:
        """Have a scene drawn. Raises ThemeError; the artwork is left out as `Drawing` says.

        Cancelling kills the child: half an answer is of no use.
        """
        async with self._turn:
            try:
                async with asyncio.timeout(self._deadline):
                    answer = await self._ask(
                        Order(scene=key.name, subject=key.subject, caption=caption, hasty=hasty)
                    )
            except TimeoutError as error:
                await self._kill()
                message = f"{key.name}: not drawn within {self._deadline:g} s"
                raise ThemeError(message) from error
            except (asyncio.IncompleteReadError, OSError, pickle.UnpicklingError) as error:
                # OSError: its pipe is closed, or the machine has no process left to give.
                words = await self._kill()
                message = f"{key.name}: the process that draws has died. {words}".strip()
                raise ThemeError(message) from error
            except BaseException:
                await self._kill()
                raise
        if isinstance(answer, str):
            raise ThemeError(answer)
        return answer

    async def close(self) -> None:
        """End the child. Idempotent."""
        await self._kill()

    async def _ask(self, order: Order) -> Drawing | str:
        child = await self._running()
        assert child.stdin is not None  # noqa: S101 - PIPE was asked for
        assert child.stdout is not None  # noqa: S101 - PIPE was asked for
        child.stdin.write(order.model_dump_json().encode() + b"\n")
        await child.stdin.drain()
        size = int.from_bytes(await child.stdout.readexactly(SIZE_BYTES), "big")
        if size > MAX_DRAWING_BYTES:
            message = "too large"
            raise pickle.UnpicklingError(message)
        # A scene has some megabytes: not between two packets of the debaters'.
        return await asyncio.to_thread(unpack, await child.stdout.readexactly(size))

    async def _running(self) -> asyncio.subprocess.Process:
        if self._child is None:
            self._child = child = await asyncio.create_subprocess_exec(
                sys.executable, "-m", _CHILD,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                cwd=Path(bridge.__file__).parent.parent,
                env={"LANG": "C.UTF-8"},
            )  # fmt: skip
            assert child.stdin is not None  # noqa: S101 - PIPE was asked for
            child.stdin.write(self._commission.model_dump_json().encode() + b"\n")
        return self._child

    async def _kill(self) -> str:
        """End the child and return the last thing it said of errors."""
        child, self._child = self._child, None
        if child is None:
            return ""
        with suppress(ProcessLookupError):
            child.kill()
        # Reads what is left, so that the pipes are closed with the child.
        _, said = await child.communicate()
        lines = said.decode(errors="replace").strip().splitlines()
        return lines[-1][:300] if lines else ""
