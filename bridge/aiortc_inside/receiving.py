"""Receiving through our own jitter buffer: what is changed in aiortc and aioice, and why.

Measured in notes/aiortc.md:

- a receiver can have a `ReceiverTap`; then packets go to it, depayloaded, and the stock jitter
  buffer, decoder thread and frame queue are never used;
- one malformed datagram no longer ends the transport (header extensions raise struct.error, an
  empty datagram IndexError; both went through to the task that reads the socket);
- packets of an unknown SSRC find their m-line by MID (RFC 8843 9.2): a sender may change it;
- sockets are where the settings say (addresses.py);
- Opus in-band FEC is asked for.

Connections that attach no tap behave as before.
"""

import asyncio
import logging
import struct
import time
from typing import Any, Final, Protocol

import aioice
from aiortc import RTCPeerConnection, rate, rtcdtlstransport, rtcpeerconnection, rtp
from aiortc.codecs import CODECS, is_rtx
from aiortc.codecs.h264 import NAL_TYPE_STAP_A, H264PayloadDescriptor
from aiortc.codecs.vpx import VpxPayloadDescriptor
from aiortc.rtcdtlstransport import RTCDtlsTransport
from aiortc.rtcrtpparameters import RTCRtpCodecParameters, RTCRtpReceiveParameters
from aiortc.rtcrtpreceiver import RTCRtpReceiver, StreamStatistics

from bridge.aiortc_inside import addresses
from bridge.aiortc_inside.handshake import RepeatingTransport
from bridge.aiortc_inside.media import H264, VP8, MediaPacket, SenderReport
from bridge.aiortc_inside.versions import RECEIVER_ATTRIBUTES
from bridge.errors import SetupError

logger = logging.getLogger(__name__)

_H264_SPS: Final = 7
_OPUS_FEC: Final = {"minptime": 10, "useinbandfec": 1}
_NTP_FRACTION: Final = 1 << 32


class ReceiverTap(Protocol):
    """Takes what a receiver gets. Loop-side only."""

    async def take_packet(self, packet: MediaPacket) -> None:
        """Take one media packet."""
        ...

    def take_malformed(self) -> None:
        """Count a packet whose payload header could not be read."""
        ...

    def take_report(self, report: SenderReport) -> None:
        """Take a sender report."""
        ...

    def take_bye(self) -> None:
        """Count an RTCP BYE. The source may go on: browsers send it for replaceTrack(null)."""
        ...

    def take_send_time(self, send_time: int, size: int) -> None:
        """Take a packet's abs-send-time (24 bits, 6.18 fixed point seconds) and size in bytes."""
        ...


class _CappedStatistics(StreamStatistics):
    """Jitter that fits its 32 bits: a leaping timestamp ended the report task for good."""

    @property
    def jitter(self) -> int:
        return min(super().jitter, 0xFFFFFFFF)


