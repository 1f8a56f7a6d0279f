"""Counting viewers: who is heard, who is forgotten, and what a liar costs."""

import pytest
from pydantic import ValidationError

from bridge.clock import FakeClock
from bridge.server import audience as module
from bridge.server.audience import Audience, Heartbeat


def beat(number: int, latency: float | None = None, *, leaving: bool = False) -> Heartbeat:
    return Heartbeat(viewer=f"{number:016x}", latency=latency, leaving=leaving)


def test_everybody_counts_once_and_only_in_his_room():
    audience = Audience(FakeClock())
    assert audience.hear("one", beat(1)) == 1
    assert audience.hear("one", beat(1)) == 1
    assert audience.hear("one", beat(2)) == 2
    assert audience.hear("two", beat(1)) == 1
    assert (audience.count("one"), audience.count("two"), audience.count("none")) == (2, 1, 0)


def test_who_leaves_or_falls_silent_is_forgotten():
    clock = FakeClock()
    audience = Audience(clock)
    for number in range(3):
        audience.hear("room", beat(number))
    assert audience.hear("room", beat(0, leaving=True)) == 2
    clock.advance(20)
    audience.hear("room", beat(1))
    clock.advance(10)
    assert audience.count("room") == 1
    clock.advance(30)
    assert audience.count("room") == 0


def test_the_latency_is_the_median_of_those_who_are_live():
    audience = Audience(FakeClock())
    assert audience.latency("room") is None
    for number, latency in enumerate((1.2, 1.4, 60.0, None)):
        audience.hear("room", beat(number, latency))
    assert audience.latency("room") == 1.4


def test_made_up_names_cost_a_bounded_amount_of_memory(monkeypatch):
    monkeypatch.setattr(module, "_MOST_VIEWERS", 50)
    clock = FakeClock()
    audience = Audience(clock)
    for number in range(1000):
        audience.hear(f"room{number % 3}", beat(number))
    assert sum(audience.count(f"room{number}") for number in range(3)) == 50
    clock.advance(30)
    assert audience.hear("room1", beat(1)) == 1
    assert audience.count("room0") == 0


def test_made_up_names_move_the_count_at_a_bounded_rate_and_no_other_room():
    clock = FakeClock()
    audience = Audience(clock)
    audience.hear("room", beat(0))
    for number in range(1, 60_000):
        audience.hear("room", beat(number))
        clock.advance(0.001)
        if number % 10_000 == 0:
            audience.hear("room", beat(0))
    assert audience.count("room") < 7100
    assert audience.hear("other", beat(1)) == 1


def test_rooms_that_nobody_asks_about_leave_nothing_behind(monkeypatch):
    monkeypatch.setattr(module, "_MOST_VIEWERS", 10)
    clock = FakeClock()
    audience = Audience(clock)
    for number in range(100):
        assert audience.hear(f"debate {number}", beat(number)) == 1
        clock.advance(30)


def test_five_thousand_who_come_at_once_are_counted_within_two_heartbeats():
    clock = FakeClock()
    audience = Audience(clock)
    for _ in range(3):
        for number in range(5000):
            audience.hear("room", beat(number, 1.5))
        clock.advance(10)
    assert audience.count("room") == 5000
    assert audience.latency("room") == 1.5


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"viewer": "x" * 16},
        {"viewer": "0" * 17},
        {"viewer": "0" * 16, "latency": -1},
        {"viewer": "0" * 16, "latency": float("nan")},
        {"viewer": "0" * 16, "more": 1},
    ],
)
def test_what_is_no_heartbeat_is_refused(body):
    with pytest.raises(ValidationError):
        Heartbeat.model_validate(body)
