"""RTMP against a real nginx-rtmp, and against servers that misbehave."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bridge.broadcast.media.packets import EncodedPacket
from bridge.broadcast.outputs.connection import Target
from bridge.broadcast.outputs.restream import RestreamOutput
from bridge.clock import SystemClock
from bridge.concurrency.backoff import Backoff
from bridge.protocol.messages import DestinationReport, OutputState
from tests import media
from tests.rtmp_server import RtmpServer, free_port

KEY = "secret-key-1234"


@pytest.fixture
def rtmp_server(tmp_path: Path) -> Iterator[RtmpServer]:
    with RtmpServer(tmp_path) as server:
        yield server


class Live:
    """An output that is fed in real time, with everything it has reported."""

    def __init__(self, target: Target) -> None:
        self.parameters, self._packets = media.encode_programme(40)
        self.reports: list[DestinationReport] = []
        self._changed = asyncio.Condition()
        self._tasks: set[asyncio.Task] = set()
        self.output = RestreamOutput(
            "d1",
            target,
            parameters=self.parameters,
            clock=SystemClock(),
            on_report=self._on_report,
            backoff=Backoff(first=0.2, most=0.5),
        )

    @property
    def states(self) -> list[OutputState]:
        """States in order, repetitions left out."""
        states = [report.state for report in self.reports]
        return [s for n, s in enumerate(states) if n == 0 or states[n - 1] is not s]

    def is_now(self, state: OutputState) -> Callable[[], bool]:
        return lambda: self.reports[-1].state is state

    async def until(self, condition: Callable[[], bool], seconds: float = 15) -> None:
        async with self._changed, asyncio.timeout(seconds):
            await self._changed.wait_for(condition)

    async def feed(self) -> None:
        loop = asyncio.get_running_loop()
        start = loop.time()
        for packet in self._packets:
            await asyncio.sleep(max(0.0, float(packet.time) - (loop.time() - start)))
            self.output.put(packet)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Push, and feed, for as long as the context lasts."""
        self.output.start()
        feeding = asyncio.create_task(self.feed())
        try:
            yield
        finally:
            feeding.cancel()
            await asyncio.gather(feeding, return_exceptions=True)
            await self.output.stop(5)

    def put(self, packet: EncodedPacket) -> None:
        self.output.put(packet)

    def _on_report(self, report: DestinationReport) -> None:
        self.reports.append(report)
        assert KEY not in report.model_dump_json()
        task = asyncio.get_running_loop().create_task(self._tell())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()


@asynccontextmanager
async def live(url: str, *, allow_private: bool = True) -> AsyncIterator[Live]:
    subject = Live(Target(url=url, allow_private=allow_private))
    async with subject.running():
        yield subject


async def test_the_server_gets_the_programme_from_a_keyframe_at_zero(
    rtmp_server: RtmpServer,
) -> None:
    async with live(rtmp_server.url(KEY)) as subject:
        await subject.until(subject.is_now(OutputState.LIVE))
        await subject.until(lambda: subject.reports[-1].sent_bytes > 100_000)
    assert subject.states == [OutputState.PREPARING, OutputState.LIVE, OutputState.STOPPED]
    (recording,) = rtmp_server.recordings(KEY)
    report = media.probe(recording)
    video, audio = report["streams"]
    assert (video["codec_name"], video["width"], audio["codec_name"]) == ("h264", 320, "aac")
    assert float(video["start_time"]) == pytest.approx(0, abs=0.04)
    media.decodes_cleanly(recording)


async def test_a_player_gets_it_from_the_server(rtmp_server: RtmpServer) -> None:
    async with live(rtmp_server.url(KEY)) as subject:
        await subject.until(subject.is_now(OutputState.LIVE))
        report = await asyncio.to_thread(
            media.probe, rtmp_server.url(KEY), "-read_intervals", "%+2"
        )
    assert {stream["codec_name"] for stream in report["streams"]} == {"h264", "aac"}


async def test_a_server_that_is_killed_and_comes_back_is_found_again(
    rtmp_server: RtmpServer,
) -> None:
    async with live(rtmp_server.url(KEY)) as subject:
        await subject.until(subject.is_now(OutputState.LIVE))
        rtmp_server.kill()
        await subject.until(subject.is_now(OutputState.RETRYING), seconds=3)
        # Nothing answers for longer than three tries: still lost, never rejected.
        await subject.until(lambda: subject.reports[-1].retries >= 4)
        rtmp_server.start()
        await subject.until(subject.is_now(OutputState.LIVE), seconds=4)
    assert OutputState.REJECTED not in subject.states
    first, second = rtmp_server.recordings(KEY)
    for recording in (first, second):
        packets = media.probe(recording, "-show_packets", "-select_streams", "v")["packets"]
        assert packets[0]["flags"].startswith("K")


