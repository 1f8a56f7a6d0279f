"""Sound with due times in, continuous sound out: drift, holes, lateness, overflow."""

import numpy as np
import pytest

from bridge.broadcast.media.sources import AudioSource

RATE = 48_000
PACKET = 960
TICK = 1_600


def tone(first: int, count: int, frequency: float = 440.0) -> np.ndarray:
    """A sine that goes on from sample `first`, on both channels."""
    wave = 0.5 * np.sin(2 * np.pi * frequency * (first + np.arange(count)) / RATE)
    return np.stack([wave, wave]).astype(np.float32)


class Line:
    """A sender, the source, and a programme that reads a tick at a time."""

    def __init__(self, *, delay: float = 0.25, ahead: float = 0.1) -> None:
        self.source = AudioSource("proposition")
        self.begin, self.delay, self.ahead = 1_000.0, delay, ahead
        self.sent = self.read_count = 0

    def send(self, *, late: float = 0.0, lose: bool = False, drift: float = 0.0) -> None:
        due = self.begin + self.delay + self.sent / RATE * (1 + drift) + late
        if not lose:
            self.source.write(due, tone(self.sent, PACKET))
        self.sent += PACKET

    def read(self) -> np.ndarray:
        sound = self.source.read(self.begin + self.read_count / RATE, TICK)
        self.read_count += TICK
        assert sound.shape == (2, TICK)
        assert sound.dtype == np.float32
        return sound

    def run(self, seconds: float, drift: float = 0.0) -> np.ndarray:
        """Send what arrives by each tick, `ahead` seconds before it is due, and read."""
        out = []
        for _ in range(round(seconds * 30)):
            while self.sent / RATE + self.delay < self.read_count / RATE + self.ahead:
                self.send(drift=drift)
            out.append(self.read())
        return np.concatenate(out, axis=1)


def largest_step(sound: np.ndarray) -> float:
    return float(np.abs(np.diff(sound[0])).max())


TONE_STEP = 0.5 * 2 * np.pi * 440 / RATE * 1.05
"""What a 440 Hz tone of 0.5 steps by at most; a click would be more."""


def test_nothing_written_reads_as_silence():
    assert not Line().read().any()


def test_samples_are_heard_exactly_when_they_are_due():
    sound = Line(delay=0.25).run(2)
    heard = sound[:, round(0.25 * RATE) :]
    assert not sound[:, : round(0.25 * RATE)].any()
    np.testing.assert_array_equal(heard[:, 200:], tone(0, heard.shape[1])[:, 200:])
    assert largest_step(sound) < TONE_STEP


@pytest.mark.parametrize("drift", [100e-6, -100e-6])
def test_ten_minutes_of_100_ppm_drift_stay_within_20_ms_without_a_jump(drift):
    line = Line()
    errors: list[float] = []
    pulse = np.zeros((2, PACKET), np.float32)
    pulse[:, 480] = 1.0
    dues: dict[int, float] = {}
    for _ in range(600 * 30):
        while line.sent / RATE * (1 + drift) < line.read_count / RATE - 0.05:
            due = line.begin + line.delay + line.sent / RATE * (1 + drift)
            # One impulse a second stands for what should be heard when.
            marked = line.sent % (50 * PACKET) == 0
            line.source.write(due, pulse if marked else np.zeros_like(pulse))
            if marked:
                dues[len(dues)] = due + 480 / RATE
            line.sent += PACKET
        start = line.begin + line.read_count / RATE
        sound = line.read()[0]
        if sound.max() > 0.3:
            errors.append(start + int(sound.argmax()) / RATE - dues[len(errors)])
    assert len(errors) > 595
    assert max(map(abs, errors)) < 0.020
    assert max(map(abs, errors[10:])) < 0.001
    assert (line.source.jumps, line.source.late, line.source.dropped) == (0, 0, 0)


def test_drifting_sound_has_no_clicks():
    line = Line()
    sound = line.run(20, drift=100e-6)
    assert largest_step(sound) < TONE_STEP
    settled = sound[0, RATE:]
    assert abs(np.abs(settled).max() - 0.5) < 0.005


def test_a_lost_packet_is_a_hole_of_its_own_length_with_soft_edges():
    line = Line()
    line.run(1)
    before = line.sent
    line.send(lose=True)
    sound = line.run(1)
    assert largest_step(sound) < TONE_STEP
    silent = np.flatnonzero(np.abs(sound[0]) < 1e-9)
    longest = max(len(run) for run in np.split(silent, np.flatnonzero(np.diff(silent) > 1) + 1))
    # 4 ms of it are the tail of what was there before.
    assert longest == pytest.approx(PACKET - 192, abs=2)
    # What follows is in its own place, not moved up into the hole.
    first = round(line.delay * RATE) + before + 2 * PACKET - RATE
    np.testing.assert_array_equal(
        sound[:, first : first + PACKET], tone(before + 2 * PACKET, PACKET)
    )


