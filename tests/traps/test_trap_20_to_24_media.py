"""Sizes, events, what is sent, memory, versions."""

import ast
import asyncio
import logging
import os
import subprocess
import sys
from collections import deque
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import psutil
import pytest
from aiortc import MediaStreamTrack, RTCPeerConnection
from aiortc.contrib.media import MediaRecorder
from aiortc.mediastreams import MediaStreamError
from pyee.asyncio import AsyncIOEventEmitter

import bridge
from bridge.aiortc_inside.versions import RECEIVER_ATTRIBUTES, check_attributes, check_versions
from bridge.broadcast.media.scaler import Scaler
from bridge.broadcast.media.scene import Fit, Rect
from bridge.broadcast.rtc import tasks
from bridge.broadcast.rtc.video_decoder import PictureDecoder, PictureError
from bridge.clock import SystemClock
from bridge.debater.connection import Connection, ReceivedMedia
from bridge.debater.encoder import MediaEncoder
from bridge.errors import SetupError
from tests.helpers import until
from tests.ingest import Seat
from tests.rtc import CameraTrack, Sender
from tests.traps.vp8 import frame

ROOT = Path(bridge.__file__).parent
TURNS = ((1280, 720), (640, 360), (720, 1280))
HELD = 60
BOMB = b"\x50\x05\x00\x9d\x01\x2a\xff\x3f\xff\x3f" + b"\x00" * 57
"""A VP8 keyframe that claims 16383x16383."""


# 20. The size changes in mid-stream; see also tests/component/test_rtc_ingest.py.


async def test_trap_20_a_camera_that_turns_is_seen_in_its_own_proportions() -> None:
    seat, camera = Seat(), CameraTrack(size=TURNS[0])
    sender = Sender(camera)
    await sender.connect(seat.ingest, "link-1")
    for size in TURNS:
        camera.size = size
        await until(lambda size=size: seat.camera.sizes[-1:] == [size], f"{size}")  # type: ignore[misc]
    await sender.close()
    await seat.ingest.close()


