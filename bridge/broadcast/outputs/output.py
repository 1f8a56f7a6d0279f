"""What every output of the programme is."""

from typing import Protocol

from bridge.broadcast.media.packets import EncodedPacket


class Output(Protocol):
    """Takes encoded packets and never makes the encoder wait.

    An output owns a bounded channel and whatever thread or child works behind it. It reports its
    state by the callback its constructor was given, on the event loop.
    """

    name: str

    def start(self) -> None:
        """Begin. Loop-side only, once, before the first packet."""
        ...

    def put(self, packet: EncodedPacket) -> None:
        """Take a packet. Encoder thread; never blocks, never raises."""
        ...

    async def stop(self, deadline: float) -> None:
        """Let the end of the stream flow through, finalise, and be gone after `deadline` seconds.

        Loop-side only; idempotent.
        """
        ...
