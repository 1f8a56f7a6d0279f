"""A viewer who keeps every segment of the programme, with the wall time of its first picture."""

import asyncio
import re
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.lab.stage import Stage

_POLL_SECONDS = 1.0
"""The playlist holds 20 s."""
_SEGMENT = re.compile(
    r"#EXT-X-PROGRAM-DATE-TIME:(?P<date>\S+)\n(?:#EXT-X-PART:.*\n)*#EXTINF:.*\n(?P<uri>\S+)"
)


@dataclass(frozen=True, slots=True)
class Take:
    """Some seconds of programme."""

    file: Path
    """Fragmented MP4."""
    begin: float
    """Wall time of the first picture, in seconds since the epoch, as the playlist says it."""


@dataclass(slots=True)
class Viewer:
    """Collects while it is entered; `take` afterwards."""

    stage: Stage
    file: Path
    _segments: dict[str, bytes] = field(default_factory=dict)
    _init: bytes = b""
    _begin: float = 0.0
    _task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self._collect(keep=False)
        self._task = asyncio.create_task(self._keep_collecting())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:  # fmt: skip
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        if error is None:
            await self._collect(keep=True)
            parts = [self._init, *self._segments.values()]
            await asyncio.to_thread(self.file.write_bytes, b"".join(parts))

    @property
    def take(self) -> Take:
        """What was collected, from the first segment that began after the entering."""
        return Take(self.file, self._begin)

    async def _keep_collecting(self) -> None:
        while True:
            await asyncio.sleep(_POLL_SECONDS)
            await self._collect(keep=True)

    async def _collect(self, *, keep: bool) -> None:
        base = f"/live/{self.stage.room['id']}/"
        bridge = self.stage.bridge
        text = (await bridge.fetch(base + "source.m3u8", absent_is_empty=True)).decode()
        assert "#EXT-X-DISCONTINUITY\n" not in text, "the broadcast began anew"
        for found in _SEGMENT.finditer(text):
            if found["uri"] in self._segments:
                continue
            self._segments[found["uri"]] = b""
            if not keep:
                continue
            if not self._begin:
                self._begin = datetime.fromisoformat(found["date"]).timestamp()
                init = re.findall(r'#EXT-X-MAP:URI="([^"]+)"', text)[-1]
                self._init = await bridge.fetch(base + init)
            self._segments[found["uri"]] = await bridge.fetch(base + found["uri"])
