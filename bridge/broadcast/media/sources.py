"""Where the programme finds each debater's newest picture and his sound."""

from dataclasses import dataclass
from enum import StrEnum
from threading import Lock
from typing import Final

import av

from bridge.broadcast.media.frames import Samples, SourceFrame
from bridge.broadcast.media.playout import Playout

FROZEN_AFTER: Final = 1.0
"""Seconds without a new picture after which the held one counts as frozen."""
ABSENT_AFTER: Final = 3.0
"""Seconds without a new picture after which the slate is shown instead."""


class SourceStatus(StrEnum):
    """What a source can show."""

    LIVE = "live"
    FROZEN = "frozen"
    """No new picture for a second: the last one is held."""
    ABSENT = "absent"
    """Nothing for three seconds, or never anything, or the debater left."""
    CAMERA_OFF = "camera_off"
    """He said so. Pictures that browsers send meanwhile are black and not shown."""


@dataclass(frozen=True, slots=True)
class SourceView:
    """What to show of a source in one tick."""

    status: SourceStatus
    picture: av.VideoFrame | None = None
    """Present exactly when the status is LIVE or FROZEN."""


class VideoSource:
    """A mailbox with one slot between a decoder thread and the programme thread.

    Bound: one picture. Overflow: overwrite. The decoder paces: it puts a picture when it is due.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._lock = Lock()
        self._newest: SourceFrame | None = None
        self._cleared = SourceStatus.ABSENT
        self._camera_off = False
        self.received = 0
        """Pictures put."""

    def put(self, picture: av.VideoFrame, now: float) -> None:
        """Show `picture` (yuv420p, any size) from now on. Any one thread."""
        with self._lock:
            self.received += 1
            if not self._camera_off:
                self._newest = SourceFrame(picture, now)

    def clear(self, status: SourceStatus) -> None:
        """Drop the picture: the slate for ABSENT or CAMERA_OFF comes with the next tick.

        After ABSENT the next picture is shown again; after CAMERA_OFF only when `set_status` has
        said LIVE. Any thread.
        """
        with self._lock:
            self._newest = None
            self._cleared = status
            self._camera_off = status is SourceStatus.CAMERA_OFF

    def set_status(self, status: SourceStatus) -> None:
        """Say what the debater does: LIVE lets pictures through, the slates are as `clear`.

        The slate stays until the first picture. Any thread.
        """
        if status in {SourceStatus.ABSENT, SourceStatus.CAMERA_OFF}:
            self.clear(status)
            return
        with self._lock:
            self._camera_off = False

    def current(self, now: float) -> SourceView:
        """Return what to show at `now`. Programme thread."""
        with self._lock:
            if self._newest is None:
                return SourceView(self._cleared)
            age = now - self._newest.due
            if age >= ABSENT_AFTER:
                self._newest, self._cleared = None, SourceStatus.ABSENT
                return SourceView(SourceStatus.ABSENT)
            status = SourceStatus.FROZEN if age >= FROZEN_AFTER else SourceStatus.LIVE
            return SourceView(status, self._newest.picture)


class AudioSource:
    """Sound of one debater between his decoder thread and the programme thread.

    What is written with a due time is read by time: continuous, with silence where nothing is.
    See `Playout` for how time errors, holes and late samples are treated.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._lock = Lock()
        self._playout = Playout()

    def write(self, due: float, samples: Samples) -> None:
        """Queue samples whose first is to be heard at `due` (monotonic seconds, delay included).

        Decoder thread. Never blocks for longer than one read takes.
        """
        with self._lock:
            self._playout.write(due, samples)

    def read(self, start: float, count: int) -> Samples:
        """Return the sound of [start, start + count / 48000). Programme thread, in order."""
        with self._lock:
            return self._playout.read(start, count)

    def clear(self) -> None:
        """Forget what is queued: the debater left, or comes back with another clock."""
        with self._lock:
            self._playout.clear()

    @property
    def dropped(self) -> int:
        """Samples thrown away because two seconds were queued already."""
        return self._playout.dropped

    @property
    def late(self) -> int:
        """Samples thrown away because they came more than 200 ms too late."""
        return self._playout.late

    @property
    def jumps(self) -> int:
        """How often the time error was too large for slow correction."""
        return self._playout.jumps
