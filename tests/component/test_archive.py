"""What is written down of a programme, and what a restart, a crash or a full disk makes of it."""

import asyncio
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bridge.clock import FakeClock
from bridge.server.origin import archive_writer
from bridge.server.origin.answers import Answer, Asked, Held
from bridge.server.origin.origin import Origin
from bridge.server.origin.routes import Routes
from tests.helpers import until
from tests.server import (
    LADDER,
    NEXT_SESSION,
    SESSION,
    START_WALL,
    description,
    init_set,
    part_bytes,
    part_set,
)

PER_SEGMENT = 5


class Life:
    """One life of a server, on a folder that outlives it."""

    def __init__(self, folder: Path, clock: FakeClock, listed: int = 6) -> None:
        self.folder = folder
        self.clock = clock
        self.origin = Origin(clock, listed=listed, folder=folder)
        self.routes = Routes(self.origin)

    async def __aenter__(self) -> "Life":
        self.origin.start()
        await self.origin.restore("room")
        return self

    async def __aexit__(self, *_: object) -> None:
        self.origin.close()
        await self.origin.stop()

    def put(self, numbers: range, session: str = SESSION, **described: Any) -> None:
        made = description(start_wall=self.clock.wall(), **{"renditions": LADDER, **described})
        programme = self.origin.open("room", made)
        if programme.window.current is None or programme.window.current.name != session:
            programme.open_session(session, made)
            programme.put_init(session, init_set(made))
        for number in numbers:
            programme.put_part(session, number, part_set(number, made))
            self.clock.advance(0.4)

    async def get(self, name: str) -> tuple[int, str]:
        reply = self.routes(Asked("GET", f"/live/room/{name}", ""))
        assert not isinstance(reply, Held)
        answer = reply if isinstance(reply, Answer) else await reply
        return answer.status, bytes(answer.body).decode("latin-1")

    async def text(self, name: str) -> str:
        status, text = await self.get(name)
        assert status == 200, text
        return text

    async def written(self, parts: int) -> None:
        def there() -> bool:
            archive = self.programme.archive
            return archive is not None and sum(take.parts for take in archive._takes) >= parts

        await until(there, f"{parts} parts are written")

    @property
    def programme(self) -> Any:
        return self.origin.get("room")


@pytest.fixture
def clock():
    clock = FakeClock()
    clock.advance(START_WALL - clock.wall())
    return clock


def numbered(text: str) -> dict[int, str]:
    first = re.search(r"#EXT-X-MEDIA-SEQUENCE:(\d+)", text)
    assert first is not None
    return dict(enumerate(re.findall(r"^[^#\n]+\.m4s$", text, re.MULTILINE), int(first[1])))


async def test_the_window_goes_on_where_players_know_it(tmp_path, clock):
    async with Life(tmp_path, clock) as before:
        before.put(range(52))
        await before.written(52)
        known, hint = numbered(await before.text("source.m3u8")), "aaaaaaaa/360p/p52.m4s"
        assert hint in await before.text("360p.m3u8")
    clock.advance(3)
    async with Life(tmp_path, clock) as after:
        text = await after.text("360p.m3u8")
        assert hint in text, "players still wait for it"
        after.put(range(7), NEXT_SESSION)
        text = await after.text("source.m3u8")
        found = numbered(text)
        assert max(known) < max(found)
        assert {number: found[number] for number in known.keys() & found.keys()} == {
            number: known[number] for number in known.keys() & found.keys()
        }
        assert "#EXTINF:0.80000,\naaaaaaaa/source/s10.m4s\n#EXT-X-DISCONTINUITY\n" in text
        assert (await after.get(hint))[0] == 404, "it will never come"
        for uri in found.values():
            assert (await after.get(uri))[0] == 200


async def test_discontinuities_are_counted_over_restarts(tmp_path, clock):
    names = [f"session{number:02d}" for number in range(6)]
    counts, shown = [], 0
    for name in names:
        async with Life(tmp_path, clock) as life:
            life.put(range(22), name)
            await life.written(22)
            text = await life.text("source.m3u8")
            counts.append(int(text.split("DISCONTINUITY-SEQUENCE:")[1].split("\n")[0]))
            shown = text.count("#EXT-X-DISCONTINUITY\n")
        clock.advance(2)
    assert counts == sorted(counts)
    assert counts[-1] + shown == 5


_CHILD = """
import asyncio, sys
from collections.abc import Iterator
from pathlib import Path
from bridge.clock import FakeClock
from tests.component.test_archive import Life
async def main():
    async with Life(Path(sys.argv[1]), FakeClock()) as life:
        for number in range(10_000):
            life.put(range(number, number + 1))
            print(number, flush=True)
            await asyncio.sleep(0.002)
asyncio.run(main())
"""


async def test_kill_9_loses_nothing_that_was_written(tmp_path):
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _CHILD, str(tmp_path), stdout=asyncio.subprocess.PIPE
    )
    assert child.stdout is not None
    async for line in child.stdout:
        if int(line) >= 203:
            break
    child.kill()
    await child.wait()
    clock = FakeClock()
    clock.advance(0.4 * 205)
    async with Life(tmp_path, clock) as life:
        parts = sum(take.parts for take in life.programme.archive._takes)
        assert parts >= 195, "at most what was in the queue is lost"
        newest = life.programme.window.newest
        assert newest.first_part + len(newest.parts) == parts
        assert life.programme.window.find_part(SESSION, "360p", parts - 1) == part_bytes(
            parts - 1, b"3"
        )


