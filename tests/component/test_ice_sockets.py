"""Real sockets and real ICE: where a connection receives, and who may keep it waiting."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from aiortc import (
    RTCBundlePolicy,
    RTCConfiguration,
    RTCIceServer,
    RTCPeerConnection,
    RTCSessionDescription,
)

from bridge.aiortc_inside import addresses
from bridge.clock import SystemClock
from bridge.debater.connection import Connection, ReceivedMedia
from bridge.debater.encoder import MediaEncoder
from bridge.errors import ConflictError
from bridge.protocol.broadcast_config import NetworkConfig
from bridge.protocol.messages import IceServer
from tests.helpers import until

LOOPBACK = NetworkConfig(udp_interfaces=("127.0.0.1",), udp_ports=(47_300, 47_303))


def peer(*servers: RTCIceServer) -> RTCPeerConnection:
    addresses.install()
    made = RTCPeerConnection(
        RTCConfiguration(iceServers=list(servers), bundlePolicy=RTCBundlePolicy.MAX_BUNDLE)
    )
    made.addTransceiver("audio")
    return made


async def offered(made: RTCPeerConnection, network: NetworkConfig) -> list[tuple[str, int]]:
    addresses.place(made, network)
    await made.setLocalDescription(await made.createOffer())
    lines = (line.split() for line in made.localDescription.sdp.splitlines())
    return [(line[4], int(line[5])) for line in lines if line[0].startswith("a=candidate:")]


@pytest.fixture
def black_hole() -> Iterator[int]:
    """Port of a socket that takes every packet and never answers."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        yield int(silent.getsockname()[1])


async def test_sockets_are_in_the_range_and_on_the_interface() -> None:
    made = peer()
    ((address, port),) = await offered(made, LOOPBACK)
    await made.close()
    assert address == "127.0.0.1"
    assert 47_300 <= port <= 47_303


async def test_ipv6_sockets_are_opened_and_left_out_as_set() -> None:
    both = LOOPBACK.model_copy(update={"udp_interfaces": ("lo",)})
    with_it, without = peer(), peer()
    assert {address for address, _ in await offered(with_it, both)} == {"127.0.0.1", "::1"}
    only_four = both.model_copy(update={"udp_ipv6": False})
    assert {address for address, _ in await offered(without, only_four)} == {"127.0.0.1"}
    await asyncio.gather(with_it.close(), without.close())


async def test_a_full_range_is_said_in_words_and_a_free_port_is_found() -> None:
    with ExitStack() as stack:
        taken = []
        for port in range(47_300, 47_304):
            one = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            one.bind(("127.0.0.1", port))
            taken.append(one)
        full = peer()
        with pytest.raises(ConflictError, match="No free UDP port from 47300 to 47303"):
            await offered(full, LOOPBACK)
        await full.close()
        taken[2].close()
        made = peer()
        assert await offered(made, LOOPBACK) == [("127.0.0.1", 47_302)]
        await made.close()
    again = peer()
    await offered(again, LOOPBACK)
    await again.close()


async def test_an_interface_that_is_not_there_is_said_in_words() -> None:
    made = peer()
    nowhere = LOOPBACK.model_copy(update={"udp_interfaces": ("none0",)})
    with pytest.raises(ConflictError, match="no network address"):
        await offered(made, nowhere)
    await made.close()


async def test_two_peers_connect_within_the_range() -> None:
    one, other = peer(), peer()
    await offered(one, LOOPBACK)
    await other.setRemoteDescription(RTCSessionDescription(one.localDescription.sdp, "offer"))
    addresses.place(other, LOOPBACK)
    await other.setLocalDescription(await other.createAnswer())
    await one.setRemoteDescription(RTCSessionDescription(other.localDescription.sdp, "answer"))
    await until(lambda: one.connectionState == "connected", "they are connected")
    await asyncio.gather(one.close(), other.close())


@pytest.mark.parametrize("scheme", ["stun", "turn"])
async def test_trap_17_a_server_that_never_answers_delays_no_debater(
    black_hole: int, scheme: str
) -> None:
    encoder = MediaEncoder(SystemClock(), on_failure=lambda _error: None)
    server = IceServer(urls=f"{scheme}:127.0.0.1:{black_hole}", username="a", credential="b")
    made = Connection("debater", encoder, [server], ReceivedMedia())
    loop = asyncio.get_running_loop()
    begun = loop.time()
    offer = await made.offer("sendonly")
    took = loop.time() - begun
    await made.close()
    assert " typ host" in offer
    assert took < 1.5, f"{took:.2f} s"