class Turning(MediaStreamTrack):
    """Ten pictures of each size."""

    kind = "video"

    def __init__(self) -> None:
        super().__init__()
        self._number = 0

    async def recv(self) -> av.VideoFrame:
        number, self._number = self._number, self._number + 1
        if number >= 10 * len(TURNS):
            raise MediaStreamError
        picture = av.VideoFrame(*TURNS[number // 10], "yuv420p")
        picture.pts, picture.time_base = number * 3000, Fraction(1, 90_000)
        return picture


async def test_trap_20_stock_records_everything_squeezed_into_the_first_size(
    tmp_path: Path,
) -> None:
    file = str(tmp_path / "recording.mp4")
    recorder = MediaRecorder(file)
    recorder.addTrack(Turning())
    await recorder.start()
    await asyncio.sleep(0.1)
    await until(
        lambda: all(t.done() for t in asyncio.all_tasks() if "MediaRecorder" in repr(t)), "the end"
    )
    await recorder.stop()
    with av.open(file) as recording:
        sizes = {(picture.width, picture.height) for picture in recording.decode(video=0)}
    assert sizes == {TURNS[0]}


def test_trap_20_an_absurd_size_costs_nothing() -> None:
    before = psutil.Process().memory_info().rss
    with pytest.raises(PictureError):
        PictureDecoder().decode(frame(BOMB, 0))
    assert psutil.Process().memory_info().rss - before < 20_000_000


def megabytes_of(script: str) -> float:
    """Run `script`, whose `memory(key)` reads /proc, in a new process; return what it prints.

    A large process has room on its heap already, and getrusage would tell a child of its parent's
    peak: Linux keeps it over exec.
    """
    memory = """
def memory(key):
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) / 1000 for line in status if line.startswith(key))
"""
    command = [sys.executable, "-c", memory + script]
    return float(subprocess.run(command, capture_output=True, check=True, text=True).stdout)


def test_trap_20_stock_pays_for_an_absurd_size() -> None:
    script = f"""
from aiortc.codecs.vpx import Vp8Decoder
from aiortc.jitterbuffer import JitterFrame
before = memory("VmHWM")
try:
    Vp8Decoder().decode(JitterFrame({BOMB!r}, 0))
except Exception:
    pass
print(memory("VmHWM") - before)
"""
    assert megabytes_of(script) > 200


# 21. An event's handler that is a coroutine: its failure becomes an event of its own.


def test_trap_21_no_handler_of_an_event_of_aiortc_returns_anything() -> None:
    for path in (*(ROOT / "broadcast").rglob("*.py"), *(ROOT / "debater").rglob("*.py")):
        tree = ast.parse(path.read_text())
        functions = {
            node.name: node
            for node in ast.walk(tree)
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        }
        for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
            if not isinstance(call.func, ast.Attribute) or call.func.attr not in {"on", "once"}:
                continue
            handler = call.args[1]
            assert isinstance(handler, ast.Attribute), f"{path}: a method is easier to look at"
            function = functions[handler.attr]
            assert isinstance(function, ast.FunctionDef), f"{path}: {handler.attr} is async"
            assert isinstance(function.returns, ast.Constant), f"{path}: {handler.attr} -> None"


async def test_trap_21_a_task_that_fails_is_logged_and_nothing_else(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def fail() -> None:
        message = "on purpose"
        raise OSError(message)

    unhandled: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: unhandled.append(context))
    with caplog.at_level(logging.ERROR):
        await asyncio.wait([tasks.start(fail(), "trap-21")])
    assert "trap-21 failed" in caplog.text
    assert unhandled == []


async def test_trap_21_stock_raises_an_error_event_out_of_a_failed_handler() -> None:
    unhandled: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: unhandled.append(context))
    assert issubclass(RTCPeerConnection, AsyncIOEventEmitter)
    emitter = AsyncIOEventEmitter()

    async def fail(_track: object) -> None:
        message = "on purpose"
        raise OSError(message)

    emitter.on("track", fail)
    emitter.emit("track", None)
    await until(lambda: unhandled, "the loop to be told", seconds=5)


# 22. Encoded H.264 must be Annex B with parameter sets at each IDR. Nothing here sends H.264.


async def test_trap_22_what_is_sent_encoded_is_vp8_and_nothing_else_is_negotiated() -> None:
    failures: list[Exception] = []
    encoder = MediaEncoder(SystemClock(), on_failure=failures.append)
    connection = Connection("trap", encoder, [], ReceivedMedia())
    sdp = await connection.offer("sendonly")
    assert "VP8/90000" in sdp
    assert "H264" not in sdp
    await connection.close()


def test_trap_22_there_is_no_other_sender_of_packets() -> None:
    senders = [
        path.relative_to(ROOT).as_posix()
        for path in ROOT.rglob("*.py")
        if "(MediaStreamTrack):" in path.read_text()
    ]
    assert senders == ["debater/tracks.py"]


# 23. `VideoFrame.reformat` keeps a scaler for each frame as long as the frame.


def pictures() -> deque[av.VideoFrame]:
    return deque(maxlen=HELD)


def grown(make: Callable[[], av.VideoFrame], count: int) -> float:
    """MB that `count` rounds of `make`, the newest 60 results held, cost after the first 120."""
    held = pictures()
    process = psutil.Process(os.getpid())
    before = 0
    for number in range(count):
        if number == 2 * HELD:
            before = process.memory_info().rss
        held.append(make())
    return float(process.memory_info().rss - before) / 1e6


def test_trap_23_scaling_while_sixty_frames_are_held_costs_no_memory() -> None:
    scaler = Scaler()
    tile = Rect(0, 0, 640, 360)

    def scale() -> av.VideoFrame:
        picture = av.VideoFrame(1280, 720, "yuv420p")
        scaler.scale(picture, tile, Fit.COVER)
        return picture

    assert grown(scale, 3000) < 20


def test_trap_23_stock_keeps_a_scaler_with_each_frame() -> None:
    script = f"""
import av
held = [av.VideoFrame(1280, 720, "yuv420p") for _ in range({HELD})]
for picture in held:
    for plane in picture.planes:
        plane.update(bytes(plane.buffer_size))
before = memory("VmRSS")
for picture in held:
    picture.reformat(width=640, height=360, interpolation="BICUBIC")
print(memory("VmRSS") - before)
"""
    assert megabytes_of(script) > 0.3 * HELD


def test_trap_23_nothing_scales_by_way_of_a_frame() -> None:
    for path in (ROOT / "broadcast").rglob("*.py"):
        for call in ast.walk(ast.parse(path.read_text())):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute):
                if call.func.attr == "reformat":
                    # Only ever one of the kept VideoReformatters.
                    kept = {"scaler", "self._scaler", "self._to_420"}
                    assert ast.unparse(call.func.value) in kept, path
                if call.func.attr == "to_ndarray":
                    assert not call.args
                    assert not call.keywords


# 24. Private names that another version does not have.


def test_trap_24_another_minor_version_is_refused_in_words() -> None:
    with pytest.raises(SetupError, match=r"aiortc 1\.17\.0 is installed"):
        check_versions("1.17.0", "0.13.0")
    with pytest.raises(SetupError, match=r"aioice 0\.14\.0 is installed"):
        check_versions("1.16.0", "0.14.0")


@pytest.mark.parametrize("gone", RECEIVER_ATTRIBUTES)
def test_trap_24_each_private_name_that_is_gone_is_named_at_the_start(gone: str) -> None:
    names = [f"_RTCRtpReceiver__{name}" for name in RECEIVER_ATTRIBUTES if name != gone]
    with pytest.raises(SetupError, match=gone):
        check_attributes(names)


def test_trap_24_python_itself_says_nothing_before_the_first_packet() -> None:
    class Receiver:
        def first_packet(self) -> object:
            return self._RTCRtpReceiver__renamed  # type: ignore[attr-defined]

    receiver = Receiver()  # no complaint
    with pytest.raises(AttributeError):
        receiver.first_packet()
