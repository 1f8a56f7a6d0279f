"""The whole system in the lab: the bridge at one end of the cable, two debaters at the other."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bridge.protocol.messages import IngestState
from bridge.rooms.model import Side
from tests.e2e.stack import Bridge, HostEye
from tests.helpers import until
from tests.lab.namespaces import Lab

_BOTH_SECONDS = 40.0
"""Until both debaters are received; at 20 % loss the first attempt may fail."""


class SyncDebater:
    """`python -m bridge.debater` that flashes and beeps, in a process of its own."""

    def __init__(self, invite: str, prefix: Sequence[str], log: Path) -> None:
        self._order = {"invite": invite, "pattern": "sync"}
        self._prefix = prefix
        self._log = log
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        with self._log.open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._prefix, sys.executable, "-m", "bridge.debater",
                stdin=asyncio.subprocess.PIPE, stdout=log, stderr=log,
            )  # fmt: skip
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(self._order).encode() + b"\n")
        self._process.stdin.close()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:  # fmt: skip
        assert self._process is not None
        if self._process.returncode is None:
            self._process.terminate()
            try:
                await asyncio.wait_for(self._process.wait(), 10)
            except TimeoutError:
                self._process.kill()
                await self._process.wait()


@dataclass(frozen=True, slots=True)
class Stage:
    """A debate on air whose debaters are both received."""

    bridge: Bridge
    room: dict[str, Any]
    eye: HostEye

    def both(self, state: IngestState) -> bool:
        """Whether both debaters' legs are in `state`."""
        return all(self.eye.ingest(side) is state for side in Side)


@asynccontextmanager
async def on_stage(lab: Lab, folder: Path) -> AsyncIterator[Stage]:
    """Put a debate on air in `lab` and wait until both debaters are received."""
    bridge = Bridge(
        folder / "data", prefix=lab.server_prefix, options=("--host", lab.server_address)
    )
    try:
        await bridge.start()
        room = await bridge.create()
        debaters = [
            SyncDebater(room["links"][side], lab.debaters_prefix, folder / f"{side}.log")
            for side in Side
        ]
        async with HostEye(room["links"]["host"]) as eye, debaters[0], debaters[1]:
            path = f"/api/v1/rooms/{room['id']}/start"
            await bridge.call("POST", path, token=room["host_token"])
            stage = Stage(bridge, room, eye)
            await until(
                lambda: stage.both(IngestState.RECEIVING),
                "both debaters are received",
                seconds=_BOTH_SECONDS,
            )
            yield stage
    finally:
        await bridge.stop()
        (folder / "bridge.log").write_text("\n".join(bridge.log))
