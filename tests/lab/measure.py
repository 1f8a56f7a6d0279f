"""Figures of a take: what issue 3 asks of each case."""

from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Final

import numpy as np

from tests.lab.decoding import Decoded, Picture, SideTake

PERIOD: Final = 1 / 30
_EDGE_SECONDS: Final = 10.0
"""Latency at the begin and at the end is the median over this long."""
_PAIR_SECONDS: Final = 0.5
"""A flash and a beep farther apart than this belong to different seconds."""


@dataclass(frozen=True, slots=True)
class SideFigures:
    """One debater in the programme. Milliseconds."""

    longest_frozen_ms: float
    """The same picture of his, on and on."""
    no_picture_ms: float
    """Slate instead of him, in all."""
    silent_ms: float
    """His pilot tone missing, in all; sound that was made up is not silence."""
    longest_silent_ms: float
    latency_begin_ms: float
    """From being drawn to being due in the programme; median of the first 10 s."""
    latency_end_ms: float
    """The same of the last 10 s."""
    lip_sync_p50_ms: float
    """Between flash and beep, without sign."""
    lip_sync_p95_ms: float
    lip_sync_bias_ms: float
    """Median with sign; positive: the sound is late."""
    pairs: int
    """Flashes that had a beep."""

    @property
    def added_latency_ms(self) -> float:
        """What has come on top between begin and end."""
        return self.latency_end_ms - self.latency_begin_ms


@dataclass(frozen=True, slots=True)
class ProgrammeFigures:
    """The composite's own clock."""

    fps: float
    longest_gap_ms: float


def measure_programme(take: Decoded) -> ProgrammeFigures:
    """Judge the 1/30 s grid."""
    steps = [after - before for before, after in pairwise(take.times)]
    seconds = take.times[-1] - take.times[0] + PERIOD
    return ProgrammeFigures(len(take.times) / seconds, max(steps) * 1000)


def measure_side(side: SideTake) -> SideFigures:
    """Judge one debater's picture and sound."""
    offsets = np.array(lip_sync(side)) * 1000
    distances = np.abs(offsets)
    silences = [(end - begin) * 1000 for begin, end in side.silences]
    blank = [picture for picture in side.pictures if picture.latency is None]
    return SideFigures(
        longest_frozen_ms=max(frozen(side.pictures), default=0.0) * 1000,
        no_picture_ms=len(blank) * PERIOD * 1000,
        silent_ms=sum(silences),
        longest_silent_ms=max(silences, default=0.0),
        latency_begin_ms=_latency(side.pictures, side.pictures[0].time, _EDGE_SECONDS),
        latency_end_ms=_latency(side.pictures, side.pictures[-1].time, -_EDGE_SECONDS),
        lip_sync_p50_ms=_quantile(distances, 0.5),
        lip_sync_p95_ms=_quantile(distances, 0.95),
        lip_sync_bias_ms=_quantile(offsets, 0.5),
        pairs=offsets.size,
    )


def lip_sync(side: SideTake) -> list[float]:
    """Seconds from each flash to its beep. Flashes and beeps that stand alone are left out."""
    beeps = np.array(side.beeps)
    offsets = [beeps[np.abs(beeps - at).argmin()] - at for at in flashes(side.pictures)]
    return [float(offset) for offset in offsets if abs(offset) < _PAIR_SECONDS]


def flashes(pictures: list[Picture]) -> list[float]:
    """Wall times at which the tile turns white, from one picture of his to the next."""
    return [
        after.time
        for before, after in pairwise(pictures)
        if after.bright and not before.bright and None not in (before.latency, after.latency)
    ]


def frozen(pictures: list[Picture]) -> list[float]:
    """How long each picture of his stayed, in seconds."""
    # Drawn at the same millisecond: latency grows by exactly what time passes.
    stays = groupby(
        pictures, lambda p: None if p.latency is None else round((p.time - p.latency) * 1000)
    )
    return [len(list(group)) * PERIOD for drawn, group in stays if drawn is not None]


def slate_after(pictures: list[Picture], begin: float, until: float) -> float | None:
    """Seconds from `begin` to when he has no picture; None: he has one up to `until` (wall)."""
    blank = (p.time for p in pictures if p.latency is None and begin < p.time < until)
    return next((time - begin for time in blank), None)


def back_after(pictures: list[Picture], end: float) -> float | None:
    """Seconds from `end` (wall) to a picture that was drawn after it; None: there is none."""
    shown = (p.time - end for p in pictures if p.latency is not None and p.time - p.latency > end)
    return next(shown, None)


def _latency(pictures: list[Picture], edge: float, seconds: float) -> float:
    begin, end = sorted((edge, edge + seconds))
    values = [p.latency for p in pictures if begin <= p.time <= end and p.latency is not None]
    return float(np.median(values)) * 1000 if values else float("nan")


def _quantile(values: np.ndarray, share: float) -> float:
    return float(np.quantile(values, share)) if values.size else float("nan")
