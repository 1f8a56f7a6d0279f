"""How loud sound is to people, after ITU-R BS.1770-4. Pure arithmetic on blocks.

The K-weighting is two biquads in a row. Sample by sample that is far too slow in Python, so both
together are taken as one linear system with four states and computed by blocks: what a block's own
samples give is one small product of matrices, and what remains of the blocks before comes in
through the four states at its beginning. All products stay below the size (about 64 cubed) from
which OpenBLAS wakes other threads.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bridge.broadcast.media.frames import Samples
from bridge.broadcast.media.packets import AUDIO_RATE

Matrix: TypeAlias = NDArray[np.float64]

BLOCK: Final = AUDIO_RATE // 1000
"""Samples in 1 ms: sound is handed over in multiples of it."""
MOST_BLOCKS: Final = 34
"""In one piece: a tick at 30 pictures a second, and what rounds it up."""
STEP: Final = 100
"""Blocks over which an energy is taken: 100 ms, the distance of BS.1770's gating blocks."""
STEPS_PER_SECOND: Final = 10
SILENCE: Final = -100.0
"""LUFS that stand for silence."""
_MOMENTARY: Final = 4
_SHORT_TERM: Final = 30
"""Steps, after EBU Tech 3341."""
_OFFSET: Final = -0.691
_ABSOLUTE_GATE: Final = -70.0
_RELATIVE_GATE: Final = -10.0
_SHELF: Final = (
    (1.53512485958697, -2.69169618940638, 1.19839281085285),
    (-1.69065929318241, 0.73248077421585),
)
_HIGH_PASS: Final = ((1.0, -2.0, 1.0), (-1.99004745483398, 0.99007225036621))
"""BS.1770-4 annex 1, tables 1 and 2: (b0, b1, b2), (a1, a2) at 48 kHz."""
_NOTHING: Final = 1e-15
"""A state of the filter that counts as zero: numbers of 1e-308 are slow to compute with."""


def _section(coefficients: tuple[tuple[float, ...], tuple[float, ...]]) -> tuple[Matrix, ...]:
    """Return A, B, C, D of a biquad in transposed direct form II."""
    (b0, b1, b2), (a1, a2) = coefficients
    return (
        np.array([[-a1, 1.0], [-a2, 0.0]]),
        np.array([[b1 - a1 * b0], [b2 - a2 * b0]]),
        np.array([[1.0, 0.0]]),
        np.array([[b0]]),
    )


def _system() -> tuple[Matrix, ...]:
    """Return A, B, C, D of both sections in a row."""
    a, b, c, d = _section(_SHELF)
    e, f, g, h = _section(_HIGH_PASS)
    both = np.block([[a, np.zeros((2, 2))], [f @ c, e]])
    return both, np.concatenate([b, f @ d]), np.concatenate([h @ c, g], axis=1), h @ d


def _unrolled() -> tuple[Matrix, Matrix, Matrix]:
    """Return for one block: samples to output, samples to end state, first state to output."""
    a, b, c, d = _system()
    powers = [np.eye(4)]
    for _ in range(BLOCK):
        powers.append(a @ powers[-1])
    response = [d.item(), *((c @ power @ b).item() for power in powers)]
    own = np.zeros((BLOCK, BLOCK))
    for at in range(BLOCK):
        own[at, at:] = response[: BLOCK - at]
    ending = np.concatenate([(powers[BLOCK - 1 - at] @ b).T for at in range(BLOCK)])
    carried = np.concatenate([(c @ powers[at]).T for at in range(BLOCK)], axis=1)
    return own, ending, carried


def _chain() -> tuple[Matrix, Matrix]:
    """Return, for the states at the beginning of each block: from the first, from the ends."""
    step = np.linalg.matrix_power(_system()[0], BLOCK)
    powers = [np.linalg.matrix_power(step, count) for count in range(MOST_BLOCKS)]
    chain = np.zeros((4 * MOST_BLOCKS, 4 * MOST_BLOCKS))
    for block in range(MOST_BLOCKS):
        for before in range(block):
            place = (slice(4 * block, 4 * block + 4), slice(4 * before, 4 * before + 4))
            chain[place] = powers[block - 1 - before]
    return np.concatenate(powers), chain


