"""Sum, ceiling, sample positions, meters."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.broadcast.media.levels import measure
from bridge.broadcast.media.limiter import CEILING, LOOK_AHEAD, Limiter
from bridge.broadcast.media.loudness import BLOCK
from bridge.broadcast.media.mixer import Mixer
from bridge.broadcast.media.sources import AudioSource

RATE = 48_000


def sine(count: int, amplitude: float, frequency: float = 440.0) -> np.ndarray:
    wave = amplitude * np.sin(2 * np.pi * frequency * np.arange(count) / RATE)
    return np.stack([wave, wave]).astype(np.float32)


def run(limiter: Limiter, sound: np.ndarray, step: int = 33 * BLOCK) -> np.ndarray:
    """Limit `sound` piece by piece and take the delay out again."""
    padded = np.concatenate([sound, np.zeros((2, LOOK_AHEAD + step), np.float32)], axis=1)
    padded = padded[:, : padded.shape[1] // step * step]
    pieces = [limiter.process(padded[:, at : at + step]) for at in range(0, padded.shape[1], step)]
    return np.concatenate(pieces, axis=1)[:, LOOK_AHEAD : LOOK_AHEAD + sound.shape[1]]


def test_what_is_below_the_ceiling_passes_untouched():
    sound = sine(RATE, 0.84)
    np.testing.assert_array_equal(run(Limiter(), sound), sound)


@given(
    st.lists(st.tuples(st.floats(0, 8), st.integers(1, 3_000)), min_size=1, max_size=12),
    st.integers(0, 2**32 - 1),
    st.sampled_from([1, 2, 33, 100]),
)
def test_nothing_ever_passes_the_ceiling(bursts, seed, blocks):
    random = np.random.default_rng(seed)
    sound = np.concatenate(
        [amplitude * random.uniform(-1, 1, (2, count)) for amplitude, count in bursts], axis=1
    ).astype(np.float32)
    assert np.abs(run(Limiter(), sound, blocks * BLOCK)).max() <= CEILING + 1e-6


def test_the_gain_neither_steps_nor_depends_on_how_the_sound_is_cut():
    loud = np.concatenate([sine(RATE // 2, 0.3), sine(RATE // 2, 2.0), sine(RATE, 0.3)], axis=1)
    limited = run(Limiter(), loud)
    np.testing.assert_allclose(limited, run(Limiter(), loud, BLOCK), atol=1e-6)
    with np.errstate(divide="ignore", invalid="ignore"):
        gain = np.where(np.abs(loud[0]) > 0.02, limited[0] / loud[0], np.nan)
    gain = gain[~np.isnan(gain)]
    assert np.abs(np.diff(gain)).max() < 0.02
    assert gain[-1] > 0.99, "the gain comes back"


def test_sample_n_of_the_mix_is_what_the_source_has_at_its_time():
    source = AudioSource("proposition")
    click = np.zeros((2, RATE), np.float32)
    click[:, 1_000:1_010] = 0.5
    source.write(100.0, click)
    mixer = Mixer([source])
    mixer.start(100.0)
    mixed = np.concatenate([mixer.mix(count) for count in (1, 799, 801, 1_600, 7)], axis=1)
    assert np.flatnonzero(mixed[0]).tolist() == list(range(1_000, 1_010))


def test_both_sides_are_summed_a_little_apart():
    sources = [AudioSource("proposition"), AudioSource("opposition")]
    mixer = Mixer(sources)
    waves = [sine(RATE, 0.2, frequency) for frequency in (440, 660)]
    for source, wave in zip(sources, waves, strict=True):
        source.write(100.0, wave)
    mixer.start(100.0)
    # Shorter than the levellers wait before they move anything.
    mixed = np.concatenate([mixer.mix(1_600) for _ in range(8)], axis=1)
    near, far = (2**0.5 * np.cos(np.pi / 4 * (1 + place)) for place in (-0.1, 0.1))
    left, right = near * waves[0][0] + far * waves[1][0], far * waves[0][0] + near * waves[1][0]
    expected = np.stack([left, right]) * 10 ** (2 / 20)
    np.testing.assert_allclose(mixed[:, 400:], expected[:, 400 : mixed.shape[1]], atol=1e-5)


def test_a_mix_without_anybody_is_continuous_silence():
    mixer = Mixer([])
    mixer.start(0.0)
    assert not mixer.mix(48_000).any()


def test_meters_show_each_source_by_itself():
    loud, quiet = AudioSource("proposition"), AudioSource("opposition")
    loud.write(100.0, sine(RATE, 0.5))
    mixer = Mixer([loud, quiet])
    mixer.start(100.0)
    for _ in range(3):
        mixer.mix(1_600)
    assert mixer.levels["proposition"].peak == pytest.approx(-6.02, abs=0.1)
    assert mixer.levels["proposition"].rms == pytest.approx(-9.03, abs=0.1)
    assert mixer.levels["opposition"].peak == -100.0


def test_a_full_scale_square_wave_measures_0_dbfs():
    assert measure(np.ones((2, 100), np.float32))[1] == pytest.approx(0)
    assert measure(np.zeros((2, 0), np.float32))[0] == -100.0
