"""One RTCPeerConnection of a headless debater, with what aiortc needs to be told about browsers."""

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from aiortc import (
    RTCBundlePolicy,
    RTCConfiguration,
    RTCIceCandidate,
    RTCIceServer,
    RTCPeerConnection,
    RTCRtpSender,
    RTCSessionDescription,
)
from aiortc.exceptions import InternalError, InvalidAccessError, InvalidStateError, OperationError
from aiortc.mediastreams import MediaStreamTrack
from aiortc.rtcrtptransceiver import RTCRtpTransceiver
from aiortc.sdp import SessionDescription, candidate_from_sdp

from bridge.aiortc_inside import addresses, handshake
from bridge.aiortc_inside.sending import (
    Received,
    count_only,
    on_bit_rate_limit,
    on_picture_loss,
)
from bridge.debater.cadence import Medium
from bridge.debater.encoder import MediaEncoder
from bridge.debater.tracks import EncodedTrack, IdleTrack
from bridge.errors import InputError
from bridge.protocol.messages import IceCandidate, IceServer

logger = logging.getLogger(__name__)

_CLOSE_SECONDS: Final = 5.0
_MAX_EARLY_CANDIDATES: Final = 64
_CODECS: Final = {"audio": {"audio/opus"}, "video": {"video/vp8", "video/rtx"}}
"""What the encoder makes; the packets of any other negotiated codec would be nonsense."""
_M_LINES: Final = ("audio", "video", "video")
"""Microphone, camera, screen."""
_REFUSED: Final = (
    # aiortc's own errors, and what its parser raises on text that is not SDP.
    InternalError, InvalidAccessError, InvalidStateError, OperationError,
    ValueError, TypeError, KeyError, IndexError, AttributeError, AssertionError,
    StopIteration, RuntimeError, OSError,
)  # fmt: skip


@dataclass(slots=True)
class ReceivedMedia:
    """What has come from the opponent over all connections so far."""

    microphone: Received = field(default_factory=Received)
    camera: Received = field(default_factory=Received)
    screen: Received = field(default_factory=Received)

    @property
    def in_order(self) -> tuple[Received, Received, Received]:
        """As the m-lines are."""
        return self.microphone, self.camera, self.screen


