"""The bridge as people start it: the real command, in a process of its own."""

import asyncio
import os
import re
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import aiohttp
import psutil

from bridge.debater.invite import parse_invite
from bridge.protocol.messages import (
    HostView,
    IngestState,
    Join,
    ProgrammeReport,
    RoomView,
    SignalFrom,
)
from bridge.protocol.room_client import RoomClient
from bridge.rooms.model import Side
from tests.helpers import until

COMMAND = Path(sys.executable).parent / "debate-bridge"


class Bridge:
    """A running `debate-bridge serve` with a data folder of its own.

    `prefix` are words before the command, such as `ip netns exec`; `options` come after it.
    """

    def __init__(
        self,
        data: Path,
        *,
        port: int = 0,
        prefix: Sequence[str] = (),
        options: Sequence[str] = (),
    ) -> None:
        self.data = data
        self.url = ""
        self.log: list[str] = []
        self._port = port
        self._prefix = prefix
        self._options = options
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._http: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        """Start the server and wait until it says where it listens."""
        environment = {
            **os.environ,
            "BRIDGE_ALLOW_PRIVATE_DESTINATIONS": "true",
            "PYTHONUNBUFFERED": "1",
        }
        self._process = await asyncio.create_subprocess_exec(
            *self._prefix, COMMAND, "serve", "--port", str(self._port), "--data-dir", self.data,
            *self._options,
            env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        self._reader = asyncio.create_task(self._read_log())
        self._http = aiohttp.ClientSession()
        self.url = await until(self._address, "the server says where it listens")

    def _address(self) -> str:
        for line in self.log:
            found = re.search(r"^Debate bridge on (http://\S+)", line)
            if found:
                return found[1].replace("localhost", "127.0.0.1")
        return ""

    async def _read_log(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            self.log.append(line.decode(errors="replace").rstrip())

    @property
    def pid(self) -> int:
        """The server's process."""
        assert self._process is not None
        return self._process.pid

    def broadcast_pids(self) -> list[int]:
        """Broadcast processes, warm spares included, oldest first."""
        children = psutil.Process(self.pid).children()
        found = [child for child in children if "bridge.broadcast" in child.cmdline()]
        return [child.pid for child in sorted(found, key=lambda child: child.create_time())]

    def busiest_broadcast(self) -> psutil.Process:
        """The broadcast that is on air: the one that has used the most CPU."""
        running = [psutil.Process(pid) for pid in self.broadcast_pids()]
        return max(running, key=lambda process: process.cpu_times().user)

    async def stop(self, sign: int = signal.SIGTERM, *, seconds: float = 30) -> int:
        """Send `sign` and wait for the end; kills what has not ended after `seconds`."""
        assert self._process is not None
        assert self._reader is not None
        assert self._http is not None
        if self._process.returncode is None:
            self._process.send_signal(sign)
            try:
                await asyncio.wait_for(self._process.wait(), seconds)
            except TimeoutError:
                self._process.kill()
                await self._process.wait()
                self.log.append("KILLED: did not end by itself")
        await self._http.close()
        await self._reader
        return self._process.returncode or 0

    async def call(
        self, method: str, path: str, *, token: str = "", body: object = None, expect: int = 200
    ) -> Any:
        """Call the API and return its JSON."""
        assert self._http is not None
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        async with self._http.request(
            method, self.url + path, json=body, headers=headers
        ) as response:
            assert response.status == expect, (response.status, await response.text())
            return await response.json(content_type=None)

    async def fetch(self, path: str, *, absent_is_empty: bool = False) -> bytes:
        """GET the bytes of `path` or of an absolute URL."""
        assert self._http is not None
        url = path if path.startswith("http") else self.url + path
        async with self._http.get(url) as response:
            if absent_is_empty and response.status == 404:
                return b""
            assert response.status == 200, (url, response.status)
            return await response.read()

    async def create(self, *destinations: str) -> dict[str, Any]:
        """Create a debate."""
        body = {
            "motion": "This house would rather be watched than read",
            "proposition": "Ada Lovelace",
            "opposition": "Éloïse Ångström",
            "destinations": list(destinations),
        }
        return await self.call("POST", "/api/v1/rooms", body=body, expect=201)  # type: ignore[no-any-return]


class HostEye:
    """A host's Socket.IO connection: the newest whole state of the room."""

    def __init__(self, link: str) -> None:
        invite = parse_invite(link.replace("/host/", "/debate/"))
        self.room: RoomView | None = None
        self._client = RoomClient(
            invite.server_url, invite.token, join=Join(),
            on_room=self._see, on_signal=lambda _signal: None, on_replaced=lambda _text: None,
        )  # fmt: skip
        self._task: asyncio.Task[None] | None = None
        self.signals: list[SignalFrom] = []

    def _see(self, room: RoomView) -> None:
        self.room = room

    @property
    def host(self) -> HostView:
        """What only hosts see."""
        assert self.room is not None
        assert self.room.host is not None
        return self.room.host

    @property
    def programme(self) -> ProgrammeReport:
        """The programme's clock, as last reported."""
        assert self.host.programme is not None
        return self.host.programme

    def ingest(self, side: Side) -> IngestState:
        """How a debater's leg is."""
        if self.room is None or self.room.host is None:
            return IngestState.ABSENT
        report = self.room.host.ingests.get(side)
        return report.state if report else IngestState.ABSENT

    async def __aenter__(self) -> "HostEye":
        self._task = asyncio.create_task(self._client.run())
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.close()
        assert self._task is not None
        await self._task


class HeadlessDebater:
    """`debate-bridge debater` in a process of its own."""

    def __init__(self, invite: str, *options: str) -> None:
        self._invite = invite
        self._options = options
        self.process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> "HeadlessDebater":
        self.process = await asyncio.create_subprocess_exec(
            COMMAND, "debater", self._invite, *self._options,
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self.process is not None
        if self.process.returncode is None:
            self.process.terminate()
            try:
                await asyncio.wait_for(self.process.wait(), 10)
            except TimeoutError:
                self.process.kill()
                await self.process.wait()
