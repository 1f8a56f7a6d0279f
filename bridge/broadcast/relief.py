"""What is given up when the machine is too slow, step by step, and when it is taken back. Pure.

Skipped pictures are seen by everybody, so something that fewer notice goes first. A step counts for
nothing while nobody knows whether the one before was enough, and what was given up is taken back
late: a picture that changes its quality every half minute is worse than one a little softer.
"""

from collections import deque
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

REDUCED_FPS: Final = 24
"""How often a source's picture is refreshed at most, from `FEWER_PICTURES` on."""
REDUCED_SIZE: Final = 0.75
"""Of the lengths that senders are asked for, from `SMALLER_PICTURES` on: 540 lines for 720."""

_EVERY: Final = 0.9
"""Seconds at least between two looks: who is called once a second is called a little early too."""
_LATE: Final = 0.2
"""Share of a second's ticks. Now and then a scheduler takes 50 ms, which is two of them."""
_FULL: Final = 0.9
"""Of the frame period, for composing and encoding together: they share processors with decoders."""
_CALM_LATE, _CALM_FULL = 0.05, 0.8
"""What is neither calm nor bad changes nothing."""
_LOOKS, _BAD_LOOKS = 3, 2
"""Two bad seconds of three: one alone is a stumble, which no relief undoes; and a machine that
skips in every other second is no better than one that does so in each."""
_AVERAGES_SETTLE: Final = 5.0
"""Seconds until the times, means over some 90 ticks, tell what a change has brought."""
_LEAST_WAIT, _MOST_WAIT = 20.0, 640.0
"""Seconds of calm before a level is left."""
_SOON: Final = 60.0
"""Seconds. A level that is needed again so soon had better not been left."""


class ReliefLevel(IntEnum):
    """How much is given up. Each level includes those before it."""

    NONE = 0
    FEWER_REDRAWS = 1
    """Artwork is redrawn less often."""
    QUICKER_ENCODER = 2
    """`VideoEncoder.hurry`: from the next segment on."""
    FEWER_PICTURES = 3
    """Pictures of sources are refreshed `REDUCED_FPS` times a second."""
    SMALLER_PICTURES = 4
    """Senders are asked for `REDUCED_SIZE` of what their tiles show; it is scaled up here."""


