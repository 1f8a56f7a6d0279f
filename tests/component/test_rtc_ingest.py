"""The receive path between two real peers on this machine."""

import asyncio
import contextlib
import itertools
import random
import re
import struct
import threading
from collections.abc import AsyncIterator, Callable, Iterable

import numpy as np
import pylibsrtp
import pytest
from aiortc import RTCRtpSender

from bridge.broadcast.rtc.connection import Sinks
from bridge.broadcast.rtc.ingest import Ingest
from bridge.broadcast.rtc.playout_delay import PlayoutDelay
from bridge.clock import SystemClock
from bridge.errors import InputError
from bridge.protocol.messages import IngestState
from tests.helpers import until
from tests.ingest import Seat
from tests.rtc import SAMPLE_RATE, CameraTrack, MicrophoneTrack, Pictures, Sender, Sounds


@pytest.fixture
async def seat() -> AsyncIterator[Seat]:
    seat = Seat()
    yield seat
    await seat.ingest.close()
    assert seat.ingest.state is IngestState.ABSENT


async def test_colours_and_tone_arrive(seat: Seat) -> None:
    sender = Sender(CameraTrack((81, 90, 240)))
    await sender.connect(seat.ingest, "link-1")
    assert [state for _, state in seat.states] == [IngestState.CONNECTING]
    await until(lambda: len(seat.camera.sizes) > 45 and len(seat.microphone.blocks) > 75, "media")
    assert seat.ingest.state is IngestState.RECEIVING
    assert seat.camera.sizes[-1] == (320, 240)
    assert seat.camera.colour == pytest.approx((81, 90, 240), abs=6)
    sound = np.concatenate([samples[0] for _, samples in seat.microphone.blocks[-50:]])
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(sound.size)))
    assert np.argmax(spectrum) * SAMPLE_RATE / sound.size == pytest.approx(440, abs=5)
    dues = [due for due, _ in seat.microphone.blocks[-50:]]
    assert np.diff(dues) == pytest.approx(0.02, abs=0.002)
    stats = seat.ingest.stats
    assert stats.round_trip is not None
    assert stats.round_trip < 0.3
    await sender.close()


async def test_trap_9_flash_and_beep_are_together(seat: Seat) -> None:
    camera = CameraTrack((16, 128, 128), flashes=True)
    sender = Sender(camera, MicrophoneTrack(camera, beeps=True))
    await sender.connect(seat.ingest, "link-1")
    await until(lambda: len(seat.microphone.onsets()) >= 6, "six beeps")
    pictures = list(zip(seat.camera.at, seat.camera.luma, strict=False))
    flashes = [
        at for (_, before), (at, luma) in itertools.pairwise(pictures) if luma > 150 > before
    ]
    apart = [
        min(flashes, key=lambda at: abs(at - beep)) - beep
        for beep in (at + seat.delay.seconds for at in seat.microphone.onsets()[1:-1])
    ]
    assert float(np.median(np.abs(apart))) < 0.04
    await sender.close()


async def test_trap_12_a_new_link_replaces_the_old_one_in_the_same_seat(seat: Seat) -> None:
    old, new = Sender(CameraTrack((81, 90, 240))), Sender(CameraTrack((145, 54, 34)))
    await old.connect(seat.ingest, "link-1")
    await until(lambda: seat.camera.sizes, "a first picture")
    await new.connect(seat.ingest, "link-2")
    await until(
        lambda: seat.camera.colour == pytest.approx((145, 54, 34), abs=8), "the new picture"
    )
    await seat.ingest.add_candidate("link-1", {"candidate": "nonsense", "sdpMid": "0"})
    assert seat.ingest.stats.generation == 2
    await until(lambda: old.peer.connectionState == "closed", "the old one to be told")
    await until(lambda: seat.ingest.state is IngestState.RECEIVING, "media")
    await old.close()
    await new.close()


async def test_a_closed_tab_is_absent_at_once(seat: Seat) -> None:
    sender = Sender(CameraTrack())
    await sender.connect(seat.ingest, "link-1")
    await until(lambda: seat.ingest.state is IngestState.RECEIVING, "media")
    closed = seat.clock.monotonic()
    await sender.close()
    await until(lambda: seat.ingest.state is IngestState.ABSENT, "the end to be seen")
    assert seat.clock.monotonic() - closed < 1.0


async def send_all(ingest: Ingest, lines: Iterable[str]) -> None:
    for line in lines:
        await ingest.add_candidate("link-1", {"candidate": line, "sdpMLineIndex": 0})


