"""Copies of finished recordings in a store that speaks S3's protocol, made behind everything else.

A recording is copied once it is ready, file by file, and its journal says so when all are there;
what a crash or an outage left is copied after the next start, or when the store answers again.
Nothing is ever deleted there.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

if TYPE_CHECKING:
    from obstore.store import S3Config

from bridge.concurrency.backoff import Backoff
from bridge.errors import OutputError

logger = logging.getLogger(__name__)

_BACKOFF: Final = Backoff(first=2.0, most=600.0)
_AT_ONCE: Final = 2
"""Pieces of a file on the way at the same time: a debate on air needs the line more."""
_PIECE_BYTES: Final = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class OffsiteAddress:
    """Where copies go."""

    bucket: str
    prefix: str = ""
    """Folders before the recording's own, without slashes at the ends."""
    endpoint: str | None = None
    """None: Amazon's."""
    region: str = "us-east-1"
    access_key: str = field(default="", repr=False)
    secret_key: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class OffsiteFile:
    """A file to copy."""

    recording: str
    path: Path


class Offsite:
    """Copies recordings, one at a time, for as long as it takes. Loop-side only.

    `files` tells what a recording has; `on_copied` is awaited when all of it is there.
    """

    def __init__(
        self,
        address: OffsiteAddress,
        *,
        files: Callable[[str], list[Path]],
        on_copied: Callable[[str], Awaitable[None]],
        backoff: Backoff = _BACKOFF,
    ) -> None:
        self._store = _open(address)
        self._prefix = address.prefix
        self._files = files
        self._on_copied = on_copied
        self._backoff = backoff
        self._random = random.Random()  # noqa: S311 - jitter, not a secret
        # Bounded by the number of recordings: each is queued once.
        self._queue: asyncio.Queue[str] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin. Once."""
        self._task = asyncio.create_task(self._run(), name="recordings-offsite")

    async def stop(self) -> None:
        """Leave the rest for the next start. Idempotent."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def put(self, recording: str) -> None:
        """Copy this recording when its turn comes."""
        self._queue.put_nowait(recording)

    async def _run(self) -> None:
        while True:
            recording = await self._queue.get()
            attempt = 0
            while not await self._copied(recording):
                pause = self._backoff.pause(attempt, self._random)
                logger.info("offsite: %s is tried again in %.0f s", recording, pause)
                await asyncio.sleep(pause)
                attempt += 1

    async def _copied(self, recording: str) -> bool:
        """Copy what is not there yet; False when it must be tried again."""
        try:
            for path in self._files(recording):
                await self._copy(OffsiteFile(recording, path))
            await self._on_copied(recording)
        except FileNotFoundError:
            # Deleted, or renamed in its deletion: there is nothing left to copy.
            logger.info("offsite: %s is gone", recording)
        except (BaseError, OutputError, OSError) as error:
            # Not the error's text: it has the address, and that may have a key in it.
            logger.warning("offsite: %s is not copied: %s", recording, type(error).__name__)
            return False
        else:
            logger.info("offsite: %s is copied", recording)
        return True

    async def _copy(self, file: OffsiteFile) -> None:
        """Upload one file and look whether it is there in full."""
        name = "/".join(filter(None, (self._prefix, file.recording, file.path.name)))
        size = await asyncio.to_thread(lambda: file.path.stat().st_size)
        if await self._size(name) == size:
            return
        await obstore.put_async(
            self._store,
            name,
            file.path,
            chunk_size=_PIECE_BYTES,
            max_concurrency=_AT_ONCE,
        )
        if await self._size(name) != size:
            message = f"{file.path.name} did not arrive in full"
            raise OutputError(message)

    async def _size(self, name: str) -> int | None:
        try:
            return int((await obstore.head_async(self._store, name))["size"])
        except FileNotFoundError:
            return None


def _open(address: OffsiteAddress) -> S3Store:
    config: S3Config = {
        "region": address.region,
        "access_key_id": address.access_key,
        "secret_access_key": address.secret_key,
        # Each piece carries it, and the store checks it before it says that it has the piece.
        "checksum_algorithm": "SHA256",
    }
    if address.endpoint is not None:
        config["endpoint"] = address.endpoint
    return S3Store(address.bucket, config=config, client_options={"allow_http": True})
