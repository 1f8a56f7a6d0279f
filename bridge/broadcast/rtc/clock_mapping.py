"""When a debater's frames would be due on our clock, undelayed. Pure; one mapping per debater.

RTP timestamps of each track count from a zero of their own. Two things relate them to us:

- *arrival*: the windowed minimum of (arrival - timestamp) is the track's zero on our clock plus
  the shortest delay seen. It needs no help from the sender and is all there is at first.
- *sender reports*: they relate each track to the sender's wall clock, and so the tracks to each
  other: exact lip sync, whatever the encoders' delays.

One track, the sound if there is any, is the reference: its zero follows its own arrivals, slewed so
slowly that nobody hears it. The other tracks stand where the reports put them beside it. A report
that disagrees with the arrivals by more than encoders can explain is not believed (a constant
318 ms error was seen in the field, notes/aiortc.md 1); that track then goes by its arrivals.
"""

from collections import deque
from statistics import median
from typing import Final

from bridge.broadcast.rtc.playout_delay import PlayoutDelay

WINDOW: Final = 10.0
"""Seconds over which the shortest delay is looked for."""
SLEW: Final = 0.005
"""Seconds per second; fifty times the drift of bad crystals, and no audible change of pitch."""
PLAUSIBLE: Final = 0.25
"""Seconds by which encoders of one browser may differ in delay."""
_JUMP: Final = 0.5
"""An error this large is a change of clock or of path, not of drift."""
_SETTLING: Final = 1.0
"""Seconds in which a new track follows at once: its first packets came in a burst."""
_RESCUE: Final = 1.5
"""Seconds of nothing but late frames after which waiting for the window would lose more."""
_BUCKETS: Final = 10
_REPORTS: Final = 5


class _WindowedMinimum:
    """Minimum of the last `window` seconds, in a tenth's steps; twenty floats at most."""

    def __init__(self, window: float) -> None:
        self._step = window / _BUCKETS
        self._buckets: deque[tuple[float, float]] = deque(maxlen=_BUCKETS)
        """Start and minimum of each step."""

    def add(self, value: float, now: float) -> None:
        if self._buckets and now < self._buckets[-1][0] + self._step:
            start, least = self._buckets[-1]
            self._buckets[-1] = (start, min(least, value))
        else:
            self._buckets.append((now, value))
        while self._buckets[0][0] <= now - self._step * _BUCKETS:
            self._buckets.popleft()

    @property
    def least(self) -> float:
        return min(least for _, least in self._buckets)


class _Track:
    """One track's zero: the moment on our clock at which its timestamp 0 would be due undelayed."""

    def __init__(self, rate: int, now: float, sample: float) -> None:
        self.rate = rate
        self.zero = sample
        self.seen = now
        self._began = now
        self._window = _WindowedMinimum(WINDOW)
        self._recent = _WindowedMinimum(_RESCUE)
        self._reports: deque[float] = deque(maxlen=_REPORTS)

    def sample(self, value: float, now: float) -> None:
        """Note one (arrival - timestamp)."""
        self._window.add(value, now)
        self._recent.add(value, now)

    @property
    def arrival(self) -> float:
        """The zero by arrivals alone."""
        return self._window.least

    @property
    def recent(self) -> float:
        """The same over the last second and a half."""
        return self._recent.least

    def report(self, relation: float) -> None:
        """Note one (sender time - timestamp); a step of the sender's clock forgets the others."""
        if self._reports and abs(relation - self._reports[-1]) > PLAUSIBLE:
            self._reports.clear()
        self._reports.append(relation)

    @property
    def relation(self) -> float | None:
        """Sender time at timestamp 0; the median, because some senders stamp when they send."""
        return median(self._reports) if self._reports else None

    def settling(self, now: float) -> bool:
        return now - self._began < _SETTLING


class ClockMapping:
    """Maps a debater's RTP timestamps to our monotonic clock. One thread at a time.

    `tracks` are in order of preference as the reference. All times are in seconds, timestamps are
    unwrapped and in the track's clock rate.
    """

    def __init__(self, delay: PlayoutDelay, tracks: tuple[str, ...]) -> None:
        self._delay = delay
        self._order = tracks
        self._tracks: dict[str, _Track] = {}

    def arrived(self, kind: str, timestamp: int, rate: int, arrival: float) -> None:
        """Note that a frame has come; call for each, before `due`."""
        sample = arrival - timestamp / rate
        track = self._tracks.get(kind)
        if track is None or abs(sample - track.arrival) > WINDOW:
            # New, or its timestamps jumped: whatever is known about it is about other numbers.
            track = self._tracks[kind] = _Track(rate, arrival, sample)
        elapsed = max(0.0, arrival - track.seen)
        track.seen = max(track.seen, arrival)
        track.sample(sample, arrival)
        reference = self._reference(arrival)
        beside = None if reference is track else self._beside(track, reference)
        if beside is None:
            self._follow(track, track.arrival, arrival, elapsed)
        else:
            track.zero = beside

    def report(self, kind: str, ntp: float, timestamp: int) -> None:
        """Note a sender report of a track that frames have come of."""
        track = self._tracks.get(kind)
        if track is not None:
            track.report(ntp - timestamp / track.rate)

    def due(self, kind: str, timestamp: int) -> float:
        """Moment to show or hear the frame, without delay. KeyError before any has `arrived`."""
        track = self._tracks[kind]
        return track.zero + timestamp / track.rate

    def restart(self, kind: str) -> None:
        """Forget a track: its timestamps begin anew."""
        self._tracks.pop(kind, None)

    def believed(self, kind: str) -> bool:
        """Whether the track stands where the sender's reports put it."""
        track = self._tracks.get(kind)
        if track is None:
            return False
        reference = self._reference(track.seen)
        if reference is track:
            return track.relation is not None
        return self._beside(track, reference) is not None

    def delay(self, kind: str, now: float) -> float | None:
        """How much later than its shortest way this track is due."""
        track = self._tracks.get(kind)
        if track is None or now - track.seen > WINDOW:
            return None
        return track.zero - track.arrival

    def _reference(self, now: float) -> _Track | None:
        for kind in self._order:
            track = self._tracks.get(kind)
            if track is not None and now - track.seen < WINDOW:
                return track
        return None

    @staticmethod
    def _beside(track: _Track, reference: _Track | None) -> float | None:
        """Zero of `track` by the reports, beside the reference; None if they cannot be believed."""
        if reference is None or track.relation is None or reference.relation is None:
            return None
        apart = track.relation - reference.relation
        if abs(track.arrival - reference.arrival - apart) > PLAUSIBLE:
            return None
        return reference.zero + apart

    def _follow(self, track: _Track, target: float, now: float, elapsed: float) -> None:
        error = target - track.zero
        if track.settling(now) or abs(error) > _JUMP:
            track.zero = target
        elif track.recent - track.zero > self._delay.seconds:
            track.zero = track.recent
        else:
            most = SLEW * elapsed
            track.zero += max(-most, min(most, error))
