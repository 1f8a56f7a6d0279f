"""BS.1770-4 against its own definitions; ffmpeg judges it in tests/component."""

import numpy as np
import pytest

from bridge.broadcast.media.loudness import (
    BLOCK,
    SILENCE,
    KWeighting,
    LoudnessMeter,
    energy_at,
    integrated,
    loudness,
    measure_steps,
)
from tests.voices import RATE, noise, silence, speech

SECTIONS = (
    (
        (1.53512485958697, -2.69169618940638, 1.19839281085285),
        (-1.69065929318241, 0.73248077421585),
    ),
    ((1.0, -2.0, 1.0), (-1.99004745483398, 0.99007225036621)),
)


def tone(seconds: float, decibels: float, frequency: float = 1_000.0) -> np.ndarray:
    wave = 10 ** (decibels / 20) * np.sin(
        2 * np.pi * frequency * np.arange(round(seconds * RATE)) / RATE
    )
    return np.stack([wave, wave]).astype(np.float32)


def weigh_one_by_one(wave: np.ndarray) -> np.ndarray:
    """The filter as the recommendation draws it."""
    for (b0, b1, b2), (a1, a2) in SECTIONS:
        out = np.zeros(wave.size)
        for n in range(wave.size):
            out[n] = b0 * wave[n]
            if n >= 1:
                out[n] += b1 * wave[n - 1] - a1 * out[n - 1]
            if n >= 2:
                out[n] += b2 * wave[n - 2] - a2 * out[n - 2]
        wave = out
    return wave


@pytest.mark.parametrize("blocks", [1, 6, 33, 34])
def test_by_blocks_the_filter_gives_what_it_gives_sample_by_sample(blocks):
    sound = noise(0.2, -10)[:, : 102 * BLOCK]
    sound[1] *= 0.5
    weighting = KWeighting()
    step = blocks * BLOCK
    found = np.concatenate(
        [weighting.energies(sound[:, at : at + step]) for at in range(0, sound.shape[1], step)]
    )
    squares = np.sum([weigh_one_by_one(channel.astype(float)) ** 2 for channel in sound], axis=0)
    np.testing.assert_allclose(found, squares.reshape(-1, BLOCK).sum(axis=1), rtol=1e-9)


def test_the_reference_tone_has_the_reference_loudness():
    # EBU Tech 3341, case 1: 1 kHz in both channels at -23 dBFS is -23 LUFS.
    meter = LoudnessMeter()
    sound = tone(4, -23)
    for at in range(0, sound.shape[1], 1_600 // BLOCK * BLOCK):
        meter.add(sound[:, at : at + 1_600 // BLOCK * BLOCK])
    assert meter.momentary == pytest.approx(-23, abs=0.05)
    assert meter.short_term == pytest.approx(-23, abs=0.05)
    assert integrated(measure_steps(sound)) == pytest.approx(-23, abs=0.05)


def test_both_gates_leave_out_what_is_between_the_words():
    # EBU Tech 3341, case 3 in small: softer parts before and behind do not count.
    parts = [tone(4, -36), tone(20, -23), tone(4, -36), silence(10)]
    assert integrated(measure_steps(np.concatenate(parts, axis=1))) == pytest.approx(-23, abs=0.1)


def test_silence_is_the_bottom_of_the_scale_and_costs_no_denormals():
    meter = LoudnessMeter()
    meter.add(tone(0.033, -6))
    for _ in range(200):
        meter.add(silence(0.033))
    assert meter.short_term == SILENCE
    assert not meter._weighting._state.any()
    assert integrated([0.0] * 50) == integrated([]) == SILENCE


def test_an_energy_and_its_loudness_belong_together():
    assert loudness(energy_at(-23.0)) == pytest.approx(-23.0)


def test_a_made_up_voice_is_as_loud_as_was_asked():
    assert integrated(measure_steps(speech(5, -27))) == pytest.approx(-27, abs=0.01)
