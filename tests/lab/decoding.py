"""What is to be seen and heard in a take: both debaters' clocks, flashes, beeps and pilot tones."""

from dataclasses import dataclass
from typing import Final

import av
import numpy as np
from numpy.typing import NDArray

from bridge.debater.barcode import CELLS, MODULUS, decode_barcode
from bridge.debater.burn_in import BARCODE_BOX
from bridge.debater.face import HEIGHT, WIDTH, Box
from bridge.debater.persona import PERSONAS
from bridge.rooms.model import Side
from tests.lab.viewer import Take

RATE: Final = 48_000
_TILES: Final = {Side.PROPOSITION: Box(16, 156, 616, 464), Side.OPPOSITION: Box(648, 156, 616, 464)}
"""Of the theme "classic" at 1280x720; a 640x360 picture covers them."""
_PLAIN_BOX: Final = Box(220, 120, 200, 160)
"""Of the sync pattern: nothing but its colour, or white."""
_BRIGHT: Final = 170
_FREE_CELLS: Final = 3
"""Of the barcode, at either end: what the mark on a frozen picture leaves uncovered."""
_FREE_DIFFERENCE: Final = 12
"""Of mean luma between a cell and its inverse, in a picture that may be dimmed."""
_MOST_LATENCY: Final = 30.0
"""Seconds: a clock farther off than this was misread."""
_WINDOW: Final = RATE // 220
"""Samples: beeps and pilots are 220 Hz or a multiple apart, which this length cancels."""
_SILENT: Final = 0.05
"""Of the pilot's usual level. What Opus makes up for a lost packet is no pure tone any more, but
near its pitch and seldom that quiet."""
_LEAST_SILENCE: Final = 0.01
"""Seconds; what is shorter is the beating of made-up sound."""

Values = NDArray[np.float64]
Luma = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Picture:
    """One side's tile in one picture of the programme."""

    time: float
    """Wall time at which it was due."""
    latency: float | None
    """Seconds since it was drawn; None: there is no picture of his, but a slate."""
    bright: bool


@dataclass(frozen=True, slots=True)
class SideTake:
    """One debater in the programme."""

    pictures: list[Picture]
    beeps: list[float]
    """Wall times at which beeps begin."""
    silences: list[tuple[float, float]]
    """Wall times between which his pilot tone is missing."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """A take, looked and listened at."""

    times: list[float]
    """Of all pictures of the programme."""
    sides: dict[Side, SideTake]


def decode(take: Take) -> Decoded:
    """Decode all of it. Some 5 ms per picture: not on a loop."""
    pictures: dict[Side, list[Picture]] = {side: [] for side in Side}
    times: list[float] = []
    zero: float | None = None
    with av.open(str(take.file)) as container:
        container.streams.video[0].thread_type = "AUTO"
        for frame in container.decode(video=0):
            stamp = float(frame.time or 0)
            zero = stamp if zero is None else zero
            times.append(take.begin + stamp - zero)
            luma = _luma(frame)
            for side in Side:
                before = pictures[side][-1] if pictures[side] else None
                pictures[side].append(_look(luma, _TILES[side], times[-1], before))
    assert zero is not None, "the take is empty"
    begin, samples = _sound(take)
    begin += take.begin - zero
    sides = {
        side: SideTake(
            pictures[side],
            [begin + at for at in beep_onsets(samples, PERSONAS[side].sync_pitch)],
            [(begin + a, begin + b) for a, b in holes(samples, PERSONAS[side].pilot_pitch)],
        )
        for side in Side
    }
    return Decoded(times, sides)


def _luma(frame: av.VideoFrame) -> Luma:
    plane = frame.planes[0]
    rows = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)
    return rows[:, : plane.width]


def _look(luma: Luma, tile: Box, time: float, before: Picture | None) -> Picture:
    strip = _cut(luma, tile, BARCODE_BOX)
    clock = decode_barcode(strip)
    latency = None
    if clock is not None:
        behind = (round(time * 1000) - clock) % MODULUS / 1000
        latency = behind if behind < _MOST_LATENCY else None
    elif before is not None and before.latency is not None and _has_ends(strip):
        # A mark lies over it: the last picture is held.
        latency = before.latency + time - before.time
    return Picture(time, latency, bool(_cut(luma, tile, _PLAIN_BOX).mean() > _BRIGHT))


def _has_ends(strip: Luma) -> bool:
    """Whether a barcode is there whose middle cannot be read."""
    half = strip.shape[0] // 2
    upper, lower = strip[:half].mean(axis=0), strip[half:].mean(axis=0)
    cells = np.array_split(np.abs(upper - lower), CELLS)
    ends = [cell.mean() for cell in cells[:_FREE_CELLS] + cells[-_FREE_CELLS:]]
    return bool(min(ends) > _FREE_DIFFERENCE)


def _cut(luma: Luma, tile: Box, box: Box) -> Luma:
    """View of `box` of the debater's picture where it lies in the programme."""
    scale = max(tile.width / WIDTH, tile.height / HEIGHT)
    left = tile.left + tile.width / 2 + (box.left - WIDTH / 2) * scale
    top = tile.top + tile.height / 2 + (box.top - HEIGHT / 2) * scale
    rows = slice(round(top), round(top + box.height * scale))
    return luma[rows, round(left) : round(left + box.width * scale)]


def _sound(take: Take) -> tuple[float, Values]:
    """Time stamp of the first sample, and all of them as mono, each where its time stamp says."""
    first: float | None = None
    pieces: list[Values] = []
    length = 0
    with av.open(str(take.file)) as container:
        for frame in container.decode(audio=0):
            stamp = float(frame.time or 0)
            first = stamp if first is None else first
            hole = round((stamp - first) * RATE) - length
            mono = frame.to_ndarray().mean(axis=0).astype(np.float64)
            pieces += [np.zeros(max(0, hole)), mono]
            length += max(0, hole) + mono.size
    assert first is not None, "the take has no sound"
    return first, np.concatenate(pieces)


def level(samples: Values, frequency: float) -> Values:
    """Amplitude of one tone around each sample."""
    times = np.arange(samples.size) / RATE
    mixed = np.concatenate([[0], np.cumsum(samples * np.exp(-2j * np.pi * frequency * times))])
    half = _WINDOW // 2
    middle = np.abs(mixed[2 * half :] - mixed[: -2 * half]) / half
    return np.pad(middle, (half, samples.size - middle.size - half), mode="edge")


def beep_onsets(samples: Values, frequency: float) -> list[float]:
    """Seconds at which beeps of `frequency` begin, to some 2 ms."""
    loudness = level(samples, frequency)
    loud = loudness > np.quantile(loudness, 0.98) / 2
    rises = np.flatnonzero(loud[1:] & ~loud[:-1]) + 1
    quiet_before = RATE // 4
    return [float(at) / RATE for at in rises if not loud[max(0, at - quiet_before) : at].any()]


def holes(samples: Values, frequency: float) -> list[tuple[float, float]]:
    """Where a tone that never pauses is missing, in seconds: begin and end."""
    loudness = level(samples, frequency)
    silent = loudness < np.quantile(loudness, 0.75) * _SILENT
    edges = np.flatnonzero(np.diff(silent, prepend=False, append=False)).reshape(-1, 2) / RATE
    # The window reaches over both rims of a hole by half of itself.
    rim = _WINDOW / RATE / 2
    return [(float(a) - rim, float(b) + rim) for a, b in edges if b - a + 2 * rim > _LEAST_SILENCE]
