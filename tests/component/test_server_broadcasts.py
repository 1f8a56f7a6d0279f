"""Broadcast processes under supervision: real processes, stand-ins for what they run."""

import asyncio
import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from bridge.clock import SystemClock
from bridge.errors import ConflictError, NotFoundError
from bridge.protocol.broadcast_config import BroadcastConfig, CanvasConfig
from bridge.protocol.messages import BroadcastReport, BroadcastState, HostView, Join, OutputState
from bridge.protocol.tokens import Grant
from bridge.rooms.model import Phase, Role
from bridge.server.broadcasts import BroadcastRun, Spares
from tests.helpers import until
from tests.server import DEBATE, SESSION, Server, description, init_bytes, part_bytes, stand_in

SECRET = "rtmp://live.example.com/app/stream-key-0123456789"


class Notes:
    """What stand-ins have written down."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def pids(self, kind: str) -> list[int]:
        """Processes that wait, were told, or have ended; in the order of their notes."""
        found = sorted(self.folder.glob(f"{kind}-*"), key=lambda path: path.stat().st_mtime_ns)
        return [int(path.stem.partition("-")[2]) for path in found]

    def told(self, pid: int) -> BroadcastConfig:
        return BroadcastConfig.model_validate_json((self.folder / f"told-{pid}.json").read_text())

    async def until(self, kind: str, count: int) -> Any:
        what = f"{count} processes are in state {kind}"
        return await until(lambda: len(self.pids(kind)) >= count and self.pids(kind), what)


@pytest.fixture
def notes(tmp_path) -> Notes:
    return Notes(tmp_path / "notes")


@pytest.fixture
async def server(tmp_path, notes):
    async with Server(tmp_path / "data", stand_in(notes.folder)) as made:
        yield made


async def create(server: Server):
    return await server.parts.debates.create(**DEBATE, destinations=(SECRET,))


def broadcast_state(server: Server, room: str) -> BroadcastState:
    return server.parts.debates.view(room, True).broadcast


def host_view(server: Server, room: str) -> HostView:
    view = server.parts.debates.view(room, True).host
    assert view is not None
    return view


async def test_a_broadcast_is_told_everything_on_standard_input_alone(server, notes):
    room = await create(server)
    await server.parts.debates.start(room.id)
    (pid,) = await notes.until("told", 1)
    config = notes.told(pid)
    assert (config.room, config.programme, config.server_url) == (room.id, room.id, server.url)
    assert config.destinations[0].url == SECRET
    assert config.recording.number == 1
    assert config.recording.folder.is_dir()
    assert server.parts.signer.read(config.token) == Grant(room.id, Role.BROADCAST)
    public = (notes.folder / f"environment-{pid}").read_text()
    assert config.token not in public
    assert "stream-key" not in public
    assert "BRIDGE_" not in public


async def test_a_broadcast_is_told_how_the_operator_wants_it_encoded(tmp_path, notes):
    wishes = {"encoder": "auto", "preset": "faster", "video_kbps": 2500}
    async with Server(tmp_path / "data", stand_in(notes.folder), **wishes) as server:
        room = await create(server)
        await server.parts.debates.start(room.id)
        (pid,) = await notes.until("told", 1)
    assert notes.told(pid).canvas == CanvasConfig.model_validate(wishes)


async def test_a_rehearsal_has_a_secret_name_no_destination_and_no_recording(server, notes):
    room = await create(server)
    debates = server.parts.debates
    await debates.rehearse(room.id)
    (pid,) = await notes.until("told", 1)
    config = notes.told(pid)
    assert config.programme.startswith(f"{room.id}-")
    assert (config.destinations, config.recording) == ((), None)
    assert debates.owns(room.id, config.programme)
    assert not debates.owns(room.id, room.id)
    assert debates.view(room.id, True).rehearsal
    await debates.start(room.id)
    assert notes.pids("ended") == [pid]
    live = notes.told((await notes.until("told", 2))[1])
    assert (live.programme, len(live.destinations)) == (room.id, 1)
    assert not debates.owns(room.id, config.programme)


async def test_the_programme_is_on_when_it_plays_and_only_the_host_sees_where(server, notes):
    room = await create(server)
    debates, presence = server.parts.debates, server.parts.presence
    await debates.start(room.id)
    assert broadcast_state(server, room.id) is BroadcastState.STARTING
    programme = server.parts.origin.open(room.id, description())
    programme.open_session(SESSION, description())
    programme.put_init(SESSION, (init_bytes(),))
    programme.put_part(SESSION, 0, (part_bytes(0),))
    presence.join("bridge", Grant(room.id, Role.BROADCAST), Join())
    report = {"programme": {"ticks": 1, "skipped": 0, "late": 0}, "ingests": {}, "hls": "live"}
    presence.set_report("bridge", BroadcastReport.model_validate(report))
    assert broadcast_state(server, room.id) is BroadcastState.ON
    assert debates.view(room.id, True).host.preview_url == f"/live/{room.id}/index.m3u8"
    assert debates.view(room.id, False).host is None
    for pid in await notes.until("told", 1):
        os.kill(pid, signal.SIGKILL)
    await until(
        lambda: broadcast_state(server, room.id) is BroadcastState.RESTARTING,
        "what the dead one said last is forgotten",
    )


async def test_a_killed_broadcast_is_replaced_at_once_and_records_into_the_next_file(server, notes):
    room = await create(server)
    await server.parts.debates.start(room.id)
    (first,) = await notes.until("told", 1)
    (notes.told(first).recording.folder / "programme-1.part.mp4").write_bytes(b"")
    begin = time.monotonic()
    os.kill(first, signal.SIGKILL)
    second = (await notes.until("told", 2))[1]
    assert time.monotonic() - begin < 3
    assert notes.told(second).recording.number == 2
    assert notes.told(second).recording.folder == notes.told(first).recording.folder
    assert server.parts.debates.view(room.id, True).host.restarts == 1


async def test_stop_ends_the_broadcast_in_order_and_the_programme_with_it(server, notes):
    room = await create(server)
    debates = server.parts.debates
    await debates.start(room.id)
    programme = server.parts.origin.open(room.id, description())
    programme.open_session(SESSION, description())
    programme.put_init(SESSION, (init_bytes(),))
    programme.put_part(SESSION, 0, (part_bytes(0),))
    pids = await notes.until("told", 1)
    assert (await debates.stop(room.id)).phase is Phase.ENDED
    assert notes.pids("ended") == pids
    assert programme.window.ended, "it did not say itself that it is over"
    assert broadcast_state(server, room.id) is BroadcastState.OFF


async def test_stop_while_it_is_starting(server, notes):
    room = await create(server)
    await server.parts.debates.start(room.id)
    await server.parts.debates.stop(room.id)
    assert not [pid for pid in notes.pids("told") if pid not in notes.pids("ended")]


async def test_two_hosts_who_press_start_put_it_on_air_once(server, notes):
    room = await create(server)
    debates = server.parts.debates
    answers = await asyncio.gather(
        debates.start(room.id), debates.start(room.id), return_exceptions=True
    )
    assert sorted(isinstance(one, ConflictError) for one in answers) == [False, True]
    await notes.until("told", 1)
    await debates.stop(room.id)
    assert len(notes.pids("waiting")) == 1


async def test_a_broadcast_that_dies_again_and_again_is_tried_less_and_less_often(tmp_path, notes):
    async with Server(tmp_path / "data", stand_in(notes.folder, dies=True)) as server:
        room = await create(server)
        await server.parts.debates.start(room.id)
        await notes.until("told", 3)
        assert broadcast_state(server, room.id) in {
            BroadcastState.RESTARTING,
            BroadcastState.STARTING,
        }
        await server.parts.debates.stop(room.id)
        count = len(notes.pids("waiting"))
        assert count < 12
        assert broadcast_state(server, room.id) is BroadcastState.OFF


async def test_a_broadcast_that_hangs_is_killed_after_ten_seconds(tmp_path, notes):
    async with Server(tmp_path / "data", stand_in(notes.folder, stubborn=True)) as server:
        room = await create(server)
        await server.parts.debates.start(room.id)
        (pid,) = await notes.until("told", 1)
        begin = time.monotonic()
        await server.parts.debates.stop(room.id)
        assert 9 < time.monotonic() - begin < 13
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


async def test_a_command_that_cannot_be_started_leaves_the_debate_to_be_stopped(tmp_path):
    async with Server(tmp_path / "data", ("/nowhere/at/all",)) as server:
        room = await create(server)
        await server.parts.debates.start(room.id)
        await until(lambda: host_view(server, room.id).restarts, "it was tried")
        assert (await server.parts.debates.stop(room.id)).phase is Phase.ENDED


async def test_a_disk_that_takes_no_recording_does_not_stop_the_debate(server, notes):
    room = await create(server)
    folder = server.settings.data_dir / "programmes"
    folder.rmdir()
    folder.write_text("in the way")
    await server.parts.debates.start(room.id)
    config = notes.told((await notes.until("told", 1))[0])
    assert config.recording is None
    assert len(config.destinations) == 1, "on air all the same"
    seen = server.parts.debates.view(room.id, True).host.recording
    assert seen.state is OutputState.REJECTED
    assert seen.detail


async def test_a_debate_that_was_on_air_is_on_air_again_after_a_restart(tmp_path, notes):
    command = stand_in(notes.folder)
    async with Server(tmp_path / "data", command) as server:
        live, waiting = await create(server), await create(server)
        await server.parts.debates.start(live.id)
        await notes.until("told", 1)
        token = server.parts.signer.sign(live.id, Role.HOST)
    assert len(notes.pids("ended")) == 1, "the server's end ends its broadcasts in order"
    async with Server(tmp_path / "data", command) as server:
        debates = server.parts.debates
        assert server.parts.signer.sign(live.id, Role.HOST) == token, "links stay good"
        await debates.resume()
        config = notes.told((await notes.until("told", 2))[1])
        assert (config.room, config.destinations[0].url) == (live.id, SECRET)
        found = await debates.find(waiting.id)
        assert found == waiting
        assert (await debates.find(live.id)).phase is Phase.LIVE
        with pytest.raises(NotFoundError):
            await debates.find("nosuchroom")
        await debates.stop(live.id)
    async with Server(tmp_path / "data", command) as server:
        assert (await server.parts.debates.find(live.id)).phase is Phase.ENDED
        await server.parts.debates.resume()
        assert not server.parts.debates.owns(live.id, live.id)


async def test_the_spare_is_used_and_ends_with_the_server(tmp_path, notes):
    spares = Spares(stand_in(notes.folder), warm=True)
    spares.start()
    (spare,) = await notes.until("waiting", 1)
    config = BroadcastConfig.model_validate(
        {"server_url": "http://x", "token": "t", "room": "r", "programme": "r", "motion": "m",
         "names": {"proposition": "a", "opposition": "b"}}
    )  # fmt: skip
    run = BroadcastRun(
        "r", spares, configure=lambda: config, on_change=lambda: None, clock=SystemClock()
    )
    assert await notes.until("told", 1) == [spare]
    assert json.loads((notes.folder / f"told-{spare}.json").read_text())["token"] == "t"
    await run.stop()
    await run.stop()
    await spares.stop()
    await spares.stop()
    assert notes.pids("waiting") == [spare]


async def test_a_spare_that_died_while_it_waited_is_not_used(notes):
    spares = Spares(stand_in(notes.folder), warm=True)
    spares.start()
    (spare,) = await notes.until("waiting", 1)
    os.kill(spare, signal.SIGKILL)
    await until(lambda: not Path(f"/proc/{spare}").exists(), "the spare is gone and reaped")
    process = await spares.take()
    assert process.pid != spare
    process.kill()
    await process.wait()
    await spares.stop()
