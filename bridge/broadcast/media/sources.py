"""Where the programme finds each debater's newest picture and his sound."""

from dataclasses import dataclass
from enum import StrEnum
from math import inf
from threading import Lock
from typing import Final, Protocol

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
    """No new picture for a second: the last one is held, and marked."""
    RECONNECTING = "reconnecting"
    """The debater is in the room, but nothing came for three seconds, or nothing yet."""
    ABSENT = "absent"
    """The debater is not in the room, or shares no screen."""
    CAMERA_OFF = "camera_off"
    """He said so. Pictures that browsers send meanwhile are black and not shown."""


@dataclass(frozen=True, slots=True)
class SourceView:
    """What to show of a source in one tick."""

    status: SourceStatus
    picture: av.VideoFrame | None = None
    """Present exactly when the status is LIVE or FROZEN."""
    muted: bool = False
    """The debater has switched his microphone off."""


class VideoSource:
    """A mailbox with one slot between a decoder thread and the programme thread.

    Bound: one picture. Overflow: overwrite. The decoder paces: it puts a picture when it is due.
    It is closed, and drops what is put, until `expect` and after `clear`.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._lock = Lock()
        self._newest: SourceFrame | None = None
        self._without = SourceStatus.ABSENT
        """What is shown while there is no picture; RECONNECTING exactly when open."""
        self._fresh_until = -inf
        self._muted = False
        self.received = 0
        """Pictures put."""

    def put(self, picture: av.VideoFrame, now: float) -> None:
        """Show `picture` (yuv420p, any size) from now on. Any one thread."""
        with self._lock:
            self.received += 1
            if self._without is SourceStatus.RECONNECTING:
                self._newest = SourceFrame(picture, now)

    def expect(self) -> None:
        """Let pictures through: RECONNECTING until the first. Idempotent. Any thread."""
        with self._lock:
            self._without = SourceStatus.RECONNECTING

    def clear(self, status: SourceStatus) -> None:
        """Drop the picture, and all that come until `expect`; `status`: ABSENT or CAMERA_OFF.

        Late pictures are on their way for as long as the playout delay. Any thread.
        """
        with self._lock:
            self._newest = None
            self._without = status
            if status is SourceStatus.ABSENT:
                self._muted = False

    def mark_muted(self, *, muted: bool) -> None:
        """Say whether the microphone that belongs to this camera is off. Any thread."""
        with self._lock:
            self._muted = muted

    def keep_fresh(self, until: float) -> None:
        """Let the held picture count as new up to `until` (monotonic seconds, may be `inf`).

        For screens: browsers send nothing while nothing changes there. Any thread.
        """
        with self._lock:
            self._fresh_until = until

    def current(self, now: float) -> SourceView:
        """Return what to show at `now`. Programme thread."""
        with self._lock:
            if self._newest is not None:
                age = now - max(self._newest.due, self._fresh_until)
                if age < ABSENT_AFTER:
                    status = SourceStatus.FROZEN if age >= FROZEN_AFTER else SourceStatus.LIVE
                    return SourceView(status, self._newest.picture, self._muted)
                self._newest = None
            return SourceView(self._without, None, self._muted)


class Delay(Protocol):
    """How far behind its own time a source is shown and heard."""

    @property
    def seconds(self) -> float:
        """The delay now. Any thread."""
        ...


@dataclass(frozen=True, slots=True)
class FixedDelay:
    """A delay that stays."""

    seconds: float


class AudioSource:
    """Sound of one debater between his decoder thread and the programme thread.

    What is written with a time is read `delay` later: continuous, with silence where nothing is.
    See `Playout` for how time errors, holes and late samples are treated.
    """

    def __init__(self, name: str, delay: Delay = FixedDelay(0.0)) -> None:
        self.name = name
        self._delay = delay
        self._lock = Lock()
        self._playout = Playout()

    def write(self, due: float, samples: Samples) -> None:
        """Queue samples whose first would be heard at `due` (monotonic seconds) without delay.

        Decoder thread. Never blocks for longer than one read takes.
        """
        with self._lock:
            self._playout.write(due, samples)

    def read(self, start: float, count: int) -> Samples:
        """Return the sound of [start, start + count / 48000). Programme thread, in order."""
        with self._lock:
            return self._playout.read(start - self._delay.seconds, count)

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
        """How often the time error was too large for any correction."""
        return self._playout.jumps

    @property
    def splices(self) -> int:
        """How often a period of the voice was left out or repeated."""
        return self._playout.splices
