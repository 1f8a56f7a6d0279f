"""What is given up under load, how soon, and how it comes back: series of seconds, no clock."""

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from bridge.broadcast.relief import Counters, Relief, ReliefChange, ReliefLevel

FPS = 30
PERIOD_MS = 1000 / FPS


@dataclass(slots=True)
class Machine:
    """A programme whose seconds are told one by one."""

    relief: Relief = field(default_factory=lambda: Relief(frame_seconds=1 / FPS))
    now: float = 1000.0
    ticks: int = 0
    skipped: int = 0
    late: int = 0
    changes: list[tuple[float, ReliefLevel]] = field(default_factory=list)
    sentences: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.second()

    def second(self, *, skipped: int = 0, late: int = 0, full: float = 0.4) -> ReliefChange | None:
        """Let one pass and look at it."""
        self.now += 1
        self.ticks += FPS - skipped
        self.skipped += skipped
        self.late += late
        counters = Counters(
            ticks=self.ticks,
            skipped=self.skipped,
            late=self.late,
            compose_ms=0.1 * full * PERIOD_MS,
            encode_ms=0.9 * full * PERIOD_MS,
        )
        change = self.relief.look(counters, self.now)
        if change is not None:
            assert change.level is self.relief.level
            self.changes.append((self.now, change.level))
            self.sentences.append(change.sentence)
        return change

    def seconds(self, count: int, *, skipped: int = 0, late: int = 0, full: float = 0.4) -> None:
        for _ in range(count):
            self.second(skipped=skipped, late=late, full=full)

    def until_change(self, *, within: int = 2000) -> int:
        """Calm seconds until the next change."""
        for count in range(1, within + 1):
            if self.second() is not None:
                return count
        raise AssertionError(f"no change within {within} s")

    def is_at(self, level: ReliefLevel) -> bool:
        return self.relief.level is level


def test_a_machine_that_is_quick_enough_gives_up_nothing() -> None:
    machine = Machine()
    machine.seconds(3600, late=1, full=0.85)
    assert not machine.changes


@pytest.mark.parametrize(
    ("second", "reason"),
    [
        ({"late": 7}, "23% of the ticks late"),
        ({"skipped": 1}, "1 picture skipped"),
        ({"skipped": 4, "late": 20}, "4 pictures skipped"),
        ({"full": 0.95}, "composing and encoding take 95% of a frame"),
    ],
)
def test_two_bad_seconds_cost_one_level(second, reason) -> None:
    machine = Machine()
    assert machine.second(**second) is None
    change = machine.second(**second)
    assert change == ReliefChange(
        ReliefLevel.FEWER_REDRAWS,
        f"{reason}: artwork is redrawn less often from now on (relief 1 of 4)",
    )


def test_a_single_bad_second_is_a_stumble() -> None:
    machine = Machine()
    for _ in range(20):
        machine.second(skipped=5, late=20)
        machine.seconds(2)
    assert not machine.changes


def test_bad_seconds_with_one_good_one_between_count() -> None:
    machine = Machine()
    machine.second(skipped=1)
    machine.second()
    machine.second(skipped=1)
    assert machine.is_at(ReliefLevel.FEWER_REDRAWS)


def test_a_process_that_was_stopped_for_a_while_had_one_bad_second() -> None:
    machine = Machine()
    machine.now += 6
    machine.second(skipped=180)
    machine.seconds(10)
    assert not machine.changes


def test_levels_go_down_one_by_one_and_the_encoder_gets_its_segment() -> None:
    machine = Machine()
    begin = machine.now
    machine.seconds(20, skipped=3, late=20)
    levels = [ReliefLevel(number) for number in (1, 2, 3, 4)]
    # The third comes two seconds later: hurrying begins at the next segment.
    assert machine.changes == [
        (begin + seconds, level) for seconds, level in zip((2, 4, 8, 10), levels, strict=True)
    ]
    assert "the encoder hurries" in machine.sentences[1]
    assert "24 times a second" in machine.sentences[2]
    assert machine.sentences[3].endswith("(relief 4 of 4)")


def test_an_encoder_that_cannot_hurry_is_left_out_both_ways() -> None:
    machine = Machine(Relief(frame_seconds=1 / FPS, can_hurry=False))
    machine.seconds(10, skipped=3)
    machine.seconds(70)
    levels = [ReliefLevel(number) for number in (1, 3, 4, 3, 1, 0)]
    assert [level for _, level in machine.changes] == levels


def test_times_are_not_believed_before_they_tell_of_the_last_change() -> None:
    machine = Machine()
    machine.seconds(2, full=0.95)
    assert machine.is_at(ReliefLevel.FEWER_REDRAWS)
    machine.seconds(4, full=0.95)
    assert machine.is_at(ReliefLevel.FEWER_REDRAWS)
    machine.seconds(2, full=0.95)
    assert machine.is_at(ReliefLevel.QUICKER_ENCODER)


