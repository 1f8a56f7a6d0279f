"""How often one connection may ask."""

from dataclasses import dataclass

from bridge.clock import Clock


@dataclass(slots=True)
class TokenBucket:
    """Allows `burst` at once and `per_second` in the long run. Loop-side only."""

    clock: Clock
    per_second: float
    burst: float
    _level: float = -1.0
    _last: float = 0.0

    def take(self) -> bool:
        """Whether one more is allowed now."""
        now = self.clock.monotonic()
        if self._level < 0:
            self._level, self._last = self.burst, now
        self._level = min(self.burst, self._level + (now - self._last) * self.per_second)
        self._last = now
        if self._level < 1:
            return False
        self._level -= 1
        return True
