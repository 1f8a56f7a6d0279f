"""How a debater goes and comes back. Real connections on this machine."""

import asyncio
import re

import pytest
from aiortc import RTCPeerConnection, RTCSessionDescription
from aiortc.rtp import RtcpByePacket

from bridge.errors import InputError
from bridge.protocol.messages import IngestState
from tests.helpers import until
from tests.ingest import Seat
from tests.rtc import VP8_DELTA, CameraTrack, Sender
from tests.traps.stock import StockAnswerer, StockReceiver, rtp_packet, uninstalled

_REJOIN_SECONDS = 3.0
_SLATE_SECONDS = 3.0


# 10. BYE ends a receiver for good, and Chrome sends it when a track is replaced.


async def test_trap_10_bye_changes_nothing(seat: Seat, sender: Sender) -> None:
    await sender.connect(seat.ingest, "link-1")
    await seat.receiving()
    for rtp_sender in sender.peer.getSenders():
        await sender.send_protected(bytes(RtcpByePacket(sources=[rtp_sender._ssrc])))
    await until(lambda: sum(t.received.byes for t in seat.ingest.stats.tracks) == 2, "the byes")
    await seat.more_pictures()


async def test_trap_10_stock_stops_its_decoder_for_ever() -> None:
    stock = StockReceiver()
    await stock.start()
    await stock.receiver._handle_rtcp_packet(RtcpByePacket(sources=[1]))
    assert await stock.track._queue.get() is None  # the end of the track
    waiting = stock.receiver._RTCRtpReceiver__decoder_queue  # type: ignore[attr-defined]
    for number in range(100):
        await stock.take(rtp_packet(number, number * 3000, VP8_DELTA))
    assert waiting.empty()
    await stock.receiver.stop()


# 11. A later offer with a stopped m-line.


def with_the_picture_stopped(sdp: str) -> str:
    head, picture = sdp.split("m=video ")
    stopped = re.sub(r"a=(ice-ufrag|ice-pwd|candidate|fingerprint|setup).*\r\n", "", picture)
    return f"{head}m=video {re.sub(r'^[0-9]+', '0', stopped)}"


async def test_trap_11_a_stopped_m_line_is_refused_in_words_and_the_media_go_on(
    seat: Seat, sender: Sender
) -> None:
    await sender.connect(seat.ingest, "link-1")
    await seat.receiving()
    again = with_the_picture_stopped(await sender.offer())
    with pytest.raises(InputError, match="new connection"):
        await seat.ingest.accept("link-1", again, session="session-1")
    await seat.more_pictures()


async def test_trap_11_stock_raises_value_error() -> None:
    with uninstalled():
        browser, stock = RTCPeerConnection(), RTCPeerConnection()
    browser.addTransceiver("audio", direction="sendonly")
    browser.addTransceiver("video", direction="sendonly")
    await browser.setLocalDescription(await browser.createOffer())
    offer = browser.localDescription.sdp
    await stock.setRemoteDescription(RTCSessionDescription(offer, "offer"))
    await stock.setLocalDescription(await stock.createAnswer())
    again = RTCSessionDescription(with_the_picture_stopped(offer), "offer")
    with pytest.raises(ValueError, match="ICE username fragment or password is missing"):
        await stock.setRemoteDescription(again)
    await browser.close()
    await stock.close()


# 12. ICE restart: there is none.


async def test_trap_12_a_new_connection_takes_the_seat_over_within_three_seconds(
    seat: Seat, sender: Sender
) -> None:
    await sender.connect(seat.ingest, "link-1")
    await seat.receiving()
    await seat.more_pictures()
    began = len(seat.camera.at) - 1
    sender.kill()  # the network is another one
    back = Sender(CameraTrack((145, 54, 34)))
    await back.connect(seat.ingest, "link-2")
    await until(
        lambda: seat.camera.colour == pytest.approx((145, 54, 34), abs=8), "the new picture"
    )
    assert seat.camera.at[-1] - seat.camera.at[began] < _REJOIN_SECONDS
    assert seat.ingest.stats.generation == 2
    await back.close()


async def test_trap_12_stock_goes_on_with_the_old_path(sender: Sender) -> None:
    stock = StockAnswerer()
    offer = await sender.offer()
    restart = re.sub(r"ice-ufrag:\w+", "ice-ufrag:other", offer)
    answers = [await stock.accept("link-1", sdp, session="1") for sdp in (offer, restart)]
    ufrags = {re.findall(r"a=ice-ufrag:(\S+)", answer)[0] for answer in answers}
    assert len(ufrags) == 1  # RFC 8445 9: both sides must change theirs
    await stock.close()


# 13. The death of a peer.


async def test_trap_13_a_killed_sender_is_absent_in_three_seconds_and_stock_knows_nothing(
    seat: Seat, sender: Sender
) -> None:
    stock, twin = StockAnswerer(), Sender(CameraTrack())
    await sender.connect(seat.ingest, "link-1")
    await twin.connect(stock, "link-1")
    await seat.receiving()
    await until(lambda: stock.state == "connected", "the stock connection")
    killed = seat.clock.monotonic()
    sender.kill()
    twin.kill()
    await until(lambda: seat.ingest.state is IngestState.ABSENT, "the end to be seen")
    assert seat.since(IngestState.FROZEN) - killed == pytest.approx(1.0, abs=0.4)
    assert seat.since(IngestState.ABSENT) - killed == pytest.approx(_SLATE_SECONDS, abs=0.4)
    await asyncio.sleep(2)
    assert stock.state == "connected"  # for half a minute
    await twin.close()
    await stock.close()


# 14. What waits for media of a connection that never came.


async def test_trap_14_closing_before_anything_connected_is_quick_and_leaves_no_task(
    sender: Sender,
) -> None:
    seat = Seat()
    before = asyncio.all_tasks()
    await seat.ingest.accept("link-1", await sender.offer(), session="session-1")
    began = seat.clock.monotonic()
    await seat.ingest.close()
    assert seat.clock.monotonic() - began < 1.0
    ours = {task for task in asyncio.all_tasks() - before if "proposition" in task.get_name()}
    assert ours == set()
    assert [state for _, state in seat.states] == [IngestState.CONNECTING, IngestState.ABSENT]


async def test_trap_14_stock_lets_its_reader_wait_for_ever(sender: Sender) -> None:
    stock = StockAnswerer()
    await stock.accept("link-1", await sender.offer(), session="1")
    reading = asyncio.ensure_future(stock.tracks[0].recv())
    await stock.close()
    await asyncio.sleep(1.0)
    assert not reading.done()
    assert stock.tracks[0].readyState == "live"
    reading.cancel()