class BridgeReceiver(RTCRtpReceiver):
    """An RTCRtpReceiver that gives depayloaded packets to its tap. Loop-side only."""

    def __init__(self, kind: str, transport: RTCDtlsTransport) -> None:
        super().__init__(kind, transport)
        self.kind = kind
        self._tap: ReceiverTap | None = None
        self._own_ssrc: int | None = None

    def attach(self, tap: ReceiverTap) -> None:
        """Send everything to `tap` from now on. Call before the connection connects."""
        self._tap = tap

    async def send_nack(self, ssrc: int, lost: list[int]) -> None:
        """Ask for packets again (RFC 4585 6.2.1); `lost` are 16-bit numbers."""
        await self._send_rtcp_nack(ssrc, lost)

    async def send_pli(self, ssrc: int) -> None:
        """Ask for a keyframe (RFC 4585 6.3.1)."""
        await self._send_rtcp_pli(ssrc)

    async def send_remb(self, bit_rate: int, ssrcs: list[int]) -> None:
        """Tell the sender what may come, in bits per second (draft-alvestrand-rmcat-remb-03)."""
        if self._own_ssrc is not None:
            fci = rtp.pack_remb_fci(bit_rate, ssrcs)
            await self._send_rtcp(
                rtp.RtcpPsfbPacket(
                    fmt=rtp.RTCP_PSFB_APP, ssrc=self._own_ssrc, media_ssrc=0, fci=fci
                )
            )

    def _set_rtcp_ssrc(self, ssrc: int) -> None:
        super()._set_rtcp_ssrc(ssrc)
        self._own_ssrc = ssrc

    async def receive(self, parameters: RTCRtpReceiveParameters) -> None:
        """Start receiving; with a tap, without the stock decoder thread."""
        if self._tap is None:
            await super().receive(parameters)
            return
        if _private(self, "started"):
            return
        _private(self, "codecs").update({codec.payloadType: codec for codec in parameters.codecs})
        _private(self, "rtx_ssrc").update(
            {item.rtx.ssrc: item.ssrc for item in parameters.encodings if item.rtx}
        )
        self.transport._register_rtp_receiver(self, parameters)  # noqa: SLF001
        setattr(self, "_RTCRtpReceiver__rtcp_task", asyncio.ensure_future(self._run_rtcp()))  # noqa: B010
        setattr(self, "_RTCRtpReceiver__started", True)  # noqa: B010

    async def _run_rtcp(self) -> None:
        try:
            await super()._run_rtcp()
        finally:
            # stop() waits for this without a limit, also after the task has failed.
            _private(self, "rtcp_exited").set()

    async def _handle_rtcp_packet(self, packet: rtp.AnyRtcpPacket) -> None:
        if self._tap is None:
            await super()._handle_rtcp_packet(packet)
        elif isinstance(packet, rtp.RtcpByePacket):
            self._tap.take_bye()
        elif isinstance(packet, rtp.RtcpSrPacket):
            await super()._handle_rtcp_packet(packet)
            report = packet.sender_info
            self._tap.take_report(
                SenderReport(
                    ssrc=packet.ssrc,
                    ntp=report.ntp_timestamp / _NTP_FRACTION,
                    timestamp=report.rtp_timestamp,
                )
            )

    async def _handle_rtp_packet(self, packet: rtp.RtpPacket, arrival_time_ms: int) -> None:
        tap = self._tap
        if tap is None:
            await super()._handle_rtp_packet(packet, arrival_time_ms)
            return
        codec = _private(self, "codecs").get(packet.payload_type)
        if codec is None or not self._enabled:
            return
        if packet.extensions.abs_send_time is not None:
            size = len(packet.payload) + packet.padding_size
            tap.take_send_time(packet.extensions.abs_send_time, size)
        self._count(packet, codec)
        retransmitted = is_rtx(codec)
        if retransmitted:
            original = self._undo_rtx(packet, codec)
            if original is None:
                return
            packet, codec = original
        try:
            media = _media_packet(packet, codec, retransmitted=retransmitted)
        except (ValueError, IndexError, struct.error):
            tap.take_malformed()
            return
        await tap.take_packet(media)

    def _count(self, packet: rtp.RtpPacket, codec: RTCRtpCodecParameters) -> None:
        """Feed the receiver reports."""
        streams = _private(self, "remote_streams")
        statistics = streams.get(packet.ssrc)
        if statistics is None:
            # A receiver report holds 31 blocks; more SSRCs than that are not a browser.
            if len(streams) >= 31:
                return
            statistics = streams[packet.ssrc] = _CappedStatistics(codec.clockRate)
        statistics.add(packet)

    def _undo_rtx(
        self, packet: rtp.RtpPacket, codec: RTCRtpCodecParameters
    ) -> tuple[rtp.RtpPacket, RTCRtpCodecParameters] | None:
        """RFC 4588 4. None for a packet that only probes, or of an unknown source."""
        ssrc = _private(self, "rtx_ssrc").get(packet.ssrc)
        original = _private(self, "codecs").get(codec.parameters.get("apt"))
        if ssrc is None or original is None or len(packet.payload) < 2:
            return None
        return rtp.unwrap_rtx(packet, payload_type=original.payloadType, ssrc=ssrc), original


def _private(receiver: RTCRtpReceiver, name: str) -> Any:
    if name not in RECEIVER_ATTRIBUTES:
        raise KeyError(name)
    return getattr(receiver, f"_RTCRtpReceiver__{name}")


def _media_packet(
    packet: rtp.RtpPacket, codec: RTCRtpCodecParameters, *, retransmitted: bool
) -> MediaPacket:
    payload, begins_frame = _depayload(codec.name, packet.payload)
    return MediaPacket(
        ssrc=packet.ssrc,
        sequence=packet.sequence_number,
        timestamp=packet.timestamp,
        marker=bool(packet.marker),
        payload=payload,
        codec=codec.name,
        clock_rate=codec.clockRate,
        begins_frame=begins_frame,
        retransmitted=retransmitted,
        arrival=time.monotonic(),
    )