def test_calm_brings_one_level_back_every_twenty_seconds() -> None:
    machine = Machine()
    machine.seconds(10, skipped=3)
    assert machine.is_at(ReliefLevel.SMALLER_PICTURES)
    assert [machine.until_change() for _ in range(4)] == [20, 20, 20, 20]
    assert machine.is_at(ReliefLevel.NONE)
    assert machine.sentences[-4:] == [
        "calm for 20 s: senders are asked for whole pictures from now on (relief 3 of 4)",
        "calm for 20 s: every picture is shown from now on (relief 2 of 4)",
        "calm for 20 s: the encoder takes its time from now on (relief 1 of 4)",
        "calm for 20 s: artwork is redrawn as it changes from now on (relief 0 of 4)",
    ]
    machine.seconds(100)
    assert machine.is_at(ReliefLevel.NONE)


@pytest.mark.parametrize("second", [{"late": 3}, {"skipped": 1}, {"full": 0.85}])
def test_a_second_that_is_not_calm_begins_the_wait_anew(second) -> None:
    machine = Machine()
    machine.seconds(2, skipped=3)
    machine.seconds(15)
    machine.second(**second)
    assert machine.until_change() == 20


def test_what_is_neither_calm_nor_bad_changes_nothing() -> None:
    machine = Machine()
    machine.seconds(2, skipped=3)
    machine.seconds(300, late=4, full=0.85)
    assert machine.is_at(ReliefLevel.FEWER_REDRAWS)


def test_a_level_that_is_needed_again_soon_is_kept_longer_each_time() -> None:
    machine = Machine()
    waits = []
    for _ in range(8):
        machine.seconds(2, late=15)
        assert machine.is_at(ReliefLevel.FEWER_REDRAWS)
        waits.append(machine.until_change())
        assert machine.is_at(ReliefLevel.NONE)
        machine.seconds(10)
    assert waits == [20, 40, 80, 160, 320, 640, 640, 640]


def test_after_a_long_time_without_it_a_level_is_left_as_early_as_at_first() -> None:
    machine = Machine()
    for _ in range(3):
        machine.seconds(2, late=15)
        machine.until_change()
    machine.seconds(200)
    machine.seconds(2, late=15)
    assert machine.until_change() == 20


def test_the_longer_wait_is_for_the_level_that_was_missed_alone() -> None:
    machine = Machine()
    machine.seconds(4, late=15)
    machine.until_change()
    machine.seconds(2, late=15)  # what hurrying saved is needed again
    assert machine.is_at(ReliefLevel.QUICKER_ENCODER)
    assert [machine.until_change(), machine.until_change()] == [40, 20]


def test_calls_in_quick_succession_are_one() -> None:
    machine = Machine()
    counters = Counters(ticks=10_000, skipped=900, late=9_000, compose_ms=1, encode_ms=40)
    for step in range(8):
        assert machine.relief.look(counters, machine.now + step / 10) is None
    assert machine.is_at(ReliefLevel.NONE)


def simulated(seconds: int, others: Callable[[int], float]) -> tuple[Machine, list[ReliefLevel]]:
    """A machine on which each level saves what was measured, and others take their share.

    Costs are milliseconds of a tick of 33.3; what does not fit is late, what fits not by far is
    skipped. Returns the level of each second.
    """
    compose = {0: 4.0, 1: 3.0, 2: 3.0, 3: 2.5, 4: 2.0}
    encode = {0: 10.0, 1: 10.0, 2: 4.5, 3: 4.5, 4: 4.5}
    decode = {0: 6.0, 1: 6.0, 2: 6.0, 3: 6.0, 4: 3.5}
    machine, levels = Machine(), []
    for number in range(seconds):
        level = machine.relief.level
        slower = 1 / (1 - others(number))
        own = (compose[level] + encode[level]) * slower / PERIOD_MS
        load = own + decode[level] * slower / PERIOD_MS
        skipped = round(FPS * max(0.0, 1 - 1 / load)) if load > 1 else 0
        late = FPS - skipped if load > 1 else round(FPS * max(0.0, load - 0.95) * 4)
        machine.second(skipped=skipped, late=late, full=min(own, 1.5))
        levels.append(machine.relief.level)
    return machine, levels


def test_a_simulated_burst_is_answered_within_seconds_and_forgotten_afterwards() -> None:
    machine, levels = simulated(200, lambda second: 0.55 if 50 <= second < 80 else 0.0)
    assert set(levels[:50]) == {ReliefLevel.NONE}
    assert levels[55] is ReliefLevel.QUICKER_ENCODER
    assert max(levels) is ReliefLevel.QUICKER_ENCODER
    assert machine.skipped < 60
    assert levels[150] is ReliefLevel.NONE
    # While the burst goes on it is tried to do without the relief once at most.
    assert len(machine.changes) <= 6


def test_a_simulated_hour_on_too_slow_a_machine_does_not_swing() -> None:
    machine, levels = simulated(3600, lambda _second: 0.6)
    lost = [second for second, level in enumerate(levels) if level < ReliefLevel.QUICKER_ENCODER]
    assert len(machine.changes) < 30
    assert len([second for second in lost if second > 600]) < 30
    assert machine.skipped < FPS * 60
