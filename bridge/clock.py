"""The two clocks there are, behind one seam so that tests can turn the hands.

Media runs on `monotonic` only: a step of the system's wall clock must never move a picture.
`wall` is for people and for EXT-X-PROGRAM-DATE-TIME.
"""

import time
from dataclasses import dataclass, field
from typing import Protocol


class Clock(Protocol):
    """Reads time in seconds. Callable from any thread."""

    def monotonic(self) -> float:
        """Seconds on a clock that never steps and has no meaning outside this machine."""
        ...

    def wall(self) -> float:
        """Seconds since the Unix epoch."""
        ...


@dataclass(frozen=True, slots=True)
class SystemClock:
    """The machine's own clocks."""

    def monotonic(self) -> float:
        """See `time.monotonic`; shared by all processes of one Linux machine."""
        return time.monotonic()

    def wall(self) -> float:
        """See `time.time`."""
        return time.time()


@dataclass(slots=True)
class FakeClock:
    """A clock that moves only when told. For tests."""

    now: float = 1_000.0
    epoch: float = 1_700_000_000.0
    _start: float = field(init=False)

    def __post_init__(self) -> None:
        self._start = self.now

    def monotonic(self) -> float:
        """Return the hand as last set."""
        return self.now

    def wall(self) -> float:
        """`epoch` plus what has been advanced."""
        return self.epoch + self.now - self._start

    def advance(self, seconds: float) -> None:
        """Move both clocks forward."""
        self.now += seconds
