"""Turns sound that comes in pieces with due times into continuous sound read by time.

Three coordinates: server time (monotonic seconds), the source's own sample positions, where
consecutive writes follow each other and a lost packet leaves a hole, and the samples that are read.
A read walks through positions at a ratio so close to 1 that nobody hears it, towards the position
that the newest due times ask for. That takes up the drift between two crystals (tens of ppm). A
larger error, as when the delay changes, is taken up by leaving out or repeating single periods of
the voice, ten times a second at most (see `splice`).
"""

from collections import deque
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bridge.broadcast.media.frames import Samples
from bridge.broadcast.media.packets import AUDIO_RATE
from bridge.broadcast.media.splice import LEAST_LAG, MOST_LAG, SPLICE, find_lag

_CAPACITY: Final = 2 * AUDIO_RATE
_MAX_LATE: Final = 0.2
"""Seconds by which sound may be played late rather than not at all."""
_LATE_MARGIN: Final = 0.02
"""Seconds of lag added on top, so that a slower network costs one gap in seconds, not ten."""
_LAG_DECAY: Final = 0.02
"""Seconds of lag given back per second, by splices."""
_HOLE: Final = 0.008
"""Due times that are this many seconds ahead of where the last write ended mean lost packets (of
10 ms and more), not a wandering clock, which moves some microseconds per packet."""
_JUMP: Final = 0.08
"""Seconds of error beyond which it is better to jump than to drag on for 16 s."""
_MAX_RATIO: Final = 0.005
_CORRECTION: Final = 2.0
"""Seconds in which an error shrinks to 1/e: 100 ppm of drift stand at 0.2 ms."""
_SMOOTHING: Final = 1.0
"""Seconds over which noise of due times is averaged."""
_DEADBAND: Final = 0.0005
"""Seconds of error that are left alone; samples then pass untouched."""
_SPLICE_FROM: Final = 0.012
"""Seconds of error that are spliced away: less than that the ratio takes up in a few seconds."""
_SPLICE_EVERY: Final = AUDIO_RATE // 20
"""Samples between splices: 20 ms in 50 ms follow a delay that rises by 0.12 s a second."""
_FADE: Final = AUDIO_RATE * 4 // 1000
_MARGIN: Final = 4
"""Samples kept around a window for the cubic's taps."""
_RAMP: Final = np.arange(1, _FADE + 1, dtype=np.float32) / (_FADE + 1)


class _Envelope:
    """Takes the clicks off where sound begins and ends without notice. Carries over reads."""

    def __init__(self) -> None:
        self._risen = 0
        self._fallen = _FADE
        self._last: NDArray[np.float32] = np.zeros((2, 1), np.float32)

    def shape(self, sound: Samples, present: NDArray[np.bool_]) -> None:
        """Fade in where `present` begins; let the last value fall to zero where it ends."""
        edges = np.flatnonzero(present[1:] != present[:-1]) + 1
        bounds = [0, *edges.tolist(), present.size]
        for begin, end in pairwise(bounds):
            if present[begin]:
                self._rise(sound[:, begin:end])
            else:
                self._fall(sound[:, begin:end])

    def _rise(self, run: Samples) -> None:
        length = min(run.shape[1], _FADE - self._risen)
        run[:, :length] *= _RAMP[self._risen : self._risen + length]
        self._risen += length
        self._fallen = 0
        self._last = run[:, -1:].copy()

    def _fall(self, run: Samples) -> None:
        run[:] = 0
        length = min(run.shape[1], _FADE - self._fallen)
        ramp = _RAMP[::-1][self._fallen : self._fallen + length]
        run[:, :length] = self._last * ramp
        self._fallen += length
        self._risen = 0


