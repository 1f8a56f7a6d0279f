import random
from dataclasses import dataclass, field

import pytest

from bridge.broadcast.rtc.clock_mapping import ClockMapping
from bridge.broadcast.rtc.playout_delay import PlayoutDelay

DELAY = PlayoutDelay(0.25, 0.25)
ORDER = ("microphone", "camera")
NTP = 3_900_000_000.0


@dataclass
class Debater:
    """A sender whose clock starts at 0 and runs at `skew`; what he captures reaches us later."""

    mapping: ClockMapping = field(default_factory=lambda: ClockMapping(DELAY, ORDER))
    jitter: float = 0.03
    way: float = 0.04
    skew: float = 0.0
    audio_delay: float = 0.03
    video_delay: float = 0.08
    audio_error: float = 0.0
    audio_zero: int = 123_456
    video_zero: int = 7
    reports: bool = True
    start: float = 1000.0
    rng: random.Random = field(default_factory=lambda: random.Random(4))

    def arrival(self, captured: float, encoding: float) -> float:
        late = self.rng.expovariate(1 / self.jitter) if self.jitter else 0.0
        return self.start + captured / (1 + self.skew) + self.way + encoding + late

    def audio_timestamp(self, captured: float) -> int:
        return self.audio_zero + round(captured * 48_000)

    def video_timestamp(self, captured: float) -> int:
        return self.video_zero + round(captured * 90_000)

    def run(self, seconds: float, begin: float = 0.0, step: float = 0.02) -> None:
        ticks = round(seconds / step)
        for tick in range(ticks):
            captured = begin + tick * step
            self.mapping.arrived(
                "microphone",
                self.audio_timestamp(captured),
                48_000,
                self.arrival(captured, self.audio_delay),
            )
            if tick % 2 == 0:
                self.mapping.arrived(
                    "camera",
                    self.video_timestamp(captured),
                    90_000,
                    self.arrival(captured, self.video_delay),
                )
            if self.reports and tick % max(1, round(1 / step)) == 10 % max(1, round(1 / step)):
                self.mapping.report(
                    "microphone", NTP + captured + self.audio_error, self.audio_timestamp(captured)
                )
                self.mapping.report("camera", NTP + captured, self.video_timestamp(captured))

    def apart(self, captured: float) -> float:
        """How much later the picture is due than the sound of the same moment."""
        audio = self.mapping.due("microphone", self.audio_timestamp(captured))
        return self.mapping.due("camera", self.video_timestamp(captured)) - audio

    def behind(self, captured: float) -> float:
        """How long after it was captured the sound is due."""
        due = self.mapping.due("microphone", self.audio_timestamp(captured))
        return due - (self.start + captured / (1 + self.skew))


def test_before_reports_each_track_goes_by_its_arrivals() -> None:
    debater = Debater(reports=False)
    debater.run(10)
    assert debater.apart(10) == pytest.approx(0.05, abs=0.01)
    assert debater.behind(10) == pytest.approx(0.04 + 0.03, abs=0.01)
    assert not debater.mapping.believed("camera")


def test_trap_9_reports_undo_what_the_encoders_delay_and_where_timestamps_begin() -> None:
    debater = Debater(video_delay=0.2, audio_zero=4_000_000_000)
    debater.run(10)
    assert debater.apart(10) == pytest.approx(0, abs=0.005)
    assert debater.mapping.believed("camera")


def test_trap_9_an_hour_at_100_ppm_keeps_lip_sync_and_delay() -> None:
    debater = Debater(skew=100e-6)
    debater.run(3600, step=0.1)
    assert debater.apart(3600) == pytest.approx(0, abs=0.005)
    assert debater.behind(3600) == pytest.approx(0.04 + 0.03, abs=0.02)


def test_drift_moves_due_times_in_steps_nobody_hears() -> None:
    debater = Debater(skew=100e-6, jitter=0.01)
    debater.run(20)
    last = None
    for tick in range(5000):
        captured = 20 + tick * 0.02
        timestamp = debater.audio_timestamp(captured)
        debater.mapping.arrived("microphone", timestamp, 48_000, debater.arrival(captured, 0.03))
        due = debater.mapping.due("microphone", timestamp)
        if last is not None:
            assert due - last == pytest.approx(0.02, abs=0.001)
        last = due


def test_a_bogus_report_is_not_believed_and_arrivals_decide() -> None:
    debater = Debater(audio_error=0.318)
    debater.run(10)
    assert abs(debater.apart(10)) == pytest.approx(0.05, abs=0.01)
    assert not debater.mapping.believed("camera")


def test_a_longer_way_is_followed_slowly_and_then_exactly() -> None:
    debater = Debater(jitter=0.0)
    debater.run(20)
    debater.way += 0.1
    debater.run(5, begin=20)
    assert debater.behind(25) == pytest.approx(0.07, abs=0.001)
    debater.run(45, begin=25)
    assert debater.behind(70) == pytest.approx(0.17, abs=0.001)


def test_sound_that_would_only_be_late_is_rescued_before_the_window_is_over() -> None:
    debater = Debater(jitter=0.0)
    debater.run(20)
    debater.way += 0.4
    debater.run(2, begin=20)
    assert debater.behind(22) == pytest.approx(0.47, abs=0.01)


def test_trap_8_a_leap_of_timestamps_begins_anew() -> None:
    debater = Debater(jitter=0.0)
    debater.run(5)
    debater.audio_zero += 48_000 * 3600
    debater.run(5, begin=5)
    assert debater.behind(10) == pytest.approx(0.07, abs=0.001)


def test_a_first_burst_does_not_decide_the_delay() -> None:
    mapping = ClockMapping(DELAY, ORDER)
    for number in range(20):
        mapping.arrived("microphone", number * 960, 48_000, 1000.4)
    mapping.arrived("microphone", 20 * 960, 48_000, 1000.45)
    assert mapping.due("microphone", 20 * 960) == pytest.approx(1000.4 + 0.02, abs=0.001)


def test_a_picture_alone_is_its_own_reference() -> None:
    mapping = ClockMapping(DELAY, ORDER)
    mapping.arrived("camera", 0, 90_000, 5.0)
    assert mapping.due("camera", 9000) == pytest.approx(5.1)


def test_a_track_that_restarts_is_placed_by_its_next_frame() -> None:
    mapping = ClockMapping(DELAY, ORDER)
    mapping.arrived("camera", 0, 90_000, 5.0)
    mapping.restart("camera")
    mapping.arrived("camera", 777_000, 90_000, 6.0)
    assert mapping.due("camera", 777_000) == pytest.approx(6.0)


def test_a_step_of_the_senders_wall_clock_is_no_leap_of_the_sound() -> None:
    debater = Debater(jitter=0.0)
    debater.run(10)
    before = debater.behind(10)
    debater.mapping.report("microphone", NTP + 3600 + 10, debater.audio_timestamp(10))
    debater.run(0.5, begin=10)
    assert debater.behind(10.5) == pytest.approx(before, abs=0.01)
