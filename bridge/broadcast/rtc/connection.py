"""One RTCPeerConnection from a debater's browser: answer, tracks, feedback, end."""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from aiortc import (
    RTCBundlePolicy,
    RTCConfiguration,
    RTCPeerConnection,
    RTCRtpReceiver,
    RTCRtpTransceiver,
    RTCSessionDescription,
)
from aiortc.sdp import candidate_from_sdp

from bridge.aiortc_inside import addresses, receiving
from bridge.broadcast.rtc import tasks
from bridge.broadcast.rtc.clock_mapping import ClockMapping
from bridge.broadcast.rtc.offer import MAX_CANDIDATES, Offer, hint_bit_rate, usable_candidate
from bridge.broadcast.rtc.playout_delay import PlayoutDelay
from bridge.broadcast.rtc.receive_bitrate import ReceiveBitrate
from bridge.broadcast.rtc.sinks import AudioSink, FrameTap, VideoSink
from bridge.broadcast.rtc.tracks import (
    CAMERA,
    MICROPHONE,
    SCREEN,
    PictureTrack,
    SoundTrack,
    TrackContext,
)
from bridge.clock import Clock
from bridge.errors import ConflictError, InputError
from bridge.protocol.broadcast_config import NetworkConfig

logger = logging.getLogger(__name__)

_POLL: Final = 0.02
_PROBE: Final = 2.0
_CLOSE: Final = 5.0
_FIRST_ROUND_TRIP: Final = 0.05
_SMOOTHING: Final = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Sinks:
    """Where a debater's media goes."""

    camera: VideoSink
    microphone: AudioSink
    screen: VideoSink | None
    """None: the screen is not received."""
    tap: FrameTap | None = None
    """Gets every frame as it came; None: nobody keeps them."""