async def test_a_torn_end_is_not_read(tmp_path, clock):
    async with Life(tmp_path, clock) as before:
        before.put(range(13))
        await before.written(13)
    (file,) = tmp_path.glob("room/*/360p.mp4")
    os.truncate(file, file.stat().st_size - 3)
    async with Life(tmp_path, clock) as after:
        (take,) = after.programme.archive._takes
        assert take.parts == 12, "what one rendition lacks, none has"


async def test_the_whole_is_there_live_and_the_moment_it_ends_and_later(tmp_path, clock):
    async with Life(tmp_path, clock) as life:
        life.put(range(103))
        await life.written(103)
        live = await life.text("source-dvr.m3u8")
        assert "#EXT-X-PLAYLIST-TYPE:EVENT\n" in live
        assert len(numbered(live)) == 20
        assert "ENDLIST" not in live
        assert (await life.get("vod.m3u8"))[0] == 404
        oldest = numbered(live)[min(numbered(live))]
        assert life.programme.window.find_segment(SESSION, "source", 0) is None
        expected = b"".join(part_bytes(number) for number in range(PER_SEGMENT))
        assert (await life.text(oldest)).encode("latin-1") == expected
        life.origin.end("room")
        await until(lambda: life.programme.archive.ended, "all is written", seconds=1)
        vod = await life.text("source-vod.m3u8")
        assert vod.endswith("#EXTINF:1.20000,\naaaaaaaa/source/s20.m4s\n#EXT-X-ENDLIST\n")
        assert (await life.text("source-dvr.m3u8")).endswith("#EXT-X-ENDLIST\n")
    later = Origin(clock, listed=6, folder=tmp_path)
    life = Life.__new__(Life)
    life.routes = Routes(later)
    assert await life.text("source-vod.m3u8") == vod
    assert (await life.text(oldest)).encode("latin-1") == expected
    assert 'type="static"' in await life.text("manifest.mpd")
    assert (await life.get("aaaaaaaa/source/s21.m4s"))[0] == 404
    assert (await life.get("source.m3u8"))[0] == 404, "it is not live any more"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 96 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=96k", "tmpfs", folder], check=True)
    yield folder
    subprocess.run(["umount", folder], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a small disk")
async def test_a_full_disk_costs_the_rewind_and_nothing_else(disk, clock):
    (disk / "ballast").write_bytes(b"x" * 80_000)
    async with Life(disk, clock) as life:
        life.put(range(150))
        await until(lambda: "disk" in caught(life), "the trouble is noticed", seconds=5)
        assert "p149.m4s" in await life.text("source.m3u8")
        before = len(numbered(await life.text("source-dvr.m3u8")))
        (disk / "ballast").unlink()
        await until(lambda: life.programme.archive._open is None, "the take is over")
        life.put(range(150, 166))
        takes = life.programme.archive._takes
        await until(lambda: len(takes) > 1 and takes[-1].parts >= 16, "another take")
        text = await life.text("source-dvr.m3u8")
        assert len(numbered(text)) > before
        assert "#EXT-X-DISCONTINUITY\n" in text


def caught(life: Life) -> str:
    trouble: str = life.programme.archive._trouble
    return trouble and "disk"


async def test_a_disk_that_hangs_holds_nobody_up_and_costs_a_bounded_amount(
    tmp_path, clock, monkeypatch
):
    monkeypatch.setattr(archive_writer, "_QUEUED_BYTES", 20_000)
    hang, write = threading.Event(), archive_writer._write

    def slow(file: int, data: bytes | memoryview) -> None:
        hang.wait(10)
        write(file, data)

    monkeypatch.setattr(archive_writer, "_write", slow)
    async with Life(tmp_path, clock) as life:
        begin = time.monotonic()
        life.put(range(400))
        assert time.monotonic() - begin < 2
        assert "p399.m4s" in await life.text("source.m3u8")
        assert life.programme.archive._trouble
        hang.set()
        await until(lambda: len(life.origin._writer._channel) == 0, "it goes on")
        life.put(range(400, 412))
        await until(
            lambda: life.programme.archive._takes[-1].header.first_number >= 80, "another take"
        )


async def test_a_long_gone_window_is_not_gone_on_with(tmp_path, clock):
    async with Life(tmp_path, clock) as before:
        before.put(range(30))
        await before.written(30)
        last = before.programme.window.next_msn
    clock.advance(3600)
    async with Life(tmp_path, clock) as after:
        assert not after.programme.ready
        after.put(range(6), NEXT_SESSION)
        text = await after.text("source.m3u8")
        assert min(numbered(text)) > last
        assert "aaaaaaaa" in await after.text("source-dvr.m3u8")


async def test_rehearsals_and_strange_names_leave_nothing_on_the_disk(tmp_path, clock):
    async with Life(tmp_path, clock) as life:
        made = description()
        rehearsal = life.origin.open("room-0123456789abcdef", made)
        rehearsal.open_session(SESSION, made)
        rehearsal.put_init(SESSION, init_set(made))
        rehearsal.put_part(SESSION, 0, part_set(0, made))
        for name in ("..", "../x", "%2e%2e", "a/../../etc"):
            reply = life.routes(Asked("GET", f"/live/{name}/vod.m3u8", ""))
            answer = reply if isinstance(reply, Answer) else await reply  # type: ignore[misc]
            assert answer.status == 404
    assert list(tmp_path.iterdir()) == []


async def test_another_ladder_after_a_restart_has_gaps_before(tmp_path, clock):
    async with Life(tmp_path, clock) as before:
        before.put(range(12), renditions=LADDER[:1])
        await before.written(12)
    async with Life(tmp_path, clock) as after:
        after.put(range(6), NEXT_SESSION)
        await after.written(18)
        for name in ("360p.m3u8", "360p-dvr.m3u8"):
            text = await after.text(name)
            assert text.count("#EXT-X-GAP") == 3
            assert text.count("#EXT-X-MAP") == 1
