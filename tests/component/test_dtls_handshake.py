"""Joining over a network that loses the first packets of the handshake."""

import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription

from bridge.aiortc_inside import handshake, receiving
from tests.helpers import until
from tests.traps.stock import uninstalled


@pytest.fixture
async def pair() -> AsyncIterator[list[RTCPeerConnection]]:
    peers: list[RTCPeerConnection] = []
    yield peers
    for peer in peers:
        await peer.close()


@contextmanager
def ours() -> Iterator[None]:
    receiving.install()
    handshake.install()
    yield


def lose_first(peer: RTCPeerConnection, count: int) -> None:
    """Lose the first datagrams of DTLS that `peer` sends."""
    ice: Any = peer.getTransceivers()[0].receiver.transport.transport
    send, left = ice._send, [count]

    async def sometimes(data: bytes) -> None:
        if left[0] > 0:
            left[0] -= 1
            return
        await send(data)

    ice._send = sometimes


async def seconds_to_connect(peers: list[RTCPeerConnection], *, stock: bool) -> float:
    # The classes are looked up when transports are made, which both descriptions do.
    with uninstalled() if stock else ours():
        peers += [RTCPeerConnection(RTCConfiguration(iceServers=[])) for _ in range(2)]
        one, other = peers
        one.addTransceiver("audio")
        await one.setLocalDescription(await one.createOffer())
        await other.setRemoteDescription(RTCSessionDescription(one.localDescription.sdp, "offer"))
        await other.setLocalDescription(await other.createAnswer())
    for peer in peers:
        lose_first(peer, 2)
    began = time.monotonic()
    answer = RTCSessionDescription(other.localDescription.sdp, "answer")
    await one.setRemoteDescription(answer)
    await until(lambda: all(peer.connectionState == "connected" for peer in peers), "both")
    return time.monotonic() - began


async def test_two_lost_datagrams_each_way_cost_less_than_a_second(
    pair: list[RTCPeerConnection],
) -> None:
    assert await seconds_to_connect(pair, stock=False) < 1.5


async def test_stock_waits_for_openssl_whose_pauses_double(pair: list[RTCPeerConnection]) -> None:
    assert await seconds_to_connect(pair, stock=True) > 2.5
