import asyncio
import struct
from types import SimpleNamespace
from typing import Any

import pytest
from aiortc import rtcpeerconnection, rtp
from aiortc.rtcrtpparameters import RTCRtpCodecParameters
from hypothesis import given
from hypothesis import strategies as st

from bridge.aiortc_inside import receiving


def test_install_is_idempotent() -> None:
    receiving.install()
    receiving.install()
    assert vars(rtcpeerconnection)["RTCRtpReceiver"] is receiving.BridgeReceiver


@pytest.mark.parametrize(
    ("codec", "payload", "expected"),
    [
        ("VP8", b"\x10abc", (b"abc", True)),
        ("VP8", b"\x00abc", (b"abc", False)),
        ("VP8", b"\x90\x80\x81\x02abc", (b"abc", True)),
        ("H264", b"\x67\x42", (b"\0\0\0\1\x67\x42", True)),
        ("H264", b"\x41\x9a", (b"\0\0\0\1\x41\x9a", False)),
        ("H264", b"\x18\0\2\x67\x42", (b"\0\0\0\1\x67\x42", True)),
        ("opus", b"\xfcabc", (b"\xfcabc", True)),
        ("VP8", b"", (b"", False)),
    ],
)
def test_payload_headers_are_taken_off(
    codec: str, payload: bytes, expected: tuple[bytes, bool]
) -> None:
    assert receiving._depayload(codec, payload) == expected


@given(st.sampled_from(["VP8", "H264", "opus"]), st.binary(max_size=60))
def test_trap_18_no_payload_raises_anything_that_is_not_caught(codec: str, payload: bytes) -> None:
    try:
        receiving._depayload(codec, payload)
    except (ValueError, IndexError, struct.error):
        return


def test_a_new_ssrc_finds_its_m_line_by_mid() -> None:
    router: Any = receiving._MidRouter()
    camera: Any = SimpleNamespace()
    screen: Any = SimpleNamespace()
    for receiver, mid, ssrc in ((_Hashable(camera), "1", 11), (_Hashable(screen), "2", 22)):
        router.register_receiver(receiver, ssrcs=[ssrc], payload_types=[96], mid=mid)
    packet = rtp.RtpPacket(payload_type=96, ssrc=33)
    assert router.route_rtp(packet) is None
    packet.extensions.mid = "2"
    assert router.route_rtp(packet).inner is screen
    packet.extensions.mid = None
    assert router.route_rtp(packet).inner is screen


class _Hashable:
    def __init__(self, inner: object) -> None:
        self.inner = inner


async def test_a_leaping_timestamp_does_not_end_the_receiver_reports() -> None:
    statistics = receiving._CappedStatistics(90_000)
    for number in range(200):
        statistics.add(rtp.RtpPacket(sequence_number=number, timestamp=number % 2 * 0xFFFFFFFF))
    struct.pack("!L", statistics.jitter)
    await asyncio.sleep(0)


def test_retransmission_of_an_unknown_source_is_dropped() -> None:
    receiving.install()
    receiver = receiving.BridgeReceiver("video", SimpleNamespace(state="new"))  # type: ignore[arg-type]
    codec = RTCRtpCodecParameters(
        mimeType="video/rtx", clockRate=90_000, payloadType=97, parameters={"apt": 96}
    )
    assert (
        receiver._undo_rtx(rtp.RtpPacket(payload_type=97, ssrc=5, payload=b"\0\1x"), codec) is None
    )
