"""RTMP servers of other makes: node-media-server, and stunnel in front of nginx-rtmp."""

import asyncio
import contextlib
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bridge.broadcast.outputs.connection import Target
from bridge.protocol.messages import OutputState
from tests import media
from tests.component.test_output_restream import KEY, Live, live
from tests.component.test_output_restream_tls import certificate_for
from tests.rtmp_server import RtmpServer, free_port

NODE_SERVER = Path(__file__).parents[1] / "node_media_server.cjs"


@contextmanager
def running(command: list[str], port: int) -> Iterator[None]:
    """A server of another program, from the moment at which it accepts."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        end = time.monotonic() + 20
        while True:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            assert process.poll() is None, command
            assert time.monotonic() < end, command
            # It has no other way to say that it listens.
            time.sleep(0.05)
        yield
    finally:
        process.kill()
        process.wait()


async def test_node_media_server_takes_the_programme_and_players_get_it() -> None:
    port = free_port()
    with running(["node", str(NODE_SERVER), str(port)], port):
        url = f"rtmp://127.0.0.1:{port}/live/{KEY}"
        async with live(url) as subject:
            await subject.until(subject.is_now(OutputState.LIVE))
            report = await asyncio.to_thread(media.probe, url, "-read_intervals", "%+2")
            assert {stream["codec_name"] for stream in report["streams"]} == {"h264", "aac"}


async def test_a_key_that_node_media_server_rejects_is_told_as_wrong() -> None:
    port = free_port()
    with running(["node", str(NODE_SERVER), str(port)], port):
        async with live(f"rtmp://127.0.0.1:{port}/live/wrong-key-0000") as subject:
            await subject.until(subject.is_now(OutputState.REJECTED))
            assert "stream key" in subject.reports[-1].detail


async def test_stunnel_in_front_of_a_server_is_proved_by_its_name(tmp_path: Path) -> None:
    certificate = certificate_for(tmp_path, "localhost")
    port = free_port()
    with RtmpServer(tmp_path) as server:
        config = tmp_path / "stunnel.conf"
        config.write_text(
            "foreground = yes\npid =\n[rtmps]\n"
            f"accept = 127.0.0.1:{port}\nconnect = 127.0.0.1:{server.port}\ncert = {certificate}\n"
        )
        with running(["stunnel4", str(config)], port):
            url = f"rtmps://localhost:{port}/live/{KEY}"
            subject = Live(Target(url=url, allow_private=True, roots=certificate))
            async with subject.running():
                await subject.until(subject.is_now(OutputState.LIVE))
                await subject.until(lambda: subject.reports[-1].sent_bytes > 100_000)
        assert len(server.recordings(KEY)) == 1
