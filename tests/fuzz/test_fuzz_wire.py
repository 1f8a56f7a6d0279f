"""RTP, RTCP and STUN that nobody would send, while another debater goes on undisturbed."""

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import psutil
import pytest

from tests.fuzz.mutate import Mutator, found, packet_seeds
from tests.fuzz.witness import Witness
from tests.ingest import Seat
from tests.rtc import CameraTrack, Sender

INPUTS = 10_000
_AT_ONCE = 25
"""Datagrams between two turns of the loop: what the socket's buffer holds many times over."""
_MAX_GROWTH = 50_000_000

pytestmark = pytest.mark.timeout(180)


class Plain:
    """In place of SRTP on both ends: what is sent is what is parsed."""

    def __init__(self) -> None:
        self.seen = 0

    def protect(self, data: bytes) -> bytes:
        return data

    protect_rtcp = protect

    def unprotect(self, data: bytes) -> bytes:
        self.seen += 1
        return data

    unprotect_rtcp = unprotect


class Debater:
    """A seat with a real sender."""

    def __init__(self, seat: Seat) -> None:
        self.seat = seat
        self.sender = Sender(CameraTrack())

    async def connect(self) -> None:
        await self.sender.connect(self.seat.ingest, "fuzz.1")
        await self.seat.receiving()

    def unprotected(self) -> Plain:
        """Take SRTP away from both ends; returns what the bridge's end has instead."""
        plain = Plain()
        self.connection._peer.getTransceivers()[0].receiver.transport._rx_srtp = plain
        self.sender._dtls._tx_srtp = Plain()
        return plain

    @property
    def connection(self) -> Any:
        return self.seat.ingest._connection

    async def close(self) -> None:
        await self.sender.close()
        await self.seat.ingest.close()


@asynccontextmanager
async def two_debaters() -> AsyncIterator[tuple[Debater, Witness]]:
    witness = Witness("opposition")
    both = victim, other = Debater(Seat("proposition")), Debater(witness)
    try:
        await victim.connect()
        await other.connect()
        yield victim, witness
    finally:
        for debater in both:
            await debater.close()


async def throw(debater: Debater, packets: Sequence[bytes]) -> None:
    for number, data in enumerate(packets):
        await debater.sender.send_raw(data)
        if number % _AT_ONCE == 0:
            await asyncio.sleep(0.001)


@pytest.mark.parametrize(("kind", "seed"), [("rtp", 101), ("rtcp", 102), ("stun", 103)])
async def test_ten_thousand_bad_packets_end_nothing(kind: str, seed: int) -> None:
    packets = [*found(kind), *Mutator(seed).packets(packet_seeds(kind), INPUTS)]
    failures: list[str] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _loop, context: failures.append(str(context)))
    async with two_debaters() as (victim, witness):
        plain = victim.unprotected()
        await throw(victim, packets[:500])
        before = psutil.Process(os.getpid()).memory_info().rss
        await throw(victim, packets[500:])
        await witness.more_pictures()
        growth = psutil.Process(os.getpid()).memory_info().rss - before
        if kind != "stun":
            assert plain.seen > 0.7 * INPUTS
            assert victim.connection.connected, f"seed {seed}"
        witness.check(f"seed {seed}")
        assert growth < _MAX_GROWTH, f"seed {seed}: {growth / 1e6:.0f} MB more"
        # The seat itself takes the next connection, whatever became of this one.
        again = Sender(CameraTrack())
        await again.connect(victim.seat.ingest, "fuzz.2")
        await victim.seat.more_pictures()
        await again.close()
    assert failures == [], f"seed {seed}"


async def test_who_sent_nonsense_and_stops_is_seen_again_without_a_new_connection() -> None:
    async with two_debaters() as (victim, _):
        victim.unprotected()
        for kind in ("rtp", "rtcp"):
            await throw(victim, list(Mutator(7).packets(packet_seeds(kind), 1000)))
        await victim.seat.more_pictures()