async def test_candidates_may_trickle_in(seat: Seat) -> None:
    sender = Sender(CameraTrack())
    trickled: list[str] = []

    def withhold(sdp: str) -> str:
        trickled.extend(re.findall(r"a=(candidate:.*)", sdp))
        return re.sub(r"a=(candidate:.*|end-of-candidates)\r\n", "", sdp)

    await sender.connect(seat.ingest, "link-1", change=withhold)
    for line in [*trickled, "candidate:1 1 udp 1 hidden.local 9 typ host", ""]:
        await seat.ingest.add_candidate("link-1", {"candidate": line, "sdpMid": "0"})
    await until(lambda: seat.ingest.state is IngestState.RECEIVING, "media")
    malformed = "candidate:1 one udp 1 192.0.2.9 9 typ host"
    with pytest.raises(InputError):
        await seat.ingest.add_candidate("link-1", {"candidate": malformed, "sdpMid": "0"})
    flood = (f"candidate:1 1 udp 1 192.0.2.9 {port} typ host" for port in range(1, 40))
    with pytest.raises(InputError, match="More than 30"):
        await send_all(seat.ingest, flood)
    await sender.close()


@pytest.mark.parametrize(
    "change",
    [
        lambda sdp: sdp.replace("a=ice-ufrag", "a=ice-nothing"),
        lambda sdp: sdp.replace("opus/48000", "speex/8000"),
        lambda sdp: re.sub(r"a=fingerprint:.*", "a=fingerprint:sha-256", sdp),
        lambda sdp: sdp.replace("a=rtcp-mux\r\n", ""),
        lambda sdp: "v=0\r\n" + sdp.partition("\r\n")[2].replace("a=setup:actpass", "a=setup:x"),
        lambda _sdp: "nonsense",
    ],
)
async def test_an_offer_that_cannot_be_used_leaves_the_connection_there_is(
    seat: Seat, change: Callable[[str], str]
) -> None:
    sender = Sender(CameraTrack())
    await sender.connect(seat.ingest, "link-1")
    await until(lambda: seat.ingest.state is IngestState.RECEIVING, "media")
    other = Sender(CameraTrack())
    offer = await other.offer()
    with pytest.raises(InputError):
        await seat.ingest.accept("link-2", change(offer), session="session-2")
    assert seat.ingest.stats.generation == 1
    count = len(seat.camera.sizes)
    await until(lambda: len(seat.camera.sizes) > count + 5, "the picture to go on")
    await sender.close()
    await other.close()


async def test_trap_18_unreadable_datagrams_do_not_end_the_connection(seat: Seat) -> None:
    sender = Sender(CameraTrack())
    await sender.connect(seat.ingest, "link-1")
    await until(lambda: seat.ingest.state is IngestState.RECEIVING, "media")
    rng = random.Random(18)
    extension = struct.pack("!BBHLLHH", 0x90, 0x60 + 36, 1, 2, 3, 0xBEDE, 1) + b"\x30\x01\x00\x00"
    remb = struct.pack("!BBHLL", 0x8F, 206, 4, 1, 0) + b"REMB\xff\x00\x00\x00"
    await sender.send_raw(b"")
    for _ in range(200):
        await sender.send_protected(extension)
        await sender.send_protected(remb)
        noise = bytes([0x80 | rng.randrange(64), rng.randrange(256)])
        with contextlib.suppress(pylibsrtp.Error):  # the sender's own SRTP refuses some
            await sender.send_protected(noise + rng.randbytes(rng.randrange(12, 80)))
        await sender.send_raw(rng.randbytes(rng.randrange(1, 60)))
    count = len(seat.camera.sizes)
    await until(lambda: len(seat.camera.sizes) > count + 20, "the picture to go on")
    assert seat.ingest.state is IngestState.RECEIVING
    await sender.close()


async def test_a_camera_that_shrinks_and_turns_is_followed_without_a_break(seat: Seat) -> None:
    camera = CameraTrack(size=(1280, 720))
    sender = Sender(camera)
    await sender.connect(seat.ingest, "link-1")
    for size in ((1280, 720), (640, 360), (720, 1280)):
        camera.size = size
        await until(lambda size=size: seat.camera.sizes[-1:] == [size], f"{size}")  # type: ignore[misc]
        await seat.more_pictures(20)
    assert seat.longest_gap < 1.0
    assert list(dict.fromkeys(seat.camera.sizes)) == [(1280, 720), (640, 360), (720, 1280)]
    assert seat.ingest.stats.generation == 1
    await sender.close()


def prefer_h264(sender: Sender) -> None:
    capabilities = RTCRtpSender.getCapabilities("video")
    h264 = [codec for codec in capabilities.codecs if codec.name in {"H264", "rtx"}]
    sender.peer.getTransceivers()[1].setCodecPreferences(h264)


