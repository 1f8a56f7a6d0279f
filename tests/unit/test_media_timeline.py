"""When ticks are due and what becomes of late ones."""

import pytest

from bridge.broadcast.media.timeline import Timeline
from bridge.clock import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(now=1_000.0)


def test_ticks_are_due_on_a_grid_that_nothing_moves(clock):
    timeline = Timeline(clock.monotonic(), fps=30)
    for number in range(100):
        clock.advance(timeline.wait(clock.monotonic()))
        tick = timeline.begin(clock.monotonic())
        assert tick.number == number
        assert tick.due == pytest.approx(1_000 + number / 30, abs=1e-9)
        clock.advance(0.004)
    assert (timeline.ticks, timeline.late, timeline.skipped) == (100, 0, 0)


def test_a_late_tick_is_done_when_the_next_is_not_due_yet(clock):
    timeline = Timeline(clock.monotonic(), fps=30)
    timeline.begin(clock.monotonic())
    clock.advance(1 / 30 + 0.030)
    assert timeline.begin(clock.monotonic()).number == 1
    assert (timeline.late, timeline.skipped) == (1, 0)


def test_ticks_up_to_a_tenth_of_a_second_late_are_caught_up_with(clock):
    timeline = Timeline(clock.monotonic(), fps=30)
    timeline.begin(clock.monotonic())
    clock.advance(1 / 30 + 0.09)
    assert [timeline.begin(clock.monotonic()).number for _ in range(3)] == [1, 2, 3]
    assert timeline.wait(clock.monotonic()) > 0
    assert (timeline.ticks, timeline.skipped) == (4, 0)


def test_ticks_that_are_too_late_leave_their_numbers_unused(clock):
    timeline = Timeline(clock.monotonic(), fps=30)
    timeline.begin(clock.monotonic())
    clock.advance(5 / 30 + 0.001)
    tick = timeline.begin(clock.monotonic())
    assert tick.number == 5
    assert (timeline.ticks, timeline.late, timeline.skipped) == (2, 0, 4)
    assert timeline.wait(clock.monotonic()) == pytest.approx(1 / 30 - 0.001)


def test_a_standstill_of_an_hour_costs_its_ticks_and_nothing_else(clock):
    timeline = Timeline(clock.monotonic(), fps=30)
    timeline.begin(clock.monotonic())
    clock.advance(3_600)
    assert timeline.begin(clock.monotonic()).number == 108_000
    assert timeline.skipped == 107_999


@pytest.mark.parametrize("fps", [15, 24, 25, 29, 30, 50, 60])
def test_a_tick_begun_exactly_when_it_is_due_is_never_another(fps):
    timeline = Timeline(12_345.678, fps)
    for number in range(2_000):
        assert timeline.begin(timeline.due(number)).number == number
    assert (timeline.late, timeline.skipped) == (0, 0)


def test_a_tick_asked_for_too_early_is_the_next_one(clock):
    timeline = Timeline(clock.monotonic() + 5, fps=30)
    assert timeline.wait(clock.monotonic()) == pytest.approx(5)
    assert timeline.begin(clock.monotonic()).number == 0