class Connection:
    """Sends the encoder's packets; receives without decoding. Loop-side only.

    Candidates are never trickled: aiortc gathers them all into the description, which takes half a
    second at most even if no STUN or TURN server answers. Its owner calls `close` in the end,
    whatever happened before.
    """

    def __init__(
        self,
        name: str,
        encoder: MediaEncoder,
        ice_servers: Sequence[IceServer],
        received: ReceivedMedia,
    ) -> None:
        self._name = name
        self._encoder = encoder
        self._received = received
        addresses.install()
        handshake.install()
        self._pc = RTCPeerConnection(
            RTCConfiguration(
                # An empty list, not None: None means a public STUN server.
                iceServers=[
                    RTCIceServer(item.urls, item.username, item.credential) for item in ice_servers
                ],
                bundlePolicy=RTCBundlePolicy.MAX_BUNDLE,
            )
        )
        self._pc.on("connectionstatechange", self._note_state)
        self._pc.on("track", self._note_track)
        self._tracks: list[MediaStreamTrack] = []
        self._early: deque[IceCandidate] = deque(maxlen=_MAX_EARLY_CANDIDATES)
        self.answered = asyncio.Event()
        """The remote description of our offer is there."""
        self.connected = asyncio.Event()
        self.ended = asyncio.Event()
        """It was connected or tried to be, and will never be again."""

    @property
    def up(self) -> bool:
        """Whether media can flow right now."""
        return self.connected.is_set() and not self.ended.is_set()

    async def offer(self, direction: str) -> str:
        """Add the three m-lines in `direction` and return the offer. Raises InputError."""
        try:
            self._add_m_lines(_M_LINES, direction)
            await self._pc.setLocalDescription()
        except _REFUSED as error:
            raise _refusal("No offer can be made", error) from error
        return self._pc.localDescription.sdp

    async def take_answer(self, sdp: str) -> None:
        """Apply the answer to our offer. Raises InputError when it cannot be taken."""
        await self._take_description("answer", sdp)
        self.answered.set()

    async def answer(self, sdp: str) -> str:
        """Answer an offer, the first or a later one. Raises InputError when it cannot be taken."""
        try:
            if not self._tracks:
                kinds = [media.kind for media in SessionDescription.parse(sdp).media]
                self._add_m_lines(kinds, "sendrecv")
        except _REFUSED as error:
            raise _refusal("The offer is malformed", error) from error
        await self._take_description("offer", sdp)
        try:
            await self._pc.setLocalDescription()
        except _REFUSED as error:
            raise _refusal("The offer cannot be answered", error) from error
        return self._pc.localDescription.sdp

    async def add_candidate(self, candidate: IceCandidate) -> None:
        """Take a trickled candidate, also before the description it belongs to."""
        if self._pc.remoteDescription is None:
            self._early.append(candidate)
            return
        parsed = _parse_candidate(candidate)
        if parsed is None:
            return
        try:
            await self._pc.addIceCandidate(parsed)
        except _REFUSED as error:
            raise _refusal("The candidate cannot be taken", error) from error

    async def close(self) -> None:
        """Close it and end its tracks; idempotent."""
        for track in self._tracks:
            track.stop()
        try:
            await asyncio.wait_for(self._pc.close(), _CLOSE_SECONDS)
        except TimeoutError:
            logger.warning("a connection did not close within %g s", _CLOSE_SECONDS)
        self.ended.set()

    async def _take_description(self, kind: str, sdp: str) -> None:
        try:
            await self._pc.setRemoteDescription(RTCSessionDescription(_clean(sdp), kind))
        except _REFUSED as error:
            raise _refusal(f"The {kind} cannot be taken", error) from error
        while self._early:
            await self.add_candidate(self._early.popleft())

    def _add_m_lines(self, kinds: Sequence[str], direction: str) -> None:
        """Add transceivers before the offer is read: aiortc fixes the codecs while reading it."""
        videos = 0
        for kind in kinds:
            if kind == "audio":
                track: MediaStreamTrack = EncodedTrack(self._encoder, Medium.SOUND)
            elif kind == "video" and videos == 0:
                track = EncodedTrack(self._encoder, Medium.PICTURE)
            else:
                track = IdleTrack()
            videos += kind == "video"
            self._tracks.append(track)
            transceiver = self._pc.addTransceiver(track, direction)
            capabilities = RTCRtpSender.getCapabilities(transceiver.kind)
            transceiver.setCodecPreferences(
                [c for c in capabilities.codecs if c.mimeType.lower() in _CODECS[transceiver.kind]]
            )
            if isinstance(track, EncodedTrack) and kind == "video":
                on_picture_loss(transceiver.sender, self._encoder.request_keyframe)
                if direction == "sendonly":
                    # To the bridge: what viewers see decides for the opponent too.
                    on_bit_rate_limit(transceiver.sender, self._encoder.limit_bit_rate)

    # pyee reports whatever a listener returns or raises as another event: these return None.
    def _note_state(self) -> None:
        state = self._pc.connectionState
        logger.info("%s: %s", self._name, state)
        if state == "connected":
            self.connected.set()
        elif state in {"failed", "closed"}:
            self.ended.set()

    def _note_track(self, track: MediaStreamTrack) -> None:
        for transceiver, received in zip(
            self._pc.getTransceivers(), self._received.in_order, strict=False
        ):
            if _receives(transceiver, track):
                count_only(transceiver.receiver, received)


def _receives(transceiver: RTCRtpTransceiver, track: MediaStreamTrack) -> bool:
    return transceiver.receiver.track is track


def _parse_candidate(candidate: IceCandidate) -> RTCIceCandidate | None:
    """Return aiortc's form; None for what must not reach it.

    An end of candidates would make ICE give up before the peer-reflexive one is found, and a
    `.local` name costs a second of multicast without ever being resolved (notes/aiortc.md, 4).
    """
    text = candidate.candidate.removeprefix("candidate:")
    if not text or _is_local_name(text):
        return None
    try:
        parsed = candidate_from_sdp(text)
    except _REFUSED as error:
        raise _refusal("The candidate is malformed", error) from error
    parsed.sdpMid = candidate.sdp_mid
    parsed.sdpMLineIndex = candidate.sdp_m_line_index
    return parsed


def _clean(sdp: str) -> str:
    """Leave out what `_parse_candidate` leaves out."""
    kept = [
        line
        for line in sdp.splitlines()
        if line != "a=end-of-candidates"
        and not (line.startswith("a=candidate:") and _is_local_name(line))
    ]
    return "\r\n".join([*kept, ""])


def _is_local_name(candidate: str) -> bool:
    return ".local " in candidate


def _refusal(what: str, error: BaseException) -> InputError:
    detail = str(error) or type(error).__name__
    return InputError(f"{what}: {detail}", code="sdp")