async def test_a_debater_who_comes_back_with_another_codec_is_seen_without_a_break(
    seat: Seat,
) -> None:
    vp8, h264 = (
        Sender(CameraTrack((81, 90, 240))),
        Sender(CameraTrack((145, 54, 34), size=(640, 360))),
    )
    await vp8.connect(seat.ingest, "link-1")
    await seat.receiving()
    await seat.more_pictures()
    prefer_h264(h264)
    await h264.connect(seat.ingest, "link-2")
    await until(lambda: seat.camera.sizes[-1] == (640, 360), "the new picture")
    await seat.more_pictures()
    assert seat.longest_gap < 1.0
    assert seat.camera.colour == pytest.approx((145, 54, 34), abs=6)
    await vp8.close()
    await h264.close()


async def test_loss_of_every_tenth_packet_shows_no_wrong_picture_and_keeps_sound_whole(
    seat: Seat,
) -> None:
    sender = Sender(CameraTrack((81, 90, 240), size=(640, 360)))
    await sender.connect(seat.ingest, "link-1")
    await until(lambda: seat.ingest.state is IngestState.RECEIVING, "media")
    sender.lose(0.1, random.Random(3))
    began = len(seat.microphone.blocks)
    await until(lambda: len(seat.microphone.blocks) > began + 250, "five seconds")
    stats = {track.name: track for track in seat.ingest.stats.tracks}
    assert stats["microphone"].decoded.concealed > 0
    assert stats["camera"].received.retransmitted > 0
    blocks = seat.microphone.blocks[began + 20 :]
    holes = [
        following - due - samples.shape[1] / SAMPLE_RATE
        for (due, samples), (following, _) in itertools.pairwise(blocks)
    ]
    assert max(holes) < 0.005
    shown = seat.camera.at[-60:]
    assert max(np.diff(shown)) < 1.0
    assert seat.camera.colour == pytest.approx((81, 90, 240), abs=8)
    await sender.close()


async def test_trap_15_16_many_joins_never_block_the_loop_and_leave_nothing(seat: Seat) -> None:
    lags: list[float] = []

    async def watch() -> None:
        while True:
            before = seat.clock.monotonic()
            await asyncio.sleep(0.01)
            lags.append(seat.clock.monotonic() - before)

    threads = threading.active_count()
    watcher = asyncio.create_task(watch())
    sender = Sender(CameraTrack())
    for number in range(12):
        await sender.close()
        sender = Sender(CameraTrack())
        await sender.connect(seat.ingest, f"link-{number}")
        if number % 3 == 0:
            count = len(seat.camera.sizes)
            await until(lambda count=count: len(seat.camera.sizes) > count, "a picture")  # type: ignore[misc]
    await sender.close()
    await seat.ingest.close()
    watcher.cancel()
    await asyncio.gather(watcher, return_exceptions=True)
    assert max(lags) < 0.2
    # The default executor's threads stay.
    names = [t.name for t in threading.enumerate() if "proposition" in t.name]
    assert names == []
    assert threading.active_count() <= threads + 8


async def test_the_screen_has_its_own_m_line_and_its_own_sink() -> None:
    camera, screen, sounds = Pictures(), Pictures(), Sounds()
    ingest = Ingest(
        "opposition",
        sinks=Sinks(camera=camera, microphone=sounds, screen=screen),
        delay=PlayoutDelay(0.1, 0.1),
        clock=SystemClock(),
        on_state=lambda _state: None,
    )
    sender = Sender(CameraTrack((81, 90, 240)))
    sender.peer.addTransceiver(CameraTrack((145, 54, 34), size=(640, 360)), direction="sendonly")
    await sender.connect(ingest, "link-1")
    await until(lambda: len(camera.sizes) > 5 and len(screen.sizes) > 5, "both pictures")
    assert camera.colour == pytest.approx((81, 90, 240), abs=6)
    assert screen.colour == pytest.approx((145, 54, 34), abs=6)
    assert [track.name for track in ingest.stats.tracks] == ["microphone", "camera", "screen"]
    await ingest.close()
    await sender.close()


async def test_a_screen_nobody_wants_is_declined(seat: Seat) -> None:
    sender = Sender(CameraTrack())
    sender.peer.addTransceiver(CameraTrack(size=(640, 360)), direction="sendonly")
    await sender.connect(seat.ingest, "link-1")
    directions = re.findall(r"a=(recvonly|inactive)", sender.peer.remoteDescription.sdp)
    assert directions == ["recvonly", "recvonly", "inactive"]
    await until(lambda: len(seat.camera.sizes) > 5, "the camera")
    assert set(seat.camera.sizes) == {(320, 240)}
    await sender.close()


async def test_h264_is_received_where_vp8_is_not_offered(seat: Seat) -> None:
    sender = Sender(CameraTrack((81, 90, 240)))
    prefer_h264(sender)
    await sender.connect(seat.ingest, "link-1")
    await until(lambda: len(seat.camera.sizes) > 20, "pictures")
    assert seat.camera.colour == pytest.approx((81, 90, 240), abs=6)
    await sender.close()
