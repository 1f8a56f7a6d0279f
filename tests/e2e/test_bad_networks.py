"""A debate on air over bad networks: two namespaces, one cable (tests/lab). Needs root.

Limits are generous: who else uses the machine must not decide. `python -m tests.bench impairments`
keeps the figures.
"""

import pytest

from bridge.rooms.model import Side
from tests.lab.case import CASES, Case, Figures, run_case
from tests.lab.impairment import Impairment

NAMED = {case.name: case for case in CASES}
LEAST_FPS = 29.5
LONGEST_GAP_MS = 150
"""Four ticks: a starved core, not a network."""
MOST_LATENCY_MS = 1400
"""The longest playout delay, the cable's 100 ms each way and what drawing and encoding take. How
long the delay is within that follows from what was lost lately, so it may grow and shrink."""

pytestmark = pytest.mark.timeout(120)


def on_the_grid(figures: Figures) -> bool:
    """Whether the programme went on at 30 fps, whatever became of the debaters."""
    programme = figures.programme
    return programme.fps >= LEAST_FPS and programme.longest_gap_ms <= LONGEST_GAP_MS


async def test_loss_of_a_tenth_at_200_ms_round_trip_keeps_lips_and_voice_together(tmp_path):
    figures = await run_case(NAMED["loss-10-rtt-200"], 20, tmp_path)
    assert on_the_grid(figures)
    for side in figures.sides.values():
        assert side.longest_frozen_ms < 2000
        assert side.no_picture_ms == 0, "no slate: he is there all the time"
        assert side.longest_silent_ms < 100, "lost sound is made up"
        assert side.pairs >= 10
        assert side.lip_sync_p50_ms < 60
        assert side.latency_end_ms < MOST_LATENCY_MS, "nothing piles up"


async def test_outages_end_in_the_same_seat_and_only_the_long_one_shows_a_slate(tmp_path):
    case = Case(name="outages", outages=(2, 10))
    figures = await run_case(case, 36, tmp_path)
    short, long = figures.outages
    assert on_the_grid(figures)
    assert figures.generations == dict.fromkeys(Side, 1), "nobody had to join again"
    for side in Side:
        assert short[side].slate_after is None
        assert _within(short[side].back_after, 3)
        # 3 s without a packet, and what was still to be played; the rest is a busy machine's.
        assert _within(long[side].slate_after, 4.5)
        assert _within(long[side].back_after, 5)


async def test_line_of_500_kbps_keeps_the_sound_whole(tmp_path):
    # Each debater would send some 550 kb/s; the limit that REMB tells makes room for the sound.
    case = Case(name="narrow", impairment=Impairment(bandwidth_kbps=500))
    # The end is the last 10 s: by then what piled up before the limit was known has gone.
    figures = await run_case(case, 30, tmp_path)
    assert on_the_grid(figures)
    assert figures.generations == dict.fromkeys(Side, 1)
    for side in figures.sides.values():
        assert side.longest_silent_ms < 300
        assert side.latency_end_ms < 2000, "nothing piles up"


def _within(seconds: float | None, limit: float) -> bool:
    return seconds is not None and seconds <= limit
