"""Where a track's frames stand on the programme's timeline. Pure."""

from typing import Final

_MOST_DRIFT: Final = 0.01
"""Seconds by which steps of the sender's clock may leave where the programme plays the frame: half
of the 20 ms within which the tracks are to line up, the rest being the programme's own playout."""
_TICK: Final = 0.0001


class Placement:
    """One track's times, which never go back.

    Sound goes in the sender's own steps, so that it is without seams, and is set anew when it has
    drifted from the programme, or its timestamps began anew. A picture stands where it is shown.
    """

    def __init__(self, *, steps: bool) -> None:
        self._steps = steps
        self._anchor: tuple[int, float] | None = None
        self._last: float | None = None

    def place(self, timestamp: int, rate: int, shown: float) -> float:
        """Return the frame's time; `shown`: when the programme plays it, in seconds of it."""
        time = shown
        if self._steps and self._anchor is not None:
            anchor, anchored = self._anchor
            stepped = anchored + (timestamp - anchor) / rate
            if abs(stepped - shown) <= _MOST_DRIFT:
                time = stepped
            else:
                self._anchor = (timestamp, shown)
        else:
            self._anchor = (timestamp, shown)
        if self._last is not None:
            time = max(time, self._last + _TICK)
        self._last = time
        return time
