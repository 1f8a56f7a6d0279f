"""How long to wait before the next try."""

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """Exponential pause with full jitter (AWS Architecture Blog, 2015), in seconds."""

    first: float = 0.5
    most: float = 30.0

    def pause(self, attempt: int, rng: random.Random) -> float:
        """Pause before try number `attempt` (0 = the first retry); at least a tenth of `first`."""
        ceiling = min(self.most, self.first * 2 ** min(attempt, 16))
        return max(self.first / 10, rng.uniform(0, ceiling))
