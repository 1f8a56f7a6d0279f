"""How far behind arrival everybody is shown: as little as the networks allow. Pure.

A packet that is asked for again comes a round trip later, and all pictures behind it wait for it.
Sound is not asked for again. With a delay shorter than the repair takes, lips would run behind;
with one that fits the worst network, everybody would be late. So the delay follows what frames
really need, and it is one for both debaters: an answer never comes before its question.
"""

from collections import deque
from typing import Final

_WINDOW: Final = 15.0
"""Seconds of frames that are looked at; a worse network is remembered for as long."""
_MOST_FRAMES: Final = 900
"""15 s at 60 frames a second."""
_ON_TIME: Final = 0.995
"""Share of a track's frames that is to be there in time, all but one at least. The late ones are
the large ones, where something changes: with 98.5 % every tenth flash was late at 20 % loss."""
_MARGIN: Final = 0.03
"""Seconds for waking the decoder and decoding."""
_RISE: Final = 0.12
"""Seconds per second: what splices take up without a gap in the sound."""
_FALL: Final = 0.02
_JUDGE_EVERY: Final = 0.5
_FEWEST: Final = 10
"""Frames; fewer say nothing about such a share."""


class _Window:
    """How late the frames of one track were, newest last."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, float]] = deque(maxlen=_MOST_FRAMES)

    def add(self, late: float, now: float) -> None:
        self._seen.append((now, late))

    def need(self, now: float) -> float:
        while self._seen and self._seen[0][0] < now - _WINDOW:
            self._seen.popleft()
        if len(self._seen) < _FEWEST:
            return 0.0
        late = sorted(late for _, late in self._seen)
        return late[int((len(late) - 1) * _ON_TIME)] + _MARGIN


class PlayoutDelay:
    """One delay in seconds, between `least` and `most`. Loop-side only, but any thread may read."""

    def __init__(self, least: float, most: float) -> None:
        self.seconds = least
        """The delay now; moves by at most 0.12 s a second."""
        self._least = least
        self._most = max(least, most)
        self._target = least
        self._windows: dict[str, _Window] = {}
        self._judged: float | None = None
        self._moved: float | None = None

    def note(self, track: str, late: float, now: float) -> None:
        """Note that a frame was complete `late` seconds after its undelayed time.

        What was later than any delay would help is left out: it came out of an outage.
        """
        if late <= self._most:
            self._windows.setdefault(track, _Window()).add(late, now)

    def forget(self, prefix: str) -> None:
        """Forget the tracks whose names begin so: the debater left or came back another way."""
        for track in [track for track in self._windows if track.startswith(prefix)]:
            del self._windows[track]

    def update(self, now: float) -> None:
        """Move towards what is needed; call some times a second."""
        if self._judged is None or now - self._judged >= _JUDGE_EVERY:
            self._judged = now
            needs = [window.need(now) for window in self._windows.values()]
            self._target = min(self._most, max(self._least, *needs, 0.0))
        elapsed = 0.0 if self._moved is None else max(0.0, now - self._moved)
        self._moved = now
        error = self._target - self.seconds
        self.seconds += max(-_FALL * elapsed, min(_RISE * elapsed, error))
