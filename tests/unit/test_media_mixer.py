"""Sum, ceiling, sample positions, meters."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.broadcast.media.floor import FloorState
from bridge.broadcast.media.levels import measure
from bridge.broadcast.media.limiter import CEILING, LOOK_AHEAD, Limiter
from bridge.broadcast.media.loudness import BLOCK, integrated, measure_steps
from bridge.broadcast.media.mixer import Mixer
from bridge.broadcast.media.sources import AudioSource
from tests.voices import clicks, noise, silence, speech, true_peak

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
    sound = sine(RATE, 0.79)
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


@given(st.integers(0, 2**32 - 1), st.floats(0.5, 6), st.sampled_from([500, 2_000, 8_000]))
@settings(max_examples=30)
def test_nothing_passes_the_ceiling_between_the_samples_either(seed, amplitude, band):
    random = np.random.default_rng(seed)
    spectrum = np.fft.rfft(random.standard_normal((2, RATE // 4)))
    spectrum[:, band // 4 :] = 0
    sound = np.fft.irfft(spectrum)
    sound = (amplitude * sound / np.abs(sound).max()).astype(np.float32)
    # The recommendation's filter reads up to 0.2 dB too little up there.
    assert true_peak(run(Limiter(), sound)) <= 20 * np.log10(CEILING) + 0.25


def test_a_peak_that_no_sample_shows_is_found():
    # A quarter of the rate, sampled 45 degrees beside the peaks: 3 dB between the samples.
    wave = 1.1 * np.sin(np.pi / 2 * np.arange(RATE) + np.pi / 4)
    sound = np.stack([wave, wave]).astype(np.float32)
    assert np.abs(sound).max() < CEILING
    assert true_peak(run(Limiter(), sound)[:, 480:-480]) <= 20 * np.log10(CEILING) + 0.1


class Recorded(AudioSource):
    """Has what is given from second 100 on, and remembers what was read."""

    def __init__(self, name: str, sound: np.ndarray) -> None:
        super().__init__(name)
        self.sound = sound
        self.reads: list[tuple[float, int]] = []

    def read(self, start: float, count: int) -> np.ndarray:
        self.reads.append((start, count))
        at = round((start - 100.0) * RATE)
        piece = self.sound[:, at : at + count]
        return np.pad(piece, ((0, 0), (0, count - piece.shape[1])))


def test_placement_changes_no_loudness():
    sound = speech(6, -18)
    both = []
    for placed in (True, False):
        mixer = Mixer([Recorded("a", sound), Recorded("b", silence(6))], placed=placed)
        mixer.start(100.0)
        both.append(mixer.mix(6 * RATE))
    left, right = np.abs(both[0]).max(axis=1)
    assert 20 * np.log10(left / right) == pytest.approx(1.37, abs=0.05)
    assert np.array_equal(both[1][0], both[1][1])
    placed_loudness, middle = (integrated(measure_steps(sound)) for sound in both)
    assert placed_loudness == pytest.approx(middle, abs=0.02)


def test_a_side_without_the_floor_is_ducked_and_closed_but_still_metered():
    mixer = Mixer([Recorded("a", speech(9, -18))])
    mixer.start(100.0)
    heard = []
    for state in FloorState:
        mixer.set_floor("a", state)
        heard.append(np.sqrt(np.mean(mixer.mix(3 * RATE)[:, RATE // 10 :] ** 2)))
        assert mixer.levels["a"].floor is state
        assert mixer.levels["a"].short_term > -22
    assert 20 * np.log10(heard[1] / heard[0]) == pytest.approx(-15, abs=2)
    assert heard[2] == 0


def test_levels_tell_the_voice_its_loudness_and_its_gain():
    mixer = Mixer([Recorded("a", speech(8, -24)), Recorded("b", noise(8, -60))])
    mixer.start(100.0)
    before = mixer.levels
    voiced = 0
    for _ in range(8 * 30):
        mixer.mix(1_600)
        voiced += mixer.levels["a"].voiced
        assert not mixer.levels["b"].voiced
    assert 120 < voiced < 235, "there are pauses"
    assert mixer.levels["a"].short_term == pytest.approx(-24, abs=2)
    assert mixer.levels["a"].gain == pytest.approx(6, abs=1.2)
    assert mixer.levels["b"].gain == 0
    assert before["a"].short_term == -100.0
    with pytest.raises(TypeError):
        mixer.levels["a"] = before["a"]  # type: ignore[index]


def test_sample_counts_are_exact_over_hours():
    source = Recorded("a", silence(0))
    mixer = Mixer([source])
    mixer.start(100.0)
    mixed = 0
    for tick in range(1, 3_000):
        end = tick * RATE // 29  # counts that are no whole milliseconds
        mixed += mixer.mix(end - mixed).shape[1]
        assert mixed == end
    # Every sample was read once, and what is read is never more than a block ahead of the mix.
    assert sum(count for _, count in source.reads) - mixed - LOOK_AHEAD in range(BLOCK)
    mixer._read += 12 * 3600 * RATE
    reads = len(source.reads)
    mixer.mix(10 * RATE)
    position = mixer._read - sum(count for _, count in source.reads[reads:])
    for start, count in source.reads[reads:]:
        assert round((start - 100.0) * RATE, 3) == position
        position += count


STEEPEST = 0.05
"""More than two of the voices below do together between two samples, placed and amplified."""


def smooth_voice(seconds: float, seed: int = 1) -> np.ndarray:
    return speech(seconds, -20, seed, breath=0.0)


def test_the_click_detector_finds_a_cut_and_passes_the_voice():
    voice = smooth_voice(4)
    assert clicks(voice * np.float32(1.6), STEEPEST) == []
    place = int(np.argmax(np.abs(voice[0]) > 0.08))
    cut = voice.copy()
    cut[:, place:] = 0
    assert clicks(cut, STEEPEST) == [place - 1]


def test_mute_floor_holes_and_rejoin_leave_no_click():
    sources = [AudioSource("a"), AudioSource("b")]
    mixer = Mixer(sources)
    voices = [smooth_voice(12, 1), smooth_voice(12, 2)]
    mixer.start(100.0)
    floors = {90: FloorState.DUCKED, 100: FloorState.CLOSED, 101: FloorState.OPEN}
    mixed = []
    for tick in range(360):
        due, place = 100.05 + tick / 30, slice(tick * 1_600, tick * 1_600 + 1_600)
        for source, voice in zip(sources, voices, strict=True):
            lost = tick % 25 == 7 or 150 <= tick < 170
            if source is sources[0] and not lost:
                source.write(due, voice[:, place])
            elif source is sources[1] and tick > 200:
                source.write(due + 0.0123 * (tick > 280), voice[:, place])
        if tick in {220, 300}:
            sources[tick == 300].clear()
        if tick in floors:
            mixer.set_floor("a", floors[tick])
        mixed.append(mixer.mix(1_600))
    sound = np.concatenate(mixed, axis=1)
    assert np.abs(sound).max() > 0.2
    assert clicks(sound, STEEPEST) == []