def _depayload(codec: str, payload: bytes) -> tuple[bytes, bool]:
    """Codec data, and whether it certainly begins a frame. Raises ValueError on nonsense."""
    if not payload:
        return b"", False
    if codec == VP8:
        descriptor, data = VpxPayloadDescriptor.parse(payload)
        return data, bool(descriptor.partition_start) and descriptor.partition_id == 0
    if codec == H264:
        _, data = H264PayloadDescriptor.parse(payload)
        kind = payload[0] & 0x1F
        if kind == NAL_TYPE_STAP_A and len(payload) > 3:
            kind = payload[3] & 0x1F
        return data, kind == _H264_SPS
    return payload, True


class _MidRouter(rtcdtlstransport.RtpRouter):
    """Also knows an m-line by the MID that its packets carry."""

    def route_rtp(self, packet: rtp.RtpPacket) -> rtcdtlstransport.RtpReceiver | None:
        if packet.ssrc not in self.ssrc_table and packet.extensions.mid is not None:
            receiver = self.mid_table.get(packet.extensions.mid)
            known = self.payload_type_table.get(packet.payload_type, set())
            if receiver is not None and receiver in known:
                self.ssrc_table[packet.ssrc] = receiver
        return super().route_rtp(packet)


class _GuardedTransport(RepeatingTransport):
    """Lives on after a datagram that cannot be read."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._rtp_router = _MidRouter()
        self._unreadable = 0

    async def _recv_next(self) -> None:
        try:
            await super()._recv_next()
        except (ValueError, IndexError, struct.error) as error:
            self._unreadable += 1
            if self._unreadable & (self._unreadable - 1) == 0:  # 1, 2, 4, 8: no log by datagram
                logger.warning("unreadable datagram, %d so far: %r", self._unreadable, error)


def install() -> None:
    """Change aiortc and aioice for this process. Idempotent; call before any connection is made."""
    changes: tuple[tuple[Any, str, Any], ...] = (
        (rtcpeerconnection, "RTCRtpReceiver", BridgeReceiver),
        (rtcpeerconnection, "RTCDtlsTransport", _GuardedTransport),
    )
    addresses.install()
    for module, name, replacement in changes:
        setattr(module, name, replacement)
    opus = next(codec for codec in CODECS["audio"] if codec.name == "opus")
    opus.parameters = dict(_OPUS_FEC)


def bridge_receiver(receiver: RTCRtpReceiver) -> BridgeReceiver:
    """`receiver` as what `install` made it. Raises SetupError if it was made before."""
    if not isinstance(receiver, BridgeReceiver):
        message = "receiving.install() must be called before connections are made"
        raise SetupError(message)
    return receiver


async def measure_round_trip(connection: RTCPeerConnection) -> float | None:
    """Seconds of one STUN binding request on the path in use; None without an answer in 0.5 s."""
    transceivers = connection.getTransceivers()
    if not transceivers:
        return None
    ice = transceivers[0].receiver.transport.transport._connection  # noqa: SLF001
    pair = ice._nominated.get(1)  # noqa: SLF001
    if pair is None or ice.remote_password is None:
        return None
    request = ice.build_request(pair, nominate=False)
    sent = time.monotonic()
    try:
        await pair.protocol.request(
            request,
            pair.remote_addr,
            integrity_key=ice.remote_password.encode(),
            retransmissions=0,
        )
    except (aioice.stun.TransactionError, ConnectionError, AttributeError):
        return None  # no answer, or the socket was closed meanwhile
    return time.monotonic() - sent


class OveruseProbe:
    """Says whether packets queue up on the way, by how their spacing grows (as in libwebrtc)."""

    def __init__(self) -> None:
        self._spacing = rate.InterArrival(
            (rate.TIMESTAMP_GROUP_LENGTH_MS << rate.INTER_ARRIVAL_SHIFT) // 1000,
            rate.TIMESTAMP_TO_MS,
        )
        self._estimator = rate.OveruseEstimator()
        self._detector = rate.OveruseDetector()

    def observe(self, send_time: int, arrival: float, size: int) -> bool:
        """Take one packet: 24-bit abs-send-time, arrival in monotonic seconds, bytes."""
        arrival_ms = int(arrival * 1000)
        deltas = self._spacing.compute_deltas(send_time << 8, arrival_ms, size)
        if deltas is not None:
            sent_ms = deltas.timestamp * rate.TIMESTAMP_TO_MS
            self._estimator.update(
                deltas.arrival_time, sent_ms, deltas.size, self._detector.state(), arrival_ms
            )
            self._detector.detect(
                self._estimator.offset(), sent_ms, self._estimator.num_of_deltas(), arrival_ms
            )
        return bool(self._detector.state() is rate.BandwidthUsage.OVERUSING)