class IngestConnection:
    """Receives from one browser until closed; never renegotiates: a new offer is a new connection.

    Loop-side only. Owns the peer connection, two tasks and a thread per track that has media.
    """

    def __init__(
        self,
        name: str,
        link: str,
        sinks: Sinks,
        *,
        delay: PlayoutDelay,
        most_bit_rate: int,
        network: NetworkConfig,
        clock: Clock,
    ) -> None:
        self.link = link
        self.began = clock.monotonic()
        self.round_trip: float | None = None
        self.tracks: list[SoundTrack | PictureTrack] = []
        self._name = name
        self._sinks = sinks
        self._network = network
        self._clock = clock
        self._bit_rate = ReceiveBitrate(most_bit_rate)
        self._overuse = receiving.OveruseProbe()
        self._last_answer: float | None = None
        self._report_bit_rate: int | None = None
        self._candidates = 0
        self._tasks: list[asyncio.Task[None]] = []
        self._context = TrackContext(
            leg=name,
            mapping=ClockMapping(delay, (MICROPHONE, CAMERA, SCREEN)),
            clock=clock,
            delay=delay,
            on_send_time=self._take_send_time,
            tap=sinks.tap,
        )
        receiving.install()
        self._peer = RTCPeerConnection(
            # One transport from the start. Under the default policy a second video stays on a
            # transport that is thrown away (aiortc 1.16 setRemoteDescription, "bundled").
            RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE)
        )

    async def answer(self, offer: Offer) -> str:
        """Take the offer and begin to receive; returns the answer's SDP.

        Raises InputError when aiortc cannot take it, ConflictError when there is no UDP port left.
        Call once; close after a failure.
        """
        self._add_tracks(offer)
        addresses.place(self._peer, self._network)
        try:
            await self._peer.setRemoteDescription(RTCSessionDescription(offer.sdp, "offer"))
            await self._peer.setLocalDescription(await self._peer.createAnswer())
        except ConflictError:
            raise
        except Exception as error:
            # aiortc's parser answers nonsense with whatever its code runs into: AssertionError,
            # IndexError, KeyError, ValueError, its own errors (notes/reliability.md 5.4).
            logger.info("%s: offer not taken: %r", self._name, error)
            message = "The offer cannot be used: malformed, or without VP8, H.264 and Opus."
            raise InputError(message, code="sdp_malformed") from error
        self._tasks = [
            tasks.start(self._poll(), f"{self._name}-poll"),
            tasks.start(self._probe(), f"{self._name}-probe"),
        ]
        answer = hint_bit_rate(self._peer.localDescription.sdp)
        return addresses.advertise(answer, self._network)

    async def add_candidate(self, candidate: Mapping[str, object]) -> None:
        """Take a W3C RTCIceCandidateInit; what cannot be used is left out without a word.

        The end of candidates is never passed on: ICE would fail at once when all that came
        before was left out. Raises InputError when there are too many or it is malformed.
        """
        text = str(candidate.get("candidate") or "")
        if not usable_candidate(
            text,
            allow_loopback=addresses.only_loopback(),
            allow_private=not self._network.refuse_private_candidates,
        ):
            return
        self._candidates += 1
        if self._candidates > MAX_CANDIDATES:
            message = f"More than {MAX_CANDIDATES} candidates."
            raise InputError(message, code="candidates")
        mid, index = candidate.get("sdpMid"), candidate.get("sdpMLineIndex")
        try:
            parsed = candidate_from_sdp(text.removeprefix("candidate:"))
            parsed.sdpMid = str(mid) if mid is not None else None
            parsed.sdpMLineIndex = index if isinstance(index, int) else None
            if mid is None and index is None:
                parsed.sdpMLineIndex = 0  # there is one transport; older browsers leave both out
            await self._peer.addIceCandidate(parsed)
        except (AssertionError, ValueError) as error:
            message = "The candidate is malformed."
            raise InputError(message, code="candidate") from error

    @property
    def connected(self) -> bool:
        """Whether ICE and DTLS have succeeded."""
        return self._peer.connectionState == "connected"

    @property
    def over(self) -> bool:
        """Whether the connection has failed or the other side has closed it."""
        return self._peer.connectionState in {"failed", "closed"}

    @property
    def last_answer(self) -> float | None:
        """When the browser last answered a probe, in monotonic seconds: its path is alive."""
        return self._last_answer

    @property
    def last_arrival(self) -> float | None:
        """When the last media packet came, in monotonic seconds."""
        arrivals = [track.receiver.last_arrival for track in self.tracks]
        return max((arrival for arrival in arrivals if arrival is not None), default=None)

    @property
    def limit(self) -> int:
        """What the sender is told it may send, in bits per second."""
        return self._bit_rate.limit

    @limit.setter
    def limit(self, bits_per_second: int) -> None:
        self._bit_rate.most = bits_per_second

    async def close(self) -> None:
        """End everything, within seconds and without blocking the loop. Call once."""
        self._context.delay.forget(f"{self._name}/")
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for track in self.tracks:
            track.stop()
        try:
            await asyncio.wait_for(self._peer.close(), _CLOSE)
        except TimeoutError:
            logger.warning("%s: connection %s did not close in time", self._name, self.link)
        except Exception:
            # An odd offer can leave aiortc half made; our own threads must end all the same.
            logger.exception("%s: connection %s did not close in order", self._name, self.link)
        for track in self.tracks:
            if not await asyncio.to_thread(track.join):
                logger.warning("%s: the %s's decoder did not end", self._name, track.name)

    def _add_tracks(self, offer: Offer) -> None:
        microphone = self._transceiver("audio", ("opus",))
        receiver = receiving.bridge_receiver(microphone.receiver)
        self.tracks.append(SoundTrack(receiver, self._sinks.microphone, self._context))
        self._add_picture(CAMERA, self._sinks.camera)
        if offer.has_screen:
            self._add_picture(SCREEN, self._sinks.screen)

    def _add_picture(self, name: str, sink: VideoSink | None) -> None:
        transceiver = self._transceiver("video", ("VP8", "H264", "rtx"))
        if sink is None:
            # The browser then sends nothing that would only be thrown away.
            transceiver.direction = "inactive"
            return
        receiver = receiving.bridge_receiver(transceiver.receiver)
        self.tracks.append(PictureTrack(name, receiver, sink, self._context))

    def _transceiver(self, kind: str, codecs: tuple[str, ...]) -> RTCRtpTransceiver:
        """Make the next m-line's transceiver; codecs are fixed when the offer is set."""
        transceiver = self._peer.addTransceiver(kind, direction="recvonly")
        capabilities = RTCRtpReceiver.getCapabilities(kind)
        known = capabilities.codecs if capabilities else []
        transceiver.setCodecPreferences(
            [codec for name in codecs for codec in known if codec.name == name]
        )
        return transceiver

    def _take_send_time(self, send_time: int, size: int) -> None:
        now = self._clock.monotonic()
        overusing = self._overuse.observe(send_time, now, size)
        report = self._bit_rate.update(size, now, overusing=overusing)
        if report is not None:
            self._report_bit_rate = report

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(_POLL)
            for track in self.tracks:
                await track.receiver.poll(self.round_trip or _FIRST_ROUND_TRIP)
            if self._report_bit_rate is not None:
                report, self._report_bit_rate = self._report_bit_rate, None
                await self._send_bit_rate(report)

    async def _send_bit_rate(self, bits_per_second: int) -> None:
        pictures = [track for track in self.tracks if isinstance(track, PictureTrack)]
        ssrcs = [track.receiver.ssrc for track in pictures if track.receiver.ssrc is not None]
        if ssrcs:
            await pictures[0].feedback.send_remb(bits_per_second, ssrcs)

    async def _probe(self) -> None:
        while True:
            measured = await receiving.measure_round_trip(self._peer)
            if measured is not None:
                before = self.round_trip if self.round_trip is not None else measured
                self.round_trip = before + _SMOOTHING * (measured - before)
                self._last_answer = self._clock.monotonic()
            await asyncio.sleep(_PROBE if measured is not None else 0.5)
