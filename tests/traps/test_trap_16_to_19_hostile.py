"""Ends that do not end, addresses that lead nowhere, packets that cannot be read."""

import asyncio
import re
import socket
import struct
import threading
import time
from typing import Any

import pytest
from aiortc import RTCConfiguration, RTCIceServer, RTCPeerConnection, rtp
from aiortc.rtcdtlstransport import RtpRouter

from bridge.aiortc_inside import addresses, receiving
from bridge.errors import InputError
from tests.helpers import until
from tests.ingest import Seat
from tests.rtc import CameraTrack, Sender
from tests.traps.stock import StockAnswerer, StockReceiver, uninstalled

MALFORMED = struct.pack("!BBHLLHH", 0x90, 0x60, 1, 2, 3, 0xBEDE, 1) + b"\x30\x01\x00\x00"
"""An RTP packet whose abs-send-time, extension 3, has one byte instead of three."""
BLACK_HOLE_SECONDS = 5.0


# 16. Closing waits for a task that is dead.


def break_reports(receiver: Any) -> None:
    receiver._RTCRtpReceiver__remote_streams[0] = None  # the next report finds no attribute


async def report_task(receiver: Any) -> asyncio.Task[None]:
    """The task that reports, when it has ended."""
    task: asyncio.Task[None] = receiver._RTCRtpReceiver__rtcp_task
    await asyncio.wait([task], timeout=5)
    return task


def send_time_extension(sdp: str) -> str:
    """The offer with an extension number for abs-send-time that MALFORMED uses."""
    return re.sub(
        r"a=extmap:\d+ http\S+abs-send-time",
        "a=extmap:3 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
        sdp,
    )


async def test_trap_16_a_connection_whose_report_task_has_failed_still_closes(
    seat: Seat, sender: Sender
) -> None:
    threads = {thread.name for thread in threading.enumerate()}
    await sender.connect(seat.ingest, "link-1")
    await seat.receiving()
    for track in seat.ingest._connection.tracks:  # type: ignore[union-attr]
        break_reports(track.feedback)
        task = await report_task(track.feedback)
        assert isinstance(task.exception(), AttributeError)
    began = time.monotonic()
    await seat.ingest.close()
    assert time.monotonic() - began < 2.0
    left = {thread.name for thread in threading.enumerate()} - threads
    assert not any("proposition" in name for name in left)


async def test_trap_16_stock_waits_for_ever_for_its_dead_report_task() -> None:
    stock = StockReceiver()
    await stock.start()
    break_reports(stock.receiver)
    task = await report_task(stock.receiver)
    assert isinstance(task.exception(), AttributeError)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(stock.receiver.stop(), 1.0)


# 17. Addresses that lead nowhere.


def nothing_but_local_names(sdp: str) -> str:
    return re.sub(r"(a=candidate:\S+ \d \w+ \d+) \S+", r"\1 0f1e2d3c-4b5a.local", sdp)


def nothing_usable(sdp: str) -> str:
    """As with local names that do not resolve, but without the second that each of those costs."""
    return re.sub(r"(a=candidate:\S+ \d) udp", r"\1 tcp", sdp)


async def test_trap_17_an_offer_with_nothing_but_local_names_connects_within_a_second(
    seat: Seat, sender: Sender
) -> None:
    began = time.monotonic()
    await sender.connect(seat.ingest, "link-1", change=nothing_but_local_names)
    assert time.monotonic() - began < 1.0
    await until(lambda: sender.peer.connectionState == "connected", "the connection")
    assert time.monotonic() - began < 2.0


async def test_trap_17_stock_fails_at_once_when_no_candidate_can_be_used(sender: Sender) -> None:
    stock = StockAnswerer()
    await sender.connect(stock, "link-1", change=nothing_usable)
    await until(lambda: stock.state == "failed", "the end of it", seconds=5)
    await stock.close()


@pytest.mark.skipif(addresses.only_loopback(), reason="nothing but loopback is never asked about")
async def test_trap_17_a_server_that_does_not_answer_costs_half_a_second_and_stock_five() -> None:
    address = addresses.host_addresses(use_ipv4=True, use_ipv6=False)[0]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind((address, 0))
        url = f"stun:{address}:{silent.getsockname()[1]}"

        async def gather() -> float:
            peer = RTCPeerConnection(RTCConfiguration(iceServers=[RTCIceServer(url)]))
            peer.createDataChannel("x")
            began = time.monotonic()
            await peer.setLocalDescription(await peer.createOffer())
            took = time.monotonic() - began
            await peer.close()
            return took

        receiving.install()
        assert await gather() < 1.5
        with uninstalled():
            assert await gather() >= BLACK_HOLE_SECONDS


async def test_trap_17_no_public_server_is_asked(seat: Seat, sender: Sender) -> None:
    """Stock asks one of Google's when nothing is configured."""
    await seat.ingest.accept("link-1", await sender.offer(), session="session-1")
    connection: Any = seat.ingest._connection
    (gatherer,) = {
        transceiver.receiver.transport.transport.iceGatherer
        for transceiver in connection._peer.getTransceivers()
    }
    assert gatherer._connection.stun_server is None
    assert gatherer.getDefaultIceServers() != []


# 18. One malformed datagram ends the transport.


async def test_trap_18_a_malformed_header_extension_ends_nothing(
    seat: Seat, sender: Sender
) -> None:
    await sender.connect(seat.ingest, "link-1", change=send_time_extension)
    await seat.receiving()
    for _ in range(20):
        await sender.send_protected(MALFORMED)
    await sender.send_raw(b"")
    await seat.more_pictures()
    assert seat.ingest.stats.generation == 1


async def test_trap_18_stock_ends(sender: Sender, caplog: pytest.LogCaptureFixture) -> None:
    stock = StockAnswerer()
    await sender.connect(stock, "link-1", change=send_time_extension)
    await until(lambda: stock.state == "connected", "the connection")
    await sender.send_protected(MALFORMED)
    await until(lambda: stock.state == "closed", "the end", seconds=5)
    assert "struct.error" in caplog.text
    await stock.close()


# 19. Two videos without a=ssrc: nobody knows which packet is whose.


async def test_trap_19_two_videos_without_ssrc_are_refused_in_words(
    seat: Seat, sender: Sender
) -> None:
    sender.peer.addTransceiver(CameraTrack(), direction="sendonly")
    offer = re.sub(r"a=ssrc(-group)?:.*\r\n", "", await sender.offer())
    with pytest.raises(InputError, match="a=ssrc"):
        await seat.ingest.accept("link-1", offer, session="session-1")


@pytest.mark.parametrize(("router", "found"), [(RtpRouter, False), (receiving._MidRouter, True)])
def test_trap_19_stock_throws_both_away_though_packets_say_their_mid(
    router: type[RtpRouter], found: bool
) -> None:
    table: Any = router()
    camera, screen = object(), object()
    for receiver, mid in ((camera, "1"), (screen, "2")):
        table.register_receiver(receiver, ssrcs=[], payload_types=[96], mid=mid)
    for ssrc, mid, receiver in ((11, "1", camera), (22, "2", screen)):
        packet = rtp.RtpPacket(payload_type=96, ssrc=ssrc)
        packet.extensions.mid = mid
        assert table.route_rtp(packet) is (receiver if found else None)
