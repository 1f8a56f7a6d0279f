"""Gains that follow a voice slowly and leave silence alone."""

import numpy as np
import pytest

from bridge.broadcast.media.leveller import ProgrammeLeveller, SideLeveller
from bridge.broadcast.media.loudness import energy_at, loudness, mean, measure_steps
from tests.voices import noise, silence, speech


def follow(leveller: SideLeveller | ProgrammeLeveller, sound: np.ndarray) -> np.ndarray:
    """The gain after each 100 ms."""
    gains = []
    for energy in measure_steps(sound):
        leveller.hear(energy)
        gains.append(leveller.gain)
    return np.array(gains)


@pytest.mark.parametrize("lufs", [-8.0, -14.0, -26.0, -35.0])
def test_a_voice_is_brought_to_18_below_in_a_few_seconds(lufs):
    gains = follow(SideLeveller(), speech(15, lufs))
    # The leveller leaves out pauses more finely than a meter does, and reads a little more.
    assert gains[80:].mean() == pytest.approx(-18 - lufs, abs=1.2)
    assert np.ptp(gains[80:]) < 2.5


@pytest.mark.parametrize(("lufs", "gain"), [(-1.0, -12.0), (-43.0, 18.0)])
def test_no_voice_is_moved_further_than_the_range(lufs, gain):
    assert follow(SideLeveller(), speech(15, lufs))[-1] == pytest.approx(gain, abs=0.05)


def test_after_the_first_second_the_gain_moves_like_a_hand():
    leveller = SideLeveller()
    follow(leveller, noise(1.5, -60))
    first = follow(leveller, speech(10, -32))
    second = np.diff(follow(leveller, speech(10, -12)))
    third = np.diff(follow(leveller, speech(10, -32)))
    assert 3.0 < first[11] < 14.0, "quick in the beginning"
    assert -0.6 - 1e-9 <= second.min() < -0.5
    assert 0.25 < third.max() <= 0.3 + 1e-9


def test_silence_holds_the_gain_and_hiss_is_not_pumped_up():
    leveller = SideLeveller()
    voice = speech(10, -30) + noise(10, -60, 2)
    held = follow(leveller, voice)[-1]
    after = follow(leveller, noise(30, -60))
    assert np.abs(after - held).max() < 0.1
    assert not leveller.voiced
    assert follow(leveller, silence(5))[-1] == pytest.approx(held, abs=0.1)


@pytest.mark.parametrize("decibels", [-60.0, -45.0, -30.0])
def test_hiss_from_the_beginning_is_no_voice(decibels):
    assert not follow(SideLeveller(), noise(20, decibels)).any()


def test_a_voice_over_a_fan_is_levelled_and_the_fan_alone_is_not():
    leveller = SideLeveller()
    fan = noise(20, -48, 3)
    voice = np.concatenate([silence(5), speech(10, -28), silence(5)], axis=1)
    gains = follow(leveller, fan + voice)
    assert not gains[:50].any()
    assert gains[145] == pytest.approx(10, abs=1.5)
    assert np.abs(gains[155:] - gains[152]).max() < 0.1


def test_who_comes_in_talking_is_turned_down_at_once_and_up_after_his_first_pause():
    loud, soft = SideLeveller(), SideLeveller()
    assert follow(loud, speech(1, -6))[-1] < -7
    gains = follow(soft, speech(8, -30))
    assert not gains[:9].any()
    assert gains[-1] > 10


def test_voice_activity_is_told_within_100_ms_and_ends_with_the_words():
    leveller = SideLeveller()
    follow(leveller, noise(3, -60))
    assert not leveller.voiced
    leveller.hear(energy_at(-25))
    assert leveller.voiced
    leveller.hear(energy_at(-58))
    assert not leveller.voiced


def test_another_microphone_is_learnt_quickly():
    leveller = SideLeveller()
    follow(leveller, speech(10, -12))
    follow(leveller, np.concatenate([silence(4), noise(1.5, -60)], axis=1))
    gains = follow(leveller, speech(4, -30, seed=5))
    assert gains[20] - gains[0] > 10


def test_the_sum_is_brought_to_16_below_at_half_a_db_a_second():
    gains = follow(ProgrammeLeveller(), speech(30, -20))
    assert gains[0] == 2.0
    assert gains[-1] == pytest.approx(4.0, abs=0.3)
    assert np.abs(np.diff(gains)).max() <= 0.05 + 1e-9
    assert follow(ProgrammeLeveller(), speech(30, -30))[-1] == pytest.approx(6.0, abs=0.1)
    assert follow(ProgrammeLeveller(), speech(30, -6))[-1] == pytest.approx(-2.0, abs=0.1)
    assert not np.diff(follow(ProgrammeLeveller(), noise(10, -60))).any()


def test_the_gate_measures_between_the_pauses():
    leveller = SideLeveller()
    words = [energy_at(-20.0)] * 3 + [energy_at(-55.0)] * 7
    for energy in words * 10:
        leveller.hear(energy)
    assert loudness(leveller._gate.energy) == pytest.approx(-20.0, abs=0.01)
    assert loudness(mean(words)) < -25
