"""Both ends of a debater's leg for tests: packets without a network, and a real sender."""

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Protocol

import av
import numpy as np
from aiortc import (
    MediaStreamTrack,
    RTCBundlePolicy,
    RTCConfiguration,
    RTCPeerConnection,
    RTCSessionDescription,
)
from aiortc.mediastreams import MediaStreamError
from numpy.typing import NDArray

from bridge.aiortc_inside import receiving
from bridge.aiortc_inside.media import OPUS, VP8, MediaPacket

SAMPLE_RATE = 48_000
VP8_KEY = b"\x10\x02\x00\x9d\x01\x2a" + b"\x40\x01\xf0\x00"
VP8_DELTA = b"\x11\x02\x00" + b"\x00" * 7


def packet(
    sequence: int,
    timestamp: int = 0,
    *,
    payload: bytes = VP8_DELTA,
    marker: bool = True,
    first: bool = True,
    codec: str = VP8,
    ssrc: int = 1,
    arrival: float = 0.0,
    retransmitted: bool = False,
) -> MediaPacket:
    return MediaPacket(
        ssrc=ssrc,
        sequence=sequence & 0xFFFF,
        timestamp=timestamp & 0xFFFFFFFF,
        marker=marker,
        payload=payload,
        codec=codec,
        clock_rate=SAMPLE_RATE if codec == OPUS else 90_000,
        begins_frame=first,
        retransmitted=retransmitted,
        arrival=arrival,
    )


def frame_packets(
    sequence: int, number: int, *, count: int = 1, key: bool = False, arrival: float = 0.0
) -> list[MediaPacket]:
    """Packets of VP8 frame `number` at 30 fps; its payload tells which frame it is."""
    head = (VP8_KEY if key else VP8_DELTA) + number.to_bytes(4, "big")
    return [
        packet(
            sequence + index,
            number * 3000,
            payload=head if index == 0 else b"more",
            first=index == 0,
            marker=index == count - 1,
            arrival=arrival,
        )
        for index in range(count)
    ]


def frame_number(data: bytes) -> int:
    return int.from_bytes(data[10:14], "big")


