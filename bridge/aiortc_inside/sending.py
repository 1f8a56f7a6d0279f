"""What a headless debater needs of aiortc's inside: three hooks.

They exist because aiortc has no public way: to hear of a picture loss and of the bit rate that the
other end can take when the packets come encoded, and to receive without decoding (notes/aiortc.md,
section 3).
"""

from collections.abc import Callable
from dataclasses import dataclass
from queue import Queue
from typing import Final

from aiortc import RTCRtpReceiver, RTCRtpSender, rtp
from aiortc.jitterbuffer import JitterFrame
from aiortc.rtcrtpparameters import RTCRtpCodecParameters

_DECODER_QUEUE: Final = "_RTCRtpReceiver__decoder_queue"


@dataclass(slots=True)
class Received:
    """What has come from the opponent, counted instead of decoded. Loop-side only."""

    frames: int = 0
    """Whole encoded pictures, or packets of sound."""
    bytes: int = 0


def on_picture_loss(sender: RTCRtpSender, request_keyframe: Callable[[], None]) -> None:
    """Call `request_keyframe` for each PLI or FIR; aiortc itself only re-encodes raw frames."""
    sender._send_keyframe = request_keyframe  # type: ignore[method-assign]  # noqa: SLF001


def on_bit_rate_limit(sender: RTCRtpSender, tell: Callable[[int], None]) -> None:
    """Call `tell` with the bits per second of each REMB; aiortc itself only tells its encoders."""
    handle = sender._handle_rtcp_packet  # noqa: SLF001

    async def look(packet: rtp.AnyRtcpPacket) -> None:
        if isinstance(packet, rtp.RtcpPsfbPacket) and packet.fmt == rtp.RTCP_PSFB_APP:
            try:
                bit_rate, _ = rtp.unpack_remb_fci(packet.fci)
            except ValueError:
                return
            tell(bit_rate)
        await handle(packet)

    sender._handle_rtcp_packet = look  # type: ignore[method-assign]  # noqa: SLF001


def count_only(receiver: RTCRtpReceiver, received: Received) -> None:
    """Let `receiver` assemble frames and send RTCP as ever, but count frames and not decode them.

    Call it in the `track` event: afterwards the decoder's queue is in use.
    """
    # Spelled as Python mangles it; the stand-in has what the receiver and its thread use of it.
    decoder_queue = getattr(receiver, _DECODER_QUEUE)
    setattr(receiver, _DECODER_QUEUE, _CountingQueue(decoder_queue, received))


class _CountingQueue:
    """Stands in for the decoder's queue: only the mark that ends its thread gets through."""

    def __init__(self, decoder_queue: Queue[None], received: Received) -> None:
        self._queue = decoder_queue
        self._received = received

    def put(self, item: tuple[RTCRtpCodecParameters, JitterFrame] | None) -> None:
        if item is None:
            self._queue.put(None)
            return
        self._received.frames += 1
        self._received.bytes += len(item[1].data)

    def get(self) -> None:
        return self._queue.get()