_OWN, _ENDING, _CARRIED = _unrolled()
_FROM_FIRST, _FROM_ENDS = _chain()
_OVER_BLOCK: Final = np.linalg.matrix_power(_system()[0], BLOCK)


class KWeighting:
    """The filter of BS.1770-4 for two channels. One thread."""

    def __init__(self) -> None:
        self._state: Matrix = np.zeros((4, 2))

    def energies(self, sound: Samples) -> Matrix:
        """Return the sum of squares in each block, weighted, both channels together.

        `sound` has a multiple of BLOCK samples, at most MOST_BLOCKS of them.
        """
        blocks = sound.shape[1] // BLOCK
        if not self._state.any() and not sound.any():
            return np.zeros(blocks)
        weighted = self._filter(sound, blocks)
        energies: Matrix = np.einsum("cbi,cbi->b", weighted, weighted)
        return energies

    def _filter(self, sound: Samples, blocks: int) -> Matrix:
        rows = sound.reshape(2 * blocks, BLOCK).astype(np.float64)
        ends = (rows @ _ENDING).reshape(2, blocks, 4).transpose(1, 2, 0).reshape(4 * blocks, 2)
        size = 4 * blocks
        states = _FROM_FIRST[:size] @ self._state + _FROM_ENDS[:size, :size] @ ends
        self._state = _OVER_BLOCK @ states[-4:] + ends[-4:]
        if np.abs(self._state).max() < _NOTHING:
            self._state = np.zeros((4, 2))
        first = states.reshape(blocks, 4, 2).transpose(2, 0, 1).reshape(2 * blocks, 4)
        return (rows @ _OWN + first @ _CARRIED).reshape(2, blocks, BLOCK)


class LoudnessMeter:
    """Energies of 100 ms each, and what EBU Tech 3341 makes of them. One thread."""

    def __init__(self) -> None:
        self._weighting = KWeighting()
        self._open: list[float] = []
        """Energies of blocks in the step that is not complete."""
        self._steps: deque[float] = deque([0.0] * _SHORT_TERM, _SHORT_TERM)

    def add(self, sound: Samples) -> Sequence[float]:
        """Take the next samples, as `KWeighting` does; return the energy of each completed step."""
        self._open += self._weighting.energies(sound).tolist()
        completed = []
        while len(self._open) >= STEP:
            completed.append(sum(self._open[:STEP]) / (STEP * BLOCK))
            del self._open[:STEP]
        self._steps.extend(completed)
        return completed

    @property
    def momentary(self) -> float:
        """LUFS over 400 ms, up to the last completed step."""
        return loudness(mean(islice(self._steps, _SHORT_TERM - _MOMENTARY, None)))

    @property
    def short_term(self) -> float:
        """LUFS over 3 s, up to the last completed step."""
        return loudness(mean(self._steps))


def mean(energies: Iterable[float]) -> float:
    """Return the mean of at least one energy."""
    values = tuple(energies)
    return sum(values) / len(values)


def loudness(energy: float) -> float:
    """Return LUFS of a weighted mean square, both channels together; not below SILENCE."""
    return max(SILENCE, _OFFSET + 10 * float(np.log10(energy))) if energy > 0 else SILENCE


def energy_at(lufs: float) -> float:
    """Return the weighted mean square that is that loud."""
    return float(10 ** ((lufs - _OFFSET) / 10))


def measure_steps(sound: Samples) -> list[float]:
    """Return the energies of all whole steps of a recording."""
    meter = LoudnessMeter()
    piece = MOST_BLOCKS * BLOCK
    whole = sound[:, : sound.shape[1] // BLOCK * BLOCK]
    return [
        step
        for at in range(0, whole.shape[1], piece)
        for step in meter.add(whole[:, at : at + piece])
    ]


def integrated(steps: Sequence[float]) -> float:
    """Return LUFS of a whole programme from its steps, with both gates of BS.1770-4."""
    if len(steps) < _MOMENTARY:
        return SILENCE
    gating = np.convolve(steps, np.full(_MOMENTARY, 1 / _MOMENTARY), "valid")
    heard = gating[gating > energy_at(_ABSOLUTE_GATE)]
    if heard.size == 0:
        return SILENCE
    gate = float(heard.mean()) * 10 ** (_RELATIVE_GATE / 10)
    return loudness(float(heard[heard > gate].mean()))
