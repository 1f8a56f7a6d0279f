"""Which packets are missing, and when to ask for each again."""

from dataclasses import dataclass
from typing import Final

MIN_REPEAT: Final = 0.04
MAX_TRIES: Final = 10
_MAX_PER_REPORT: Final = 120
"""What fits one RTCP packet with room to spare: 120 lone numbers are 480 bytes."""


@dataclass(slots=True)
class _Gap:
    since: float
    ask_at: float
    tries: int = 0


class MissingPackets:
    """Unwrapped sequence numbers that should have come. Pure; `now` in monotonic seconds.

    Each is asked for at once, then every max(40 ms, 1.2 round trips), ten times at most: a repeat
    sooner than a round trip asks for what is already on its way.
    """

    def __init__(self) -> None:
        self._gaps: dict[int, _Gap] = {}

    def note(self, first: int, end: int, now: float) -> None:
        """Mark numbers from `first` up to but not including `end`."""
        for number in range(first, end):
            self._gaps[number] = _Gap(since=now, ask_at=now)

    def found(self, number: int) -> None:
        """Forget a number that has come."""
        self._gaps.pop(number, None)

    def forget_before(self, number: int) -> int:
        """Give up everything below `number`; returns how many that were."""
        old = [gap for gap in self._gaps if gap < number]
        for gap in old:
            del self._gaps[gap]
        return len(old)

    def clear(self) -> None:
        """Give up everything."""
        self._gaps.clear()

    def age(self, number: int, now: float) -> float | None:
        """Seconds since `number` was found missing; None if it is not."""
        gap = self._gaps.get(number)
        return None if gap is None else now - gap.since

    def due(self, now: float, round_trip: float) -> list[int]:
        """Numbers to ask for now, in order. Counts as asked."""
        asked: list[int] = []
        for number, gap in self._gaps.items():
            if gap.ask_at <= now and gap.tries < MAX_TRIES:
                gap.tries += 1
                gap.ask_at = now + max(MIN_REPEAT, 1.2 * round_trip)
                asked.append(number)
                if len(asked) == _MAX_PER_REPORT:
                    break
        return sorted(asked)

    def __len__(self) -> int:
        return len(self._gaps)
