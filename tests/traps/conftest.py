"""A seat of ours and a real sender, for traps that need both."""

from collections.abc import AsyncIterator

import pytest

from tests.ingest import Seat
from tests.rtc import CameraTrack, Sender


@pytest.fixture
async def seat() -> AsyncIterator[Seat]:
    seat = Seat()
    yield seat
    await seat.ingest.close()


@pytest.fixture
async def sender() -> AsyncIterator[Sender]:
    sender = Sender(CameraTrack())
    yield sender
    await sender.close()
