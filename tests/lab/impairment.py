"""What the cable does to packets: pure, time is passed in, chance comes from a seed."""

from dataclasses import asdict, dataclass, field
from enum import StrEnum
from random import Random
from typing import Final

_QUEUE_SECONDS: Final = 0.2
"""What a home router holds back before it drops from the tail."""
_OVERTAKEN_SECONDS: Final = 0.02
"""How much later a packet comes that others overtake: two or three packets of a call."""
_MAX_LINES: Final = 256
_UDP: Final = 17
_IPV4_HEADER: Final = 20


class Cut(StrEnum):
    """Which packets do not arrive at all."""

    NOTHING = "nothing"
    UDP = "udp"
    """The media path is gone, signalling stays."""
    ALL = "all"
    """The plug is pulled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Impairment:
    """Of each direction by itself: a delay of 100 ms makes a round trip of 200 ms."""

    delay_ms: float = 0
    """Of everything; the rest is of UDP alone, so that TCP's own mending stays out of the test."""
    jitter_ms: float = 0
    """A packet waits up to this much longer. Nothing overtakes: what is behind waits too."""
    reorder: float = 0
    """Share of packets, 0 to 1, that are held back by 20 ms while others pass."""
    duplicate: float = 0
    """Share of packets that arrive twice."""
    bandwidth_kbps: float = 0
    """Of each debater's line; 0: no limit. A queue of 200 ms stands before it, tail drop."""
    cut: Cut = Cut.NOTHING

    def as_json(self) -> dict[str, object]:
        """Return the order for a running cable."""
        return asdict(self)


@dataclass(slots=True)
class _Line:
    """A flow's place in its own queue."""

    free_at: float = 0.0
    """When the last bit of what waits has left."""
    last_due: float = 0.0


@dataclass(slots=True)
class Direction:
    """One way along the cable."""

    impairment: Impairment
    random: Random
    dropped: int = 0
    _lines: dict[bytes, _Line] = field(default_factory=dict)

    def due(self, packet: bytes, now: float) -> list[float]:
        """Return when `packet` arrives: not at all, once, or twice."""
        rule = self.impairment
        udp = is_udp(packet)
        if rule.cut is Cut.ALL or (udp and rule.cut is Cut.UDP):
            self.dropped += 1
            return []
        if not udp:
            return [now + rule.delay_ms / 1000]
        line = self._line(packet)
        sent = self._sent(line, len(packet), now)
        if sent is None:
            self.dropped += 1
            return []
        wait = rule.delay_ms + (self.random.uniform(0, rule.jitter_ms) if rule.jitter_ms else 0)
        at = max(sent + wait / 1000, line.last_due)
        if self._happens(rule.reorder):
            return [at + _OVERTAKEN_SECONDS]
        line.last_due = at
        return [at, at] if self._happens(rule.duplicate) else [at]

    def _line(self, packet: bytes) -> _Line:
        """Queue of a flow; debaters share the cable, but each has a line of his own."""
        ports = packet[_IPV4_HEADER : _IPV4_HEADER + 4]
        if len(self._lines) >= _MAX_LINES:
            del self._lines[next(iter(self._lines))]
        return self._lines.setdefault(ports, _Line())

    def _sent(self, line: _Line, size: int, now: float) -> float | None:
        """When the last bit is on the wire; None: the queue is full."""
        if not self.impairment.bandwidth_kbps:
            return now
        begin = max(line.free_at, now)
        if begin - now > _QUEUE_SECONDS:
            return None
        line.free_at = begin + size * 8 / (self.impairment.bandwidth_kbps * 1000)
        return line.free_at

    def _happens(self, share: float) -> bool:
        return share > 0 and self.random.random() < share


def is_udp(packet: bytes) -> bool:
    """Whether it is IPv4 with UDP inside. The lab knows no IP options and no fragments."""
    return len(packet) > _IPV4_HEADER and packet[0] == 0x45 and packet[9] == _UDP