class Playout:
    """A queue of sound with a place in time. Not thread-safe.

    Bound: 2 s. Overflow: the oldest goes, counted in `dropped`. Sound that comes after its due time
    is played late by as much as it needs, up to 200 ms, and the lag given back slowly; what is
    later still is thrown away, counted in `late`.
    """

    def __init__(self) -> None:
        self.dropped = 0
        self.late = 0
        self.jumps = 0
        self.splices = 0
        self._envelope = _Envelope()
        self._heard_until = -np.inf
        self.clear()

    def clear(self) -> None:
        """Forget what is queued and the source's clock; fades out by itself."""
        self._blocks: deque[tuple[int, Samples]] = deque()
        self._queued = 0
        self._end = 0
        self._placed = False
        self._origin = 0.0
        self._lag = 0.0
        self._position: float | None = None
        self._since_splice = 0

    def write(self, due: float, samples: Samples) -> None:
        """Queue samples whose first is due at `due`."""
        count = samples.shape[1]
        if count == 0:
            return
        due += self._lag
        lateness = self._heard_until - due
        if lateness > _MAX_LATE - self._lag:
            self.late += count
            return
        if lateness > 0:
            more = min(lateness + _LATE_MARGIN, _MAX_LATE - self._lag)
            self._lag += more
            due += more
        self._place(due, count)
        self._lag = max(0.0, self._lag - _LAG_DECAY * count / AUDIO_RATE)
        self._blocks.append((self._end, samples))
        self._end += count
        self._queued += count
        while self._queued > _CAPACITY:
            self.dropped += self._drop_oldest()

    def _place(self, due: float, count: int) -> None:
        """Settle at which position the next samples go, and how positions map to time."""
        gap = due - self._end / AUDIO_RATE - self._origin
        if not self._placed or gap < -_JUMP:
            self._origin += gap
        elif gap >= _HOLE:
            self._end += round(gap * AUDIO_RATE)
        else:
            self._origin += gap * min(1.0, count / AUDIO_RATE / _SMOOTHING)
        self._placed = True

    def read(self, start: float, count: int) -> Samples:
        """Return the sound of [start, start + count / 48000)."""
        self._heard_until = start + count / AUDIO_RATE
        if not self._placed:
            silence = np.zeros((2, count), np.float32)
            self._envelope.shape(silence, np.zeros(count, np.bool_))
            return silence
        wanted = (start - self._origin) * AUDIO_RATE
        position = self._position
        error = 0.0 if position is None else wanted - position
        if position is None or abs(error) > _JUMP * AUDIO_RATE:
            sound, present = self._jump(position, round(wanted), count)
        elif (lag := self._lag_to(position, error, count)) is not None:
            sound, present = self._splice(position, lag, count)
        else:
            ratio = 1.0 + _correction(error / AUDIO_RATE)
            sound, present = self._render(position, ratio, count)
            self._position = position + ratio * count
        self._envelope.shape(sound, present)
        self._forget()
        return sound

    def _lag_to(self, position: float, error: float, count: int) -> int | None:
        """How many samples to leave out (or to repeat, below 0) now; None: not here."""
        self._since_splice += count
        reach = min(int(abs(error)), MOST_LAG)
        if abs(error) < _SPLICE_FROM * AUDIO_RATE or self._since_splice < _SPLICE_EVERY:
            return None
        if count < SPLICE:
            return None
        here = round(position)
        begin = here + LEAST_LAG if error > 0 else here - reach
        sound, present = self._window(begin, reach - LEAST_LAG + SPLICE)
        own, own_present = self._window(here, SPLICE)
        if not (present.all() and own_present.all()):
            return None
        found = find_lag(own.mean(axis=0), sound.mean(axis=0), backwards=error < 0)
        return None if found is None else begin + found - here

    def _splice(self, position: float, lag: int, count: int) -> tuple[Samples, NDArray[np.bool_]]:
        """Go over to the like place `lag` samples away."""
        self.splices += 1
        self._since_splice = 0
        sound, present = self._render(position + lag, 1.0, count)
        old, _ = self._render(position, 1.0, SPLICE)
        ramp = np.linspace(0, 1, SPLICE, dtype=np.float32)
        sound[:, :SPLICE] = sound[:, :SPLICE] * ramp + old * (1 - ramp)
        self._position = position + lag + count
        return sound, present

    def _jump(
        self, before: float | None, after: int, count: int
    ) -> tuple[Samples, NDArray[np.bool_]]:
        """Go on from another position, with a short cross-fade."""
        sound, present = self._render(after, 1.0, count)
        self._position = float(after + count)
        if before is not None:
            self.jumps += 1
            length = min(_FADE, count)
            old, was_present = self._render(before, 1.0, length)
            ramp = _RAMP[:length]
            sound[:, :length] = sound[:, :length] * ramp + old * (1 - ramp)
            present[:length] |= was_present
        return sound, present

    def _render(
        self, position: float, ratio: float, count: int
    ) -> tuple[Samples, NDArray[np.bool_]]:
        """Read `count` samples from `position` in steps of `ratio`, and which of them exist."""
        first = int(np.floor(position))
        if ratio == 1.0 and position == first:
            return self._window(first, count)
        steps = position - first + ratio * np.arange(count)
        index = steps.astype(np.intp)
        window, present = self._window(first - 1, int(index[-1]) + _MARGIN)
        return _interpolate(window, index, (steps - index).astype(np.float32)), present[index + 1]

    def _window(self, first: int, count: int) -> tuple[Samples, NDArray[np.bool_]]:
        """Copy positions [first, first + count); zeros where there is nothing."""
        sound = np.zeros((2, count), np.float32)
        present = np.zeros(count, np.bool_)
        for position, samples in self._blocks:
            begin = max(0, position - first)
            end = min(count, position + samples.shape[1] - first)
            if begin < end:
                offset = first - position
                sound[:, begin:end] = samples[:, begin + offset : end + offset]
                present[begin:end] = True
        return sound, present

    def _forget(self) -> None:
        """Drop what has been read, but for what may be repeated."""
        while self._blocks and self._position is not None:
            position, samples = self._blocks[0]
            if position + samples.shape[1] > self._position - _MARGIN - MOST_LAG:
                return
            self._drop_oldest()

    def _drop_oldest(self) -> int:
        _, samples = self._blocks.popleft()
        count: int = samples.shape[1]
        self._queued -= count
        return count


def _correction(error: float) -> float:
    """How much faster than 1 to read for `error` seconds of being behind."""
    if abs(error) < _DEADBAND:
        return 0.0
    return float(np.clip(error / _CORRECTION, -_MAX_RATIO, _MAX_RATIO))


def _interpolate(
    window: Samples, index: NDArray[np.intp], fraction: NDArray[np.float32]
) -> Samples:
    """Catmull-Rom through four neighbours; `index` counts from the window's second sample."""
    a, b, c, d = (window[:, index + tap] for tap in range(4))
    return b + 0.5 * fraction * (
        c - a + fraction * (2 * a - 5 * b + 4 * c - d + fraction * (3 * (b - c) + d - a))
    )
