import asyncio
import struct
from types import SimpleNamespace
from typing import Any

import pytest
from aiortc import rtcpeerconnection, rtp
from aiortc.rtcrtpparameters import RTCRtpCodecParameters
from hypothesis import given
from hypothesis import strategies as st

from bridge.broadcast.rtc import compat
from bridge.errors import SetupError


def test_trap_24_another_minor_version_is_refused_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compat, "AIORTC_VERSION", "1.17.0")
    with pytest.raises(SetupError, match=r"aiortc 1\.17\.0 is installed"):
        compat._check_versions()


def test_a_private_name_that_is_gone_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compat, "_MANGLED", (*compat._MANGLED, "nonesuch"))
    with pytest.raises(SetupError, match="nonesuch"):
        compat._check_versions()


def test_install_is_idempotent() -> None:
    compat.install()
    compat.install()
    assert vars(rtcpeerconnection)["RTCRtpReceiver"] is compat.BridgeReceiver


def test_loopback_is_offered_where_there_is_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compat, "_system_addresses", lambda use_ipv4, use_ipv6: [])
    assert compat.host_addresses(use_ipv4=True, use_ipv6=True) == ["127.0.0.1"]
    assert compat.only_loopback()
    monkeypatch.setattr(compat, "_system_addresses", lambda use_ipv4, use_ipv6: ["192.0.2.2"])
    assert compat.host_addresses(use_ipv4=True, use_ipv6=True) == ["192.0.2.2"]
    assert not compat.only_loopback()


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
    assert compat._depayload(codec, payload) == expected


@given(st.sampled_from(["VP8", "H264", "opus"]), st.binary(max_size=60))
def test_trap_18_no_payload_raises_anything_that_is_not_caught(codec: str, payload: bytes) -> None:
    try:
        compat._depayload(codec, payload)
    except (ValueError, IndexError, struct.error):
        return


def test_a_new_ssrc_finds_its_m_line_by_mid() -> None:
    router: Any = compat._MidRouter()
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
    statistics = compat._CappedStatistics(90_000)
    for number in range(200):
        statistics.add(rtp.RtpPacket(sequence_number=number, timestamp=number % 2 * 0xFFFFFFFF))
    struct.pack("!L", statistics.jitter)
    await asyncio.sleep(0)


def test_retransmission_of_an_unknown_source_is_dropped() -> None:
    compat.install()
    receiver = compat.BridgeReceiver("video", SimpleNamespace(state="new"))  # type: ignore[arg-type]
    codec = RTCRtpCodecParameters(
        mimeType="video/rtx", clockRate=90_000, payloadType=97, parameters={"apt": 96}
    )
    assert (
        receiver._undo_rtx(rtp.RtpPacket(payload_type=97, ssrc=5, payload=b"\0\1x"), codec) is None
    )
