"""The other debater, who must not notice anything."""

import time
from itertools import pairwise

import av

from tests.ingest import Seat
from tests.rtc import Pictures

_MAX_GAP = 1.0
_MAX_STARVED_GAP = 10.0


class _Timed(Pictures):
    """Also notes the processor time that this process had used when each picture was shown."""

    def __init__(self) -> None:
        super().__init__()
        self.worked: list[float] = []

    def put(self, picture: av.VideoFrame, now: float) -> None:
        self.worked.append(time.process_time())
        super().put(picture, now)


class Witness(Seat):
    """A seat that says whether its pictures kept coming.

    A gap counts in processor time: what others do on the same machine is not our fault.
    """

    def __init__(self, side: str) -> None:
        self._timed = _Timed()
        super().__init__(side, camera=self._timed)

    def check(self, what: str) -> None:
        """Fail with `what` if no new picture was shown for more than a second."""
        worked = self._timed.worked
        gap = max(after - before for before, after in pairwise(worked))
        assert gap < _MAX_GAP, f"{what}: no picture in {gap:.1f} s of work"
        assert self.longest_gap < _MAX_STARVED_GAP, what
