"""How much a debater may send us. Pure.

aiortc's own estimate follows what is sent (at most 1.5 times the measured rate), and Chrome sends
what the estimate allows: after a dark or still start both stay at 300 kb/s for most of a minute
(notes/browser.md, "Bitrate trap"). So here the limit is the wanted rate at once, and
falls only when packets are seen to queue up on the way.
"""

from typing import Final

_REPEAT: Final = 1.0
"""Seconds between reports without news. Chrome forgets none, but one may be lost."""
_EARLY_UNTIL: Final = 2.0
_EARLY_REPEAT: Final = 0.25
"""Chrome follows a report at once only in its first two seconds, so these come often."""
_DECREASE_PAUSE: Final = 0.3
"""Seconds before a decrease can show effect."""
_DECREASE: Final = 0.85
_STEEPEST: Final = 0.5
_GROWTH: Final = 0.15
"""Per second; twice Google's 8 %, for limits that are a few steps away at most."""
_FLOOR: Final = 150_000
_CEILING: Final = 4_000_000
"""What the path is trusted with until it shows otherwise: more than anybody is let send."""


class ReceiveBitrate:
    """The limit told by REMB, in bits per second; `now` in monotonic seconds.

    It is the lesser of what the path carries and of `most`, what the debater's pictures are worth;
    `most` may change at any time, and then holds with the next report.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._path = float(_CEILING)
        self._began: float | None = None
        self._reported = 0.0
        self._grown = 0.0
        self._decreased = 0.0
        self._window_start = 0.0
        self._window_bytes = 0
        self._throughput = 0.0

    @property
    def limit(self) -> int:
        """What the sender was or will be told."""
        return int(min(self._path, self.most))

    def update(self, size: int, now: float, *, overusing: bool) -> int | None:
        """Take one packet of `size` bytes; returns the limit when it is time to report it."""
        if self._began is None:
            self._began = self._grown = self._window_start = now
        self._measure(size, now)
        if overusing:
            self._grown = now
            if now - self._decreased >= _DECREASE_PAUSE:
                return self._decrease(now)
        else:
            self._path = min(_CEILING, self._path * (1 + _GROWTH * min(1.0, now - self._grown)))
            self._grown = now
        repeat = _EARLY_REPEAT if now - self._began < _EARLY_UNTIL else _REPEAT
        if now - self._reported < repeat:
            return None
        self._reported = now
        return self.limit

    def _measure(self, size: int, now: float) -> None:
        self._window_bytes += size
        elapsed = now - self._window_start
        if elapsed >= 0.5:
            self._throughput = self._window_bytes * 8 / elapsed
            self._window_start, self._window_bytes = now, 0

    def _decrease(self, now: float) -> int:
        lowered = max(_DECREASE * self._throughput, _STEEPEST * self.limit, _FLOOR)
        self._path = min(self._path, lowered)
        self._decreased = self._reported = now
        return self.limit
