"""Copies of recordings in a store that speaks S3: moto's server, a process of its own."""

import asyncio
import contextlib
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import obstore
import pytest
from obstore.store import S3Store

from bridge.concurrency.backoff import Backoff
from bridge.server.recordings.offsite import Offsite, OffsiteAddress
from tests.helpers import until
from tests.rtmp_server import free_port

BUCKET = "debates"


@contextmanager
def store(port: int) -> Iterator[str]:
    """An empty bucket; yields the store's address."""
    command = [str(Path(sys.executable).parent / "moto_server"), "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    try:
        end = time.monotonic() + 30
        while True:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            assert process.poll() is None
            assert time.monotonic() < end
            # It has no other way to say that it listens.
            time.sleep(0.05)
        request = urllib.request.Request(f"{address}/{BUCKET}", method="PUT")
        urllib.request.urlopen(request, timeout=10).close()
        yield address
    finally:
        process.kill()
        process.wait()


def there(address: str, name: str) -> bytes:
    """What the store has under a name."""
    bucket = S3Store(
        BUCKET,
        config={"endpoint": address, "access_key_id": "x", "secret_access_key": "y"},
        client_options={"allow_http": True},
    )
    return bytes(obstore.get(bucket, name).bytes())


class Copies:
    """An `Offsite` for one folder of recordings."""

    def __init__(self, folder: Path, port: int) -> None:
        self.copied: list[str] = []
        self._folder = folder
        self.offsite = Offsite(
            OffsiteAddress(
                bucket=BUCKET,
                prefix="house/2026",
                endpoint=f"http://127.0.0.1:{port}",
                access_key="an-access-key",
                secret_key="a-secret-key",
            ),
            files=self._files,
            on_copied=self._note,
            backoff=Backoff(first=0.1, most=0.2),
        )

    def _files(self, recording: str) -> list[Path]:
        return sorted((self._folder / recording).iterdir())

    async def _note(self, recording: str) -> None:
        self.copied.append(recording)


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    """Two recordings; one has a film of three pieces."""
    for name, size in (("one", 20 * 1024 * 1024), ("two", 1000)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "programme.mp4").write_bytes(bytes(range(250)) * (size // 250))
        (tmp_path / name / "events.json").write_bytes(b"{}")
    return tmp_path


async def test_every_file_is_copied_and_is_what_it_was(recordings: Path) -> None:
    port = free_port()
    with store(port) as address:
        copies = Copies(recordings, port)
        copies.offsite.start()
        for name in ("one", "two"):
            copies.offsite.put(name)
        await until(lambda: copies.copied == ["one", "two"], "both are copied")
        for name in ("one/programme.mp4", "one/events.json", "two/programme.mp4"):
            copy = await asyncio.to_thread(there, address, f"house/2026/{name}")
            assert copy == (recordings / name).read_bytes()
        await copies.offsite.stop()


async def test_a_store_that_was_away_gets_it_when_it_is_back(
    recordings: Path, caplog: pytest.LogCaptureFixture
) -> None:
    port = free_port()
    copies = Copies(recordings, port)
    copies.offsite.start()
    copies.offsite.put("two")
    await until(lambda: "not copied" in caplog.text, "it was tried in vain", seconds=60)
    assert copies.copied == []
    with store(port) as address:
        await until(lambda: copies.copied == ["two"], "it is copied", seconds=60)
        assert await asyncio.to_thread(there, address, "house/2026/two/events.json") == b"{}"
    await copies.offsite.stop()
    assert "key" not in caplog.text


async def test_a_recording_that_was_deleted_holds_nobody_up(recordings: Path) -> None:
    port = free_port()
    with store(port):
        copies = Copies(recordings, port)
        copies.offsite.start()
        copies.offsite.put("gone")
        copies.offsite.put("two")
        await until(lambda: copies.copied == ["two"], "the other one is copied")
        await copies.offsite.stop()
