"""The programme's sound as ffmpeg's meters and decoders find it."""

from collections.abc import Sequence

import numpy as np
import pytest

from bridge.broadcast.media.frames import Samples
from bridge.broadcast.media.limiter import Limiter
from bridge.broadcast.media.loudness import BLOCK, integrated, loudness, mean, measure_steps
from bridge.broadcast.media.mixer import Mixer
from bridge.broadcast.media.sources import AudioSource
from tests.component.sound_judges import decode_aac, ebur128
from tests.voices import RATE, noise, silence, speech, true_peak

TURN = 8
TURNS = 6


class Recorded(AudioSource):
    """Has what is given from second 0 on."""

    def __init__(self, name: str, sound: Samples) -> None:
        super().__init__(name)
        self.sound = sound

    def read(self, start: float, count: int) -> Samples:
        at = round(start * RATE)
        piece = self.sound[:, at : at + count]
        return np.pad(piece, ((0, 0), (0, count - piece.shape[1])))


def debate(lufs: Sequence[float]) -> Samples:
    """Two people take turns, each before his own hiss."""
    sides = []
    for side in (0, 1):
        turns = [
            speech(TURN, lufs[side], 10 * side + turn) if turn % 2 == side else silence(TURN)
            for turn in range(TURNS)
        ]
        sides.append(np.concatenate(turns, axis=1) + noise(TURN * TURNS, -60, side))
    mixer = Mixer([Recorded(name, sound) for name, sound in zip("ab", sides, strict=True)])
    mixer.start(0.0)
    return np.concatenate([mixer.mix(1_600) for _ in range(TURN * TURNS * 30)], axis=1)


@pytest.fixture(scope="module")
def uneven() -> Samples:
    return debate((-14.0, -26.0))


@pytest.mark.parametrize("lufs", [-14.0, -30.0])
def test_the_meters_agree_with_ffmpeg(lufs):
    sound = np.concatenate([speech(8, lufs), noise(3, -62), speech(5, lufs - 4, 2)], axis=1)
    steps = measure_steps(sound)
    whole, short_term, peak = ebur128(sound)
    assert integrated(steps) == pytest.approx(whole, abs=0.05)
    assert loudness(mean(steps[-30:])) == pytest.approx(short_term, abs=0.05)
    assert true_peak(sound) == pytest.approx(peak, abs=0.1)


def test_two_people_12_db_apart_are_equally_loud(uneven):
    # Short-term loudness every second, of the second half of each turn; pauses move single values.
    turns = []
    for turn in range(TURNS):
        begin = (turn * TURN + TURN // 2) * RATE
        steps = measure_steps(uneven[:, begin : begin + TURN // 2 * RATE])
        turns.append(
            float(np.median([loudness(mean(steps[at : at + 30])) for at in range(0, 31, 10)]))
        )
    first, second = np.mean(turns[2::2]), np.mean(turns[3::2])
    assert first == pytest.approx(second, abs=1.0)
    assert np.ptp(turns) < 2.5


def test_a_debate_is_at_16_lufs_integrated(uneven):
    assert ebur128(uneven)[0] == pytest.approx(-16, abs=1)


@pytest.mark.parametrize("lufs", [(-18.0, -18.0), (-8.0, -33.0)])
def test_other_debates_are_too(lufs):
    assert ebur128(debate(lufs))[0] == pytest.approx(-16, abs=1)


@pytest.mark.parametrize("kbps", [96, 128, 192])
def test_limited_voices_stay_below_1_dbtp_after_aac(kbps):
    voices = speech(5, -6) + np.array([[1.07], [0.92]], np.float32) * speech(5, -9, 2)
    limiter = Limiter()
    step = 33 * BLOCK
    pieces = [
        limiter.process(voices[:, at : at + step])
        for at in range(0, voices.shape[1] // step * step, step)
    ]
    limited = np.concatenate(pieces, axis=1)
    assert true_peak(voices) > 3, "there is something to limit"
    assert true_peak(limited) <= -1.85
    assert true_peak(decode_aac(limited, kbps)) <= -1


def test_a_debate_stays_below_1_dbtp_after_aac(uneven):
    assert true_peak(uneven) <= -1.85
    assert ebur128(decode_aac(uneven[:, : 20 * RATE]))[2] <= -1


def test_hiss_between_two_speeches_is_not_pumped_up():
    sound = np.concatenate([speech(8, -30), silence(20), speech(4, -30, 2)], axis=1)
    mixer = Mixer([Recorded("a", sound + noise(32, -60, 3))])
    mixer.start(0.0)
    mixed = mixer.mix(32 * RATE)
    early, late = (measure_steps(mixed[:, at * RATE : (at + 2) * RATE]) for at in (9, 25))
    assert loudness(mean(late)) == pytest.approx(loudness(mean(early)), abs=0.2)
