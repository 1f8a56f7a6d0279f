"""`python -m tests.fuzz.collect`: takes new seeds from real connections on this machine."""

import asyncio
from typing import Any

from aiortc.rtp import is_rtcp
from playwright.async_api import async_playwright

from bridge.broadcast.rtc.connection import Sinks
from bridge.broadcast.rtc.ingest import Ingest
from bridge.broadcast.rtc.playout_delay import PlayoutDelay
from bridge.clock import SystemClock
from tests.e2e.browsers import chromium
from tests.fuzz.mutate import FOLDER
from tests.helpers import until
from tests.rtc import CameraTrack, Pictures, Sender, Sounds

_EACH = 40
_MORE = (
    "candidate:3 1 udp 2113937151 0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0.local 54400 typ host",
    "candidate:4 1 tcp 1518280447 192.0.2.7 9 typ host tcptype active",
    "candidate:5 1 udp 1677729535 198.51.100.9 40000 typ srflx raddr 192.0.2.7 rport 54400",
    "candidate:6 1 udp 33562623 203.0.113.4 50000 typ relay raddr 198.51.100.9 rport 40000",
    "candidate:7 1 udp 2122194687 2001:db8::17 54401 typ host generation 0 ufrag aBcD network-id 1",
)
_OFFER = """async () => {
  const pc = new RTCPeerConnection({ bundlePolicy: "max-bundle" });
  const canvas = document.createElement("canvas");
  canvas.getContext("2d").fillRect(0, 0, 8, 8);
  const sound = new AudioContext().createMediaStreamDestination();
  pc.addTransceiver(sound.stream.getTracks()[0], { direction: "sendonly" });
  pc.addTransceiver(canvas.captureStream(5).getTracks()[0], { direction: "sendonly" });
  pc.addTransceiver("video", { direction: "sendonly" });
  await pc.setLocalDescription();
  await new Promise((done) => {
    pc.onicecandidate = ({ candidate }) => candidate || done();
    setTimeout(done, 3000);
  });
  return pc.localDescription.sdp;
}"""


class _Copying:
    """An SRTP session that keeps what it has decrypted."""

    def __init__(self, session: Any, kept: dict[str, list[bytes]]) -> None:
        self._session = session
        self._kept = kept

    def unprotect(self, data: bytes) -> bytes:
        return self._keep("rtp", self._session.unprotect(data))

    def unprotect_rtcp(self, data: bytes) -> bytes:
        return self._keep("rtcp", self._session.unprotect_rtcp(data))

    def _keep(self, kind: str, data: bytes) -> bytes:
        assert is_rtcp(data) == (kind == "rtcp")
        if len(self._kept[kind]) < _EACH:
            self._kept[kind].append(data)
        return data


async def collect() -> None:
    kept: dict[str, list[bytes]] = {"rtp": [], "rtcp": [], "stun": []}
    ingest = Ingest(
        "proposition",
        sinks=Sinks(camera=Pictures(), microphone=Sounds(), screen=Pictures()),
        delay=PlayoutDelay(0.1, 1.0),
        clock=SystemClock(),
        on_state=lambda _state: None,
    )
    sender = Sender(CameraTrack(size=(640, 360)))
    await sender.connect(ingest, "seeds.1")
    assert ingest._connection is not None
    dtls: Any = ingest._connection._peer.getTransceivers()[0].receiver.transport
    (protocol,) = dtls.transport._connection._protocols[:1]
    take = protocol.datagram_received

    def keep(data: bytes, address: tuple[Any, ...]) -> None:
        if data and data[0] < 4 and len(kept["stun"]) < _EACH:
            kept["stun"].append(data)
        take(data, address)

    protocol.datagram_received = keep
    await until(lambda: dtls._rx_srtp, "the keys")
    dtls._rx_srtp = _Copying(dtls._rx_srtp, kept)
    # Consent and our own probes come every few seconds, sender reports every one.
    await asyncio.sleep(12)
    offer = await sender.offer()
    await sender.close()
    await ingest.close()
    for kind, packets in kept.items():
        text = "\n".join(packet.hex() for packet in packets)
        (FOLDER / "seeds" / f"{kind}.hex").write_text(text + "\n")
    offers = {"headless": offer, "chromium": await _chromium_offer()}
    for name, sdp in offers.items():
        (FOLDER / "seeds" / f"{name}.sdp").write_text("\n".join(sdp.splitlines()) + "\n")
    lines = {
        line.removeprefix("a=")
        for sdp in offers.values()
        for line in sdp.splitlines()
        if line.startswith("a=candidate:")
    }
    (FOLDER / "seeds" / "candidates.txt").write_text("\n".join([*sorted(lines), *_MORE]) + "\n")


async def _chromium_offer() -> str:
    async with async_playwright() as playwright, chromium(playwright, None) as browser:
        page = await browser.new_page()
        return str(await page.evaluate(_OFFER))


if __name__ == "__main__":
    asyncio.run(collect())
