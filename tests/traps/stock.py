"""aiortc as it comes: what the traps are shown on."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, cast

import aioice.ice
from aiortc import (
    RTCConfiguration,
    RTCPeerConnection,
    RTCSessionDescription,
    rtcicetransport,
    rtcpeerconnection,
    rtp,
)
from aiortc.codecs import depayload
from aiortc.jitterbuffer import JitterBuffer
from aiortc.mediastreams import MediaStreamTrack
from aiortc.rtcdtlstransport import RTCDtlsTransport
from aiortc.rtcrtpparameters import RTCRtpCodecParameters, RTCRtpReceiveParameters
from aiortc.rtcrtpreceiver import RemoteStreamTrack, RTCRtpReceiver

from bridge.aiortc_inside import addresses, receiving

VP8_PARAMETERS = RTCRtpCodecParameters(mimeType="video/VP8", clockRate=90_000, payloadType=96)
SSRC = 1
_DESCRIPTOR = b"\x10", b"\x00"
"""VP8 payload descriptors: of a frame's first packet, and of the others (RFC 7741 4.2)."""


def rtp_packet(
    sequence: int, timestamp: int, payload: bytes, *, first: bool = True, marker: bool = True
) -> rtp.RtpPacket:
    """An RTP packet with a piece of a VP8 frame."""
    packet = rtp.RtpPacket(
        payload_type=96, marker=int(marker), sequence_number=sequence & 0xFFFF,
        timestamp=timestamp & 0xFFFFFFFF, ssrc=SSRC, payload=_DESCRIPTOR[not first] + payload,
    )  # fmt: skip
    packet._data = depayload(VP8_PARAMETERS, packet.payload)  # type: ignore[attr-defined]
    return packet


@dataclass(frozen=True, slots=True)
class Out:
    """A frame that left a stock jitter buffer."""

    at: float
    timestamp: int


def run_buffer(
    buffer: JitterBuffer, packets: Iterable[tuple[float, rtp.RtpPacket]]
) -> tuple[list[Out], list[float]]:
    """Feed (arrival, packet)s in virtual time; returns frames, and when a PLI was wanted."""
    out: list[Out] = []
    plis: list[float] = []
    for now, packet in packets:
        pli, frame = buffer.add(packet)
        plis += [now] if pli else []
        out += [Out(now, frame.timestamp)] if frame is not None else []
    return out, plis


class StockReceiver:
    """A stock RTCRtpReceiver for VP8 with its decoder thread, without a network."""

    def __init__(self) -> None:
        self.sent: list[rtp.AnyRtcpPacket] = []
        transport = SimpleNamespace(
            state="connected",
            _stats_id="transport",
            _get_stats=dict,
            _register_rtp_receiver=lambda *_: None,
            _unregister_rtp_receiver=lambda *_: None,
            _send_rtp=self._send,
        )
        self.receiver = RTCRtpReceiver("video", cast("RTCDtlsTransport", transport))
        self.track = RemoteStreamTrack("video")
        self.receiver._track = self.track
        self.receiver._set_rtcp_ssrc(99)

    async def start(self) -> None:
        await self.receiver.receive(RTCRtpReceiveParameters(codecs=[VP8_PARAMETERS]))

    async def take(self, packet: rtp.RtpPacket) -> None:
        await self.receiver._handle_rtp_packet(packet, arrival_time_ms=0)

    async def _send(self, data: bytes) -> None:
        self.sent += rtp.RtcpPacket.parse(data)

    @property
    def nacks(self) -> list[list[int]]:
        return [item.lost for item in self.sent if isinstance(item, rtp.RtcpRtpfbPacket)]

    @property
    def plis(self) -> int:
        requests = [item for item in self.sent if isinstance(item, rtp.RtcpPsfbPacket)]
        return len([item for item in requests if item.fmt == rtp.RTCP_PSFB_PLI])


@contextmanager
def uninstalled() -> Iterator[None]:
    """Undo `receiving.install` for connections that are made inside."""
    try:
        _set(RTCRtpReceiver, RTCDtlsTransport, _OriginalStun, aioice.ice.Connection)
        yield
    finally:
        _set(
            receiving.BridgeReceiver,
            receiving._GuardedTransport,
            addresses.GuardedStun,
            addresses.PlacedConnection,
        )


_OriginalStun = addresses.GuardedStun.__mro__[1]


def _set(receiver: type, transport: type, stun: type, connection: type) -> None:
    modules: tuple[tuple[Any, str, type], ...] = (
        (rtcpeerconnection, "RTCRtpReceiver", receiver),
        (rtcpeerconnection, "RTCDtlsTransport", transport),
        (aioice.ice, "StunProtocol", stun),
        (rtcicetransport, "Connection", connection),
    )
    for module, name, value in modules:
        setattr(module, name, value)


class StockAnswerer:
    """A bridge as somebody would first write it: nothing checked. See rtc.Answerer."""

    def __init__(self) -> None:
        receiving.install()
        self.peer: RTCPeerConnection | None = None
        self.tracks: list[MediaStreamTrack] = []

    async def accept(self, link: str, offer_sdp: str, *, session: str) -> str:
        """Answer; a second offer is a renegotiation of the same connection."""
        del link, session
        with uninstalled():
            if self.peer is None:
                self.peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
                self.peer.on("track", self.tracks.append)
            offer = RTCSessionDescription(offer_sdp, "offer")
            await self.peer.setRemoteDescription(offer)
            await self.peer.setLocalDescription(await self.peer.createAnswer())
        return str(self.peer.localDescription.sdp)

    @property
    def state(self) -> str:
        assert self.peer is not None
        return str(self.peer.connectionState)

    async def close(self) -> None:
        if self.peer is not None:
            await self.peer.close()