@pytest.mark.parametrize("application", ["closed", "missing"])
async def test_three_refusals_are_told_as_a_wrong_key(
    rtmp_server: RtmpServer, application: str
) -> None:
    async with live(rtmp_server.url(KEY, application)) as subject:
        await subject.until(subject.is_now(OutputState.REJECTED))
        assert subject.reports[-1].retries == 3
        assert "stream key" in subject.reports[-1].detail
    assert subject.states[-1] is OutputState.STOPPED


async def test_a_port_where_nobody_listens_is_retried_for_ever() -> None:
    async with live(f"rtmp://127.0.0.1:{free_port()}/live/{KEY}") as subject:
        await subject.until(lambda: subject.reports[-1].retries >= 5)
    assert OutputState.REJECTED not in subject.states
    assert "Nothing answers" in subject.reports[-2].detail


async def test_a_private_address_is_refused_unless_allowed(rtmp_server: RtmpServer) -> None:
    async with live(rtmp_server.url(KEY), allow_private=False) as subject:
        await subject.until(subject.is_now(OutputState.REJECTED))
        assert "private" in subject.reports[-1].detail
    assert rtmp_server.recordings(KEY) == []


async def test_a_server_that_accepts_and_stays_silent_holds_up_nothing() -> None:
    connected = asyncio.Event()
    done = asyncio.Event()

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connected.set()
        await done.wait()
        writer.close()

    server = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    loop = asyncio.get_running_loop()
    async with live(f"rtmp://127.0.0.1:{port}/live/{KEY}") as subject:
        await asyncio.wait_for(connected.wait(), 5)
        began = loop.time()
        await subject.until(subject.is_now(OutputState.RETRYING), seconds=10)
        assert loop.time() - began < 9
    done.set()
    server.close()
    await server.wait_closed()


async def test_stop_does_not_wait_for_a_server_that_has_stopped_reading(
    rtmp_server: RtmpServer,
) -> None:
    async with live(rtmp_server.url(KEY)) as subject:
        await subject.until(subject.is_now(OutputState.LIVE))
        rtmp_server.freeze()
        async with asyncio.timeout(3):
            await subject.output.stop(1)
        assert subject.reports[-1].state is OutputState.STOPPED
        rtmp_server.thaw()


async def test_a_killed_child_is_replaced(rtmp_server: RtmpServer) -> None:
    async with live(rtmp_server.url(KEY)) as subject:
        await subject.until(subject.is_now(OutputState.LIVE))
        first = subject.output.child_pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        await subject.until(subject.is_now(OutputState.RETRYING))
        await subject.until(subject.is_now(OutputState.LIVE), seconds=5)
        assert subject.output.child_pid not in {None, first}


async def test_the_key_is_in_neither_argv_nor_environment(rtmp_server: RtmpServer) -> None:
    async with live(rtmp_server.url(KEY)) as subject:
        await subject.until(subject.is_now(OutputState.LIVE))
        child = Path(f"/proc/{subject.output.child_pid}")
        for file in ("cmdline", "environ"):
            assert KEY.encode() not in (child / file).read_bytes()


def _alive(pid: int | None) -> bool:
    return Path(f"/proc/{pid}").exists()


async def test_no_child_is_left_after_stop(rtmp_server: RtmpServer) -> None:
    async with live(rtmp_server.url(KEY)) as subject:
        await subject.until(subject.is_now(OutputState.LIVE))
        child = subject.output.child_pid
        assert _alive(child)
    assert not _alive(child)
    await subject.output.stop(1)


async def test_a_child_does_not_outlive_a_broadcast_that_is_killed(
    rtmp_server: RtmpServer,
) -> None:
    script = """
import asyncio, sys
from tests.component.test_output_restream import OutputState, live

async def main():
    async with live(sys.argv[1]) as subject:
        await subject.until(subject.is_now(OutputState.LIVE))
        print(subject.output.child_pid, flush=True)
        await asyncio.sleep(60)

asyncio.run(main())
"""
    broadcast = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, rtmp_server.url(KEY), stdout=asyncio.subprocess.PIPE
    )
    assert broadcast.stdout is not None
    child = int(await broadcast.stdout.readline())
    handle = os.pidfd_open(child)
    gone = asyncio.Event()
    asyncio.get_running_loop().add_reader(handle, gone.set)
    assert not gone.is_set()
    broadcast.kill()
    await asyncio.wait_for(gone.wait(), 2)
    asyncio.get_running_loop().remove_reader(handle)
    os.close(handle)
    await broadcast.wait()


async def test_stop_before_the_first_packet() -> None:
    subject = Live(Target(url="rtmp://127.0.0.1/live/none"))
    subject.output.start()
    await subject.output.stop(1)
    assert subject.states == [OutputState.PREPARING, OutputState.STOPPED]
