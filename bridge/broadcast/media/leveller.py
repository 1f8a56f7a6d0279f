"""Slow gains: each side to the same loudness, and the sum of them to that of the programme.

Both look at 100 ms at a time, move only while somebody speaks, and never faster than a hand on a
fader would. What they change within a word is a fraction of a dB.
"""

from collections import deque
from collections.abc import Sequence
from typing import Final

from bridge.broadcast.media.loudness import (
    STEPS_PER_SECOND,
    energy_at,
    loudness,
    mean,
)

SIDE_TARGET: Final = -18.0
"""LUFS of a side that speaks."""
PROGRAMME_TARGET: Final = -16.0
"""LUFS, integrated."""
_ABSOLUTE_GATE: Final = -48.0
"""LUFS below which nothing counts as a voice."""
_SURELY_VOICE: Final = -40.0
"""LUFS that count as a voice while the background is not known yet."""
_RELATIVE_GATE: Final = 10 ** (-10 / 10)
_ABOVE_BACKGROUND: Final = 10 ** (6 / 10)
"""A steady hiss or hum stays within 1 dB of its own minimum; people pause every few seconds."""
_BACKGROUND: Final = 10 * STEPS_PER_SECOND
"""Steps with a microphone, the quietest of which is taken for the background."""
_KNOWN_AFTER: Final = STEPS_PER_SECOND
_NOBODY: Final = energy_at(-90.0)
"""What is quieter is no microphone: muted, or a hole."""
_MEASURED: Final = 3 * STEPS_PER_SECOND
"""Steps with a voice over which its loudness is taken."""
_ENOUGH: Final = 3
"""Steps with a voice before anything is moved."""
_OTHER_AFTER: Final = 3 * STEPS_PER_SECOND
"""Steps without a microphone after which another voice, or another microphone, may come."""
_FIRST: Final = STEPS_PER_SECOND
"""Steps of a new voice in which the gain moves faster."""
_LOWEST, _HIGHEST = -12.0, 18.0
_DOWN, _UP = 6.0, 3.0
_DOWN_FIRST, _UP_FIRST = 24.0, 12.0
"""dB a second at most."""
_APPROACH: Final = 1.0
_APPROACH_FIRST: Final = 0.25
"""Seconds in which a small error shrinks to 1/e."""


class VoiceGate:
    """Tells voice from what is between the words, in steps of 100 ms. One thread."""

    def __init__(self) -> None:
        self._background: deque[float] = deque(maxlen=_BACKGROUND)
        self._heard: deque[float] = deque(maxlen=_MEASURED)
        """Energies above the absolute gate and the background."""
        self.voiced = False
        """Whether the last step was one of a voice."""

    def hear(self, energy: float) -> None:
        """Take the energy of one more step."""
        if energy > _NOBODY:
            self._background.append(energy)
        if energy > self._floor():
            self._heard.append(energy)
            self.voiced = energy >= mean(self._heard) * _RELATIVE_GATE
        else:
            self.voiced = False

    @property
    def energy(self) -> float:
        """Mean of the last three seconds with a voice, between the words left out; 0: none yet."""
        if not self._heard:
            return 0.0
        gate = mean(self._heard) * _RELATIVE_GATE
        return mean(step for step in self._heard if step >= gate)

    @property
    def certain(self) -> bool:
        """Whether the background is known: before, a fan may be taken for a voice."""
        return len(self._background) >= _KNOWN_AFTER

    def forget(self) -> None:
        """Begin anew: another voice, or another microphone."""
        self._background.clear()
        self._heard.clear()
        self.voiced = False

    def _floor(self) -> float:
        if not self.certain:
            return energy_at(_SURELY_VOICE)
        return max(energy_at(_ABSOLUTE_GATE), min(self._background) * _ABOVE_BACKGROUND)


class SideLeveller:
    """The gain that brings one side to -18 LUFS while it speaks; held while it does not.

    Between -12 and +18 dB, up by 3 and down by 6 dB a second at most, four times as fast in the
    first second of a voice. One thread.
    """

    def __init__(self) -> None:
        self._gate = VoiceGate()
        self._silent = 0
        self._spoken = 0
        self.gain = 0.0
        """dB, from the end of the last step on."""

    @property
    def voiced(self) -> bool:
        """Whether somebody spoke in the last completed 100 ms."""
        return self._gate.voiced

    def hear(self, energy: float) -> None:
        """Take the energy of one more step of the side's own sound, before the gain."""
        self._gate.hear(energy)
        self._silent = 0 if energy > _NOBODY else self._silent + 1
        if self._silent == _OTHER_AFTER:
            self._gate.forget()
            self._spoken = 0
        if self._gate.voiced:
            self._spoken += 1
            if self._spoken >= _ENOUGH:
                self._move()

    def _move(self) -> None:
        target = SIDE_TARGET - loudness(self._gate.energy)
        target = min(max(target, _LOWEST), _HIGHEST)
        limits, approach = (_DOWN, _UP), _APPROACH
        if self._spoken <= _FIRST:
            limits, approach = (_DOWN_FIRST, _UP_FIRST), _APPROACH_FIRST
        if not self._gate.certain:
            # Too loud is too loud whoever it is, but a fan is not to be raised.
            self._spoken = _ENOUGH
            limits = (_DOWN_FIRST, 0.0)
        self.gain += _part_of(target - self.gain, limits, approach)


_BASE: Final = PROGRAMME_TARGET - SIDE_TARGET
"""dB: one person speaks at a time, and at -18."""
_RANGE: Final = 4.0
_MASTER_RATE: Final = 0.5
"""dB a second."""
_MASTER_APPROACH: Final = 4.0
_MASTER_ENOUGH: Final = 3 * STEPS_PER_SECOND
_MASTER_MEMORY: Final = 60 * STEPS_PER_SECOND
"""Steps over which the loudness of the sum is averaged; fewer in the beginning."""
_LOUDEST: Final = energy_at(SIDE_TARGET + 6.0)
"""What is louder is a voice whose own gain is still being found: it counts, but not for more."""
_GATING: Final = 4
"""Steps in a gating block of BS.1770-4: the same blocks that a meter for the whole will count."""


class ProgrammeLeveller:
    """The gain that brings the sum to -16 LUFS integrated: 2 dB, give or take 4. One thread."""

    def __init__(self) -> None:
        self._recent: deque[float] = deque(maxlen=_GATING)
        self._average = 0.0
        self._counted = 0
        self.gain = _BASE
        """dB, from the end of the last step on."""

    def hear(self, energy: float) -> None:
        """Take the energy of one more step of the sum, before the gain."""
        self._recent.append(energy)
        block = mean(self._recent)
        gate = max(energy_at(_ABSOLUTE_GATE), self._average * _RELATIVE_GATE)
        if len(self._recent) < _GATING or block <= gate:
            return
        self._counted = min(self._counted + 1, _MASTER_MEMORY)
        self._average += (min(block, _LOUDEST) - self._average) / self._counted
        if self._counted >= _MASTER_ENOUGH:
            target = PROGRAMME_TARGET - loudness(self._average)
            target = min(max(target, _BASE - _RANGE), _BASE + _RANGE)
            limits = (_MASTER_RATE, _MASTER_RATE)
            self.gain += _part_of(target - self.gain, limits, _MASTER_APPROACH)


def _part_of(error: float, limits: Sequence[float], approach: float) -> float:
    """Return by how many dB to move in one step."""
    down, up = limits
    speed = min(max(error / approach, -down), up)
    return speed / STEPS_PER_SECOND
