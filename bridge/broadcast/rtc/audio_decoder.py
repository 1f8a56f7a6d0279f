"""Opus packets to samples with a due time, on a thread of their own."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bridge.broadcast.rtc.frames import DecoderCounters, EncodedFrame
from bridge.broadcast.rtc.opus import SAMPLE_RATE, OpusDecoder, OpusPacketError, packet_samples
from bridge.broadcast.rtc.sinks import AudioSink
from bridge.concurrency.channel import Channel, Overflow
from bridge.concurrency.worker import Worker
from bridge.errors import ChannelClosedError

_QUEUED_PACKETS: Final = 50
"""One second of 20 ms packets."""
_MAX_CONCEALED: Final = SAMPLE_RATE // 10
"""Samples; beyond 100 ms concealment only hums (libopus has faded out by then)."""


@dataclass(frozen=True, slots=True)
class Sound:
    """Samples and their place."""

    timestamp: int
    """Unwrapped RTP timestamp of the first sample."""
    samples: NDArray[np.float32]
    """Shape (2, n), 48 kHz."""


class OpusConcealment:
    """Decodes in order and fills what was lost; leaves open what was never sent. One thread.

    A jump of the timestamp without lost packets is the sender's silence (DTX), not a loss. The
    frame before the gap's end comes from in-band FEC, the rest from concealment, 100 ms at most.
    """

    def __init__(self) -> None:
        self.decoded = 0
        """Packets."""
        self.concealed = 0
        """Samples made up."""
        self.broken = 0
        """Packets that were not Opus."""
        self._decoder = OpusDecoder()
        self._next: int | None = None

    def decode(self, frame: EncodedFrame) -> list[Sound]:
        """Return the sound of a frame, and before it what replaces lost packets."""
        try:
            length = packet_samples(frame.data)
            sounds = self._fill(frame, length)
            samples = self._decoder.decode(frame.data)
        except OpusPacketError:
            self.broken += 1
            return []
        self.decoded += 1
        self._next = frame.timestamp + samples.shape[1]
        sounds.append(Sound(frame.timestamp, samples))
        return sounds

    def restart(self) -> None:
        """Begin anew: the next timestamp has nothing to do with the last."""
        self._next = None

    def close(self) -> None:
        """Free the decoder."""
        self._decoder.close()

    def _fill(self, frame: EncodedFrame, length: int) -> list[Sound]:
        gap = 0 if self._next is None else frame.timestamp - self._next
        if frame.lost_before == 0 or gap <= 0:
            return []
        sounds: list[Sound] = []
        recoverable = min(length, gap)
        plain = min(gap - recoverable, _MAX_CONCEALED)
        if plain > 0 and self._next is not None:
            sounds.append(Sound(self._next, self._decoder.conceal(plain)))
        recovered = self._decoder.recover(frame.data, recoverable)
        sounds.append(Sound(frame.timestamp - recovered.shape[1], recovered))
        self.concealed += sum(sound.samples.shape[1] for sound in sounds)
        return sounds


@dataclass(frozen=True, slots=True)
class _Due:
    frame: EncodedFrame
    at: float
    restart: bool


class AudioDecoder:
    """Decodes one track on its own thread and writes to the sink as soon as packets come.

    Bound: one second of packets. Overflow: the oldest are dropped, counted, and concealed.
    """

    def __init__(self, name: str, sink: AudioSink) -> None:
        self._sink = sink
        self._concealment = OpusConcealment()
        self._channel: Channel[_Due] = Channel(_QUEUED_PACKETS, Overflow.DROP_OLDEST)
        self._worker = Worker(f"{name}-opus", self._run)

    def start(self) -> None:
        """Start the thread. Once only."""
        self._worker.start()

    def feed(self, frame: EncodedFrame, due: float, *, restart: bool = False) -> None:
        """Queue a frame that would be due at `due` without delay. Any one thread; never blocks."""
        self._channel.put(_Due(frame, due, restart))

    def stop(self) -> None:
        """Ask the thread to end. Never blocks."""
        self._channel.close()

    @property
    def alive(self) -> bool:
        """Whether the thread runs; False once it has failed."""
        return self._worker.alive

    def join(self, timeout: float) -> bool:
        """Wait for the end; False if it still runs. Never on the loop."""
        return self._worker.join(timeout)

    @property
    def counters(self) -> DecoderCounters:
        """A snapshot. Any thread."""
        made = self._concealment
        return DecoderCounters(
            decoded=made.decoded,
            errors=made.broken,
            dropped=self._channel.dropped,
            concealed=made.concealed,
        )

    def _run(self) -> None:
        try:
            while True:
                item = self._channel.take()
                if item is not None:
                    self._decode(item)
        except ChannelClosedError:
            pass  # closed and drained: that is the end
        finally:
            self._concealment.close()

    def _decode(self, item: _Due) -> None:
        if item.restart:
            self._concealment.restart()
        for sound in self._concealment.decode(item.frame):
            before = (item.frame.timestamp - sound.timestamp) / SAMPLE_RATE
            self._sink.write(item.at - before, sound.samples)