@dataclass
class Pictures:
    """A VideoSink that keeps what the tests ask about."""

    sizes: list[tuple[int, int]] = field(default_factory=list)
    at: list[float] = field(default_factory=list)
    luma: list[float] = field(default_factory=list)
    colour: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Y, U and V of the newest picture's middle."""

    def put(self, picture: av.VideoFrame, now: float) -> None:
        planes = [
            np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)
            for plane in picture.planes
        ]
        y, u, v = (
            float(plane[plane.shape[0] // 4 : plane.shape[0] // 2, 20:40].mean())
            for plane in planes
        )
        self.colour = (y, u, v)
        self.luma.append(y)
        self.sizes.append((picture.width, picture.height))
        self.at.append(now)


@dataclass
class Sounds:
    """An AudioSink that keeps everything."""

    blocks: list[tuple[float, NDArray[np.float32]]] = field(default_factory=list)

    def write(self, due: float, samples: NDArray[np.float32]) -> None:
        self.blocks.append((due, samples))

    def onsets(self, level: float = 0.05) -> list[float]:
        """When sound begins after at least 0.3 s of quiet."""
        found: list[float] = []
        quiet_until = 0.0
        for due, samples in list(self.blocks):
            loud = np.flatnonzero(np.abs(samples[0]) > level)
            if loud.size:
                at = due + float(loud[0]) / SAMPLE_RATE
                if at - quiet_until > 0.3:
                    found.append(at)
                quiet_until = due + float(loud[-1]) / SAMPLE_RATE
        return found


class CameraTrack(MediaStreamTrack):
    """A plain colour; white for 100 ms of each second if it flashes."""

    kind = "video"

    def __init__(
        self,
        colour: tuple[int, int, int] = (81, 90, 240),
        *,
        size: tuple[int, int] = (320, 240),
        flashes: bool = False,
    ) -> None:
        super().__init__()
        self.size = size
        self.sent = 0
        self._colour = colour
        self._flashes = flashes
        self._start = time.time()

    async def recv(self) -> av.VideoFrame:
        number = max(self.sent, int((time.time() - self._start) * 30))
        self.sent = number + 1
        await asyncio.sleep(max(0.0, self._start + number / 30 - time.time()))
        if self.readyState != "live":
            raise MediaStreamError
        frame = av.VideoFrame(*self.size, "yuv420p")
        white = self._flashes and number % 30 < 3
        for plane, value in zip(
            frame.planes, (235, 128, 128) if white else self._colour, strict=True
        ):
            plane.update(bytes([value]) * plane.buffer_size)
        frame.pts, frame.time_base = number * 3000, Fraction(1, 90_000)
        return frame


class MicrophoneTrack(MediaStreamTrack):
    """A sine; only the first 100 ms of each second if it beeps. Same clock as CameraTrack."""

    kind = "audio"

    def __init__(self, camera: CameraTrack, *, hertz: float = 440.0, beeps: bool = False) -> None:
        super().__init__()
        self._hertz = hertz
        self._beeps = beeps
        self._start = camera._start
        self._number: int | None = None

    async def recv(self) -> av.AudioFrame:
        if self._number is None:
            self._number = int((time.time() - self._start) * 50)
        number = self._number
        self._number += 1
        await asyncio.sleep(max(0.0, self._start + number / 50 - time.time()))
        if self.readyState != "live":
            raise MediaStreamError
        position = number * 960 + np.arange(960)
        wave = 0.5 * np.sin(2 * np.pi * self._hertz * position / SAMPLE_RATE)
        if self._beeps:
            wave *= position % SAMPLE_RATE < SAMPLE_RATE // 10
        samples = np.repeat((wave * 32767).astype(np.int16), 2)[None, :]
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="stereo")
        frame.sample_rate, frame.pts = SAMPLE_RATE, number * 960
        frame.time_base = Fraction(1, SAMPLE_RATE)
        return frame


class Answerer(Protocol):
    """Whoever takes offers: an Ingest or a Seat."""

    async def accept(self, link: str, offer_sdp: str, *, session: str) -> str: ...


class Sender:
    """A debater's browser: a plain RTCPeerConnection with camera and microphone."""

    def __init__(self, camera: CameraTrack, microphone: MicrophoneTrack | None = None) -> None:
        receiving.install()  # candidates also on a machine with nothing but loopback
        self.peer = RTCPeerConnection(
            RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE)
        )
        self.camera = camera
        self.peer.addTrack(microphone or MicrophoneTrack(camera))
        self.peer.addTrack(camera)

    async def offer(self) -> str:
        await self.peer.setLocalDescription(await self.peer.createOffer())
        return self.peer.localDescription.sdp

    async def connect(
        self, ingest: Answerer, link: str, *, change: Callable[[str], str] = lambda sdp: sdp
    ) -> None:
        answer = await ingest.accept(link, change(await self.offer()), session="session-1")
        await self.peer.setRemoteDescription(RTCSessionDescription(answer, "answer"))

    @property
    def _dtls(self) -> Any:
        return self.peer.getTransceivers()[0].receiver.transport

    def kill(self) -> None:
        """Fall silent as a killed process does: no BYE, no close, no answer."""
        ice = self._dtls.transport._connection
        for protocol in ice._protocols:
            protocol.transport.abort()

    async def send_raw(self, data: bytes) -> None:
        """Send a datagram as it is."""
        ice = self._dtls.transport._connection
        pair = ice._nominated[1]
        pair.protocol.transport.sendto(data, pair.remote_addr)

    async def send_protected(self, data: bytes) -> None:
        """Send RTP or RTCP through SRTP."""
        await self._dtls._send_rtp(data)

    def lose(self, share: float, rng: random.Random) -> None:
        """Lose a share of all packets from now on."""
        ice = self._dtls.transport
        send = ice._send

        async def sometimes(data: bytes) -> None:
            if rng.random() >= share:
                await send(data)

        ice._send = sometimes

    async def close(self) -> None:
        await self.peer.close()
