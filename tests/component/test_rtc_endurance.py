"""Two hundred joins and leaves of one seat: nothing is left behind.

Half an hour of media in virtual time is in tests/unit/test_rtc_half_an_hour.py.
"""

import asyncio
import gc
import threading

import psutil
import pytest

from bridge.protocol.messages import IngestState
from tests.helpers import until
from tests.ingest import Seat
from tests.rtc import CameraTrack, Sender

JOINS = 200
WARM_UP = 20
_MAX_GROWTH = 15_000_000
"""Bytes. Measured: 5 MB by the sixtieth join, then 0.2 MB in forty."""

pytestmark = pytest.mark.timeout(300)


async def join_and_leave(seat: Seat, number: int) -> None:
    """Connect, send the first packets, and be closed or killed, alternately."""
    sender = Sender(CameraTrack())
    await sender.connect(seat.ingest, f"link-{number}")
    await until(lambda: seat.ingest.state is IngestState.RECEIVING, f"packets of join {number}")
    if number % 2:
        sender.kill()
    await sender.close()
    seat.microphone.blocks.clear()


def census() -> tuple[int, int, int]:
    """RSS in bytes, threads, file descriptors.

    Without the threads of the loop's own pool: it makes them, up to six, as it needs them.
    """
    gc.collect()
    process = psutil.Process()
    threads = [one for one in threading.enumerate() if not one.name.startswith("asyncio_")]
    return process.memory_info().rss, len(threads), process.num_fds()


async def test_two_hundred_joins_and_leaves_cost_nothing() -> None:
    seat = Seat()
    for number in range(WARM_UP):
        await join_and_leave(seat, number)
    await seat.ingest.close()
    tasks, before = len(asyncio.all_tasks()), census()
    for number in range(WARM_UP, JOINS):
        await join_and_leave(seat, number)
    assert seat.ingest.generation == JOINS
    await seat.ingest.close()
    await until(lambda: len(asyncio.all_tasks()) <= tasks, "the senders' tasks to end")
    memory, threads, descriptors = (
        after - then for after, then in zip(census(), before, strict=True)
    )
    assert memory < _MAX_GROWTH, f"{memory / 1e6:.0f} MB more"
    assert threads <= 0
    assert descriptors <= 0
