"""The delay follows what the networks need."""

import random

import pytest

from bridge.broadcast.rtc.playout_delay import PlayoutDelay


def run(delay: PlayoutDelay, late: list[float], start: float, track: str = "a/camera") -> float:
    """Thirty frames a second with these latenesses; returns when they ended."""
    now = start
    for one in late:
        delay.note(track, one, now)
        delay.update(now)
        now += 1 / 30
    return now


def test_a_good_network_stays_at_the_least() -> None:
    delay = PlayoutDelay(0.25, 1.0)
    run(delay, [0.02] * 300, 0.0)
    assert delay.seconds == 0.25


def test_repairs_that_take_a_round_trip_make_it_grow_without_a_leap() -> None:
    delay = PlayoutDelay(0.25, 1.0)
    chance = random.Random(3)
    before, now = delay.seconds, 0.0
    for _ in range(30 * 20):
        now = run(delay, [0.45 if chance.random() < 0.1 else 0.02], now)
        assert delay.seconds - before <= 0.12 / 30 + 1e-9
        before = delay.seconds
    assert delay.seconds == pytest.approx(0.48, abs=0.01)


def test_a_rare_straggler_does_not_count() -> None:
    delay = PlayoutDelay(0.25, 1.0)
    run(delay, [0.9 if number % 300 == 0 else 0.02 for number in range(900)], 0.0)
    assert delay.seconds == 0.25


def test_frames_out_of_an_outage_do_not_count() -> None:
    delay = PlayoutDelay(0.25, 1.0)
    now = run(delay, [0.02] * 60, 0.0)
    run(delay, [5.0 - number / 30 for number in range(110)], now)
    assert delay.seconds < 0.6


def test_it_never_exceeds_the_most() -> None:
    delay = PlayoutDelay(0.25, 0.8)
    run(delay, [0.79] * 900, 0.0)
    assert delay.seconds == 0.8


def test_the_worse_of_two_debaters_decides_and_is_forgotten_when_he_leaves() -> None:
    delay = PlayoutDelay(0.25, 1.0)
    now = 0.0
    for _ in range(300):
        delay.note("b/camera", 0.02, now)
        now = run(delay, [0.5], now)
    assert delay.seconds == pytest.approx(0.53, abs=0.01)
    delay.forget("a/")
    now = run(delay, [0.02] * 30, now, track="b/camera")
    assert delay.seconds == pytest.approx(0.51, abs=0.015)
    run(delay, [0.02] * 30 * 20, now, track="b/camera")
    assert delay.seconds == 0.25
