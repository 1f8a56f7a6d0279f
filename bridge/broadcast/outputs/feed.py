"""How an output stands between the encoder's thread and the loop."""

import asyncio
import logging
from collections.abc import Callable

from bridge.broadcast.media.packets import AUDIO_RATE, VIDEO_RATE, EncodedPacket, TrackKind
from bridge.concurrency.channel import Channel, Overflow

logger = logging.getLogger(__name__)

_SOUND_AND_PICTURE = 2


def packet_channel(seconds: float, tracks: int = _SOUND_AND_PICTURE) -> Channel[EncodedPacket]:
    """Queue of `seconds` of programme, all tracks together; when full, everything queued goes.

    A hole anywhere makes the pictures after it undecodable up to the next keyframe, so that there
    is no better packet to drop than all of them.
    """
    return Channel(seconds * tracks, Overflow.CLEAR, size=packet_seconds)


def packet_seconds(packet: EncodedPacket) -> float:
    """How long a packet lasts."""
    rate = VIDEO_RATE if packet.kind is TrackKind.VIDEO else AUDIO_RATE
    return packet.duration / rate


def post(
    loop: asyncio.AbstractEventLoop | None, call: Callable[..., None], *arguments: object
) -> None:
    """Have `call` run on the loop; from any thread. Nothing happens once the loop is closed."""
    if loop is None:
        return
    try:
        loop.call_soon_threadsafe(call, *arguments)
    except RuntimeError:
        # Closed between two packets: the process is ending, and a thread must not fail of it.
        if not loop.is_closed():
            raise


def watch(task: asyncio.Task[None], on_failure: Callable[[], None]) -> asyncio.Task[None]:
    """Log and tell when `task` ends by a fault of ours; returns it. Loop-side only."""

    def ended(task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("%s failed", task.get_name(), exc_info=error)
            on_failure()

    task.add_done_callback(ended)
    return task