_GIVEN_UP: Final = {
    ReliefLevel.FEWER_REDRAWS: "artwork is redrawn less often",
    ReliefLevel.QUICKER_ENCODER: "the encoder hurries",
    ReliefLevel.FEWER_PICTURES: f"pictures are refreshed {REDUCED_FPS} times a second",
    ReliefLevel.SMALLER_PICTURES: "senders are asked for smaller pictures",
}
_TAKEN_BACK: Final = {
    ReliefLevel.FEWER_REDRAWS: "artwork is redrawn as it changes",
    ReliefLevel.QUICKER_ENCODER: "the encoder takes its time",
    ReliefLevel.FEWER_PICTURES: "every picture is shown",
    ReliefLevel.SMALLER_PICTURES: "senders are asked for whole pictures",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Counters:
    """What `ProgrammeStats` tells: counts since the beginning, and means of the last seconds."""

    ticks: int
    """Pictures composed."""
    skipped: int
    """Pictures missing on the grid."""
    late: int
    """Ticks that began late."""
    compose_ms: float
    encode_ms: float


@dataclass(frozen=True, slots=True)
class ReliefChange:
    """The level from now on."""

    level: ReliefLevel
    sentence: str
    """Why, and what it means; for the log and the host."""


@dataclass(frozen=True, slots=True)
class _Look:
    """One second of the programme."""

    skipped: int
    late: float
    """Share of the ticks."""
    full: float
    """Share of the frame period that composing and encoding take."""

    @property
    def calm(self) -> bool:
        return not self.skipped and self.late <= _CALM_LATE and self.full <= _CALM_FULL

    def trouble(self, *, settled: bool) -> str:
        """Say what is wrong; "" when nothing is."""
        if self.skipped:
            return f"{self.skipped} {'picture' if self.skipped == 1 else 'pictures'} skipped"
        if self.late > _LATE:
            return f"{self.late:.0%} of the ticks late"
        if settled and self.full > _FULL:
            return f"composing and encoding take {self.full:.0%} of a frame"
        return ""


class Relief:
    """Decides the level once a second. One thread; any may read `level`."""

    def __init__(
        self, *, frame_seconds: float, segment_seconds: float = 2.0, can_hurry: bool = True
    ) -> None:
        self.level = ReliefLevel.NONE
        self._frame_ms = frame_seconds * 1000
        self._segment_seconds = segment_seconds
        hurries = ReliefLevel.QUICKER_ENCODER
        self._levels = [level for level in ReliefLevel if can_hurry or level is not hurries]
        self._before: tuple[float, Counters] | None = None
        self._bad: deque[bool] = deque(maxlen=_LOOKS)
        self._changed_at = float("-inf")
        self._judged_from = float("-inf")
        self._calm_since: float | None = None
        self._wait = dict.fromkeys(ReliefLevel, _LEAST_WAIT)
        self._left_at: dict[ReliefLevel, float] = {}

    def look(self, counters: Counters, now: float) -> ReliefChange | None:
        """Return the change that is due at `now` (monotonic seconds), if any.

        Call once a second. What comes sooner after the last call is not looked at.
        """
        if self._before is not None and now - self._before[0] < _EVERY:
            return None
        before, self._before = self._before, (now, counters)
        if before is None:
            return None
        look = self._compared(before[1], counters)
        trouble = look.trouble(settled=now - self._changed_at >= _AVERAGES_SETTLE)
        # A second that began before the last change took effect tells nothing about it.
        if before[0] >= self._judged_from:
            self._bad.append(bool(trouble))
        if not look.calm:
            self._calm_since = None
        elif self._calm_since is None:
            self._calm_since = before[0]
        if trouble and sum(self._bad) >= _BAD_LOOKS:
            return self._give_up(trouble, now)
        return self._take_back(now)

    def _compared(self, before: Counters, after: Counters) -> _Look:
        skipped = after.skipped - before.skipped
        grid = max(1, after.ticks - before.ticks + skipped)
        return _Look(
            skipped=skipped,
            late=(after.late - before.late) / grid,
            full=(after.compose_ms + after.encode_ms) / self._frame_ms,
        )

    def _give_up(self, trouble: str, now: float) -> ReliefChange | None:
        further = [level for level in self._levels if level > self.level]
        if not further:
            return None
        level = further[0]
        left = now - self._left_at.get(level, float("-inf"))
        wait = self._wait[level]
        soon = left < max(_SOON, wait)
        self._wait[level] = min(2 * wait, _MOST_WAIT) if soon else _LEAST_WAIT
        self._change(level, now)
        if level is ReliefLevel.QUICKER_ENCODER:
            self._judged_from += self._segment_seconds
        return self._told(f"{trouble}: {_GIVEN_UP[level]}")

    def _take_back(self, now: float) -> ReliefChange | None:
        left = self.level
        if left is ReliefLevel.NONE or self._calm_since is None:
            return None
        calm = now - max(self._calm_since, self._changed_at)
        if calm < self._wait[left]:
            return None
        self._left_at[left] = now
        self._change(self._levels[self._levels.index(left) - 1], now)
        return self._told(f"calm for {calm:.0f} s: {_TAKEN_BACK[left]}")

    def _change(self, level: ReliefLevel, now: float) -> None:
        self.level = level
        self._changed_at = self._judged_from = now
        self._bad.clear()

    def _told(self, reason: str) -> ReliefChange:
        sentence = f"{reason} from now on (relief {int(self.level)} of {int(max(ReliefLevel))})"
        return ReliefChange(self.level, sentence)