def test_sound_that_stops_without_notice_fades_out():
    line = Line()
    line.run(1)
    sound = np.concatenate([line.read() for _ in range(30)], axis=1)
    assert largest_step(sound) < TONE_STEP
    assert not sound[:, RATE // 2 :].any()


def test_clearing_fades_out_and_the_next_sender_starts_afresh():
    line = Line()
    line.run(1)
    line.source.clear()
    assert largest_step(np.concatenate([line.read(), line.read()], axis=1)) < TONE_STEP
    line.begin -= 0.0123
    assert np.abs(line.run(1)).max() > 0.4


def test_a_small_step_of_the_senders_clock_is_taken_up_slowly():
    line = Line()
    line.run(1)
    line.delay -= 0.03
    sound = line.run(10)
    assert line.source.jumps == 0
    assert largest_step(sound) < TONE_STEP
    expected = tone(line.read_count - round(line.delay * RATE) - TICK, TICK)
    phase = np.vdot(_analytic(sound[0, -TICK:]), _analytic(expected[0]))
    assert abs(np.angle(phase)) / (2 * np.pi * 440) < 0.001


def test_a_large_step_backwards_is_jumped_with_a_cross_fade():
    line = Line(delay=0.5, ahead=0.4)
    line.run(1)
    line.delay -= 0.2
    sound = line.run(2)
    assert line.source.jumps == 1
    assert largest_step(sound) < 2 * TONE_STEP


def test_packets_that_come_a_little_too_late_are_heard_late_rather_than_never():
    line = Line()
    line.run(1)
    # From now on the network is slower than the playout delay by 50 ms.
    heard = []
    for _ in range(60):
        while line.sent / RATE + line.delay < line.read_count / RATE - 0.05:
            line.send()
        heard.append(line.read())
    sound = np.concatenate(heard, axis=1)
    assert line.source.late == 0
    assert np.abs(sound[:, RATE:]).max() > 0.4
    silent = np.abs(sound[0]) < 1e-9
    assert silent.sum() < 0.12 * RATE


def test_packets_more_than_200_ms_late_are_thrown_away_and_counted():
    line = Line()
    line.run(1)
    line.send(late=-0.5)
    assert line.source.late == PACKET


def test_nobody_reading_keeps_the_newest_two_seconds():
    line = Line()
    for _ in range(150):
        line.send()
    assert line.source.dropped == 50 * PACKET
    line.read_count = round((0.25 + 1.5) * RATE)
    heard = line.read()
    np.testing.assert_array_equal(heard[:, 200:], tone(round(1.5 * RATE), TICK)[:, 200:])


def test_a_programme_that_stood_still_goes_on_in_time():
    line = Line()
    line.run(1)
    while line.sent < 3 * RATE:
        line.send()
    line.read_count += RATE
    sound = line.read()
    at = line.read_count - TICK - round(line.delay * RATE)
    np.testing.assert_array_equal(sound[:, 200:], tone(at, TICK)[:, 200:])


class _Rising:
    """A delay that a test moves."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds


@pytest.mark.parametrize(("begin", "end"), [(0.25, 0.7), (0.7, 0.25)])
def test_a_delay_that_moves_is_followed_by_splices_without_a_gap_or_a_click(begin, end):
    delay = _Rising(begin)
    line = Line(delay=0.0, ahead=0.0)
    line.source = AudioSource("proposition", delay)
    line.run(2)
    pieces = []
    while abs(delay.seconds - end) > 1e-9:
        delay.seconds += max(-0.02 / 30, min(0.12 / 30, end - delay.seconds))
        pieces.append(line.run(1 / 30))
    pieces.append(line.run(3))
    sound = np.concatenate(pieces, axis=1)
    assert line.source.jumps == 0
    assert line.source.splices > 0
    assert largest_step(sound) < 1.1 * TONE_STEP
    loudness = [float(np.abs(block).max()) for block in np.array_split(sound[0], sound.size // 480)]
    assert min(loudness) > 0.4
    # Within what is left alone for splices, a period of the tone more or less.
    expected = tone(line.read_count - round(end * RATE) - TICK, TICK)
    phase = np.vdot(_analytic(sound[0, -TICK:]), _analytic(expected[0]))
    assert abs(np.angle(phase)) / (2 * np.pi * 440) < 0.001


def test_speech_like_sound_keeps_its_words_when_the_delay_moves():
    random = np.random.default_rng(5)
    voice = np.cumsum(random.normal(0, 0.02, RATE * 12))
    voice -= np.convolve(voice, np.ones(480) / 480, "same")
    periodic = sum(np.sin(2 * np.pi * 117 * n * np.arange(RATE * 12) / RATE) / n for n in (1, 2, 3))
    spoken = (0.2 * periodic + 0.1 * voice).astype(np.float32)
    delay = _Rising(0.25)
    source = AudioSource("proposition", delay)
    heard, sent = [], 0
    for tick in range(30 * 10):
        while sent <= (tick + 1) * TICK:
            block = spoken[sent : sent + PACKET]
            source.write(sent / RATE, np.stack([block, block]))
            sent += PACKET
        delay.seconds = min(0.7, delay.seconds + 0.12 / 30)
        heard.append(source.read(tick * TICK / RATE, TICK))
    sound = np.concatenate(heard, axis=1)[0]
    at = sound.size - RATE
    place = at - round(0.7 * RATE)
    lags = range(-960, 961, 8)
    likeness = [
        float(np.dot(sound[at : at + 9600], spoken[place + lag : place + lag + 9600]))
        for lag in lags
    ]
    assert abs(list(lags)[int(np.argmax(likeness))]) / RATE < 0.015
    assert source.jumps == 0


def test_empty_writes_are_nothing():
    line = Line()
    line.source.write(1_000.0, np.zeros((2, 0), np.float32))
    assert not line.read().any()


def _analytic(wave: np.ndarray) -> np.ndarray:
    """Correlate with 440 Hz: amplitude and phase in one number."""
    return np.array([np.dot(wave, np.exp(-2j * np.pi * 440 * np.arange(wave.size) / RATE))])
