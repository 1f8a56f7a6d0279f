"""Turns, voices, and mouths that follow them."""

import numpy as np
import pytest

from bridge.debater.drawn import mouth_shape
from bridge.debater.face import Mouth
from bridge.debater.persona import PERSONAS
from bridge.debater.turns import SLOT_SECONDS, SPEECH_SECONDS, turn_of
from bridge.debater.voice import SAMPLE_RATE, Utterance, beep, utter
from bridge.rooms.model import Side

EPOCH = 1_700_000_000.0 - 1_700_000_000.0 % (2 * SLOT_SECONDS)


@pytest.fixture(scope="module")
def utterances() -> dict[Side, Utterance]:
    return {side: utter(PERSONAS[side], SPEECH_SECONDS, 0) for side in Side}


def pitch_of(samples: np.ndarray) -> float:
    """Median over the voiced stretches of the autocorrelation's first peak, Hz."""
    found = []
    for start in range(0, samples.size - 2400, 2400):
        piece = samples[start : start + 2400].astype(float)
        if np.abs(piece).max() < 3000:
            continue
        piece -= piece.mean()
        correlation = np.correlate(piece, piece, "full")[piece.size - 1 :]
        low, high = SAMPLE_RATE // 300, SAMPLE_RATE // 80
        found.append(SAMPLE_RATE / (low + int(np.argmax(correlation[low:high]))))
    return float(np.median(found))


def test_even_slots_are_the_propositions_and_odd_ones_the_oppositions():
    for slot in range(6):
        middle = EPOCH + (slot + 0.5) * SLOT_SECONDS
        speaks = [side for side in Side if turn_of(side, middle)]
        assert speaks == [Side.PROPOSITION if slot % 2 == 0 else Side.OPPOSITION]


def test_turns_overlap_shortly_and_never_leave_a_long_silence():
    times = EPOCH + np.arange(0, 32, 0.05)
    speakers = [sum(turn_of(side, t) is not None for side in Side) for t in times]
    both = speakers.count(2) / len(speakers)
    assert 0 < both < 0.1
    assert speakers.count(0) == 0


def test_turns_are_numbered_and_positions_run_from_the_first_word():
    first = turn_of(Side.OPPOSITION, EPOCH + SLOT_SECONDS + 1.3)
    second = turn_of(Side.OPPOSITION, EPOCH + 3 * SLOT_SECONDS + 1.3)
    assert first is not None
    assert second is not None
    assert second.number == first.number + 1
    assert first.position == pytest.approx(1.0)


def test_the_sides_differ_in_pitch(utterances):
    assert pitch_of(utterances[Side.PROPOSITION].samples) == pytest.approx(205, rel=0.15)
    assert pitch_of(utterances[Side.OPPOSITION].samples) == pytest.approx(115, rel=0.15)


def test_voice_is_of_speech_level_and_does_not_clip(utterances):
    for utterance in utterances.values():
        samples = utterance.samples.astype(float) / 32768
        assert 0.05 < np.sqrt(np.mean(samples**2)) < 0.2
        assert np.abs(samples).max() < 0.95


def test_voice_has_formants_and_pauses(utterances):
    for utterance in utterances.values():
        samples = utterance.samples.astype(float)
        spectrum = np.abs(np.fft.rfft(samples)) ** 2
        frequency = np.fft.rfftfreq(samples.size, 1 / SAMPLE_RATE)
        band = [
            spectrum[(frequency >= a) & (frequency < b)].sum()
            for a, b in ((80, 1000), (1000, 4000), (8500, 24000))
        ]
        assert band[0] > band[1] > 100 * band[2]
        quiet = np.abs(samples).reshape(-1, 480).max(axis=1) < 50
        assert 0.1 < quiet.mean() < 0.6


def test_same_number_says_the_same_and_another_something_else():
    persona = PERSONAS[Side.PROPOSITION]
    one, again, other = utter(persona, 3, 1), utter(persona, 3, 1), utter(persona, 3, 2)
    assert np.array_equal(one.samples, again.samples)
    assert not np.array_equal(one.samples, other.samples)


def test_mouth_is_open_when_the_voice_is_loud_and_shut_in_pauses(utterances):
    for utterance in utterances.values():
        frames = range(int(SPEECH_SECONDS * 30))
        opening = np.array([utterance.mouth_at(n / 30)[0] for n in frames])
        loudness = np.array(
            [
                np.abs(utterance.samples[n * 1600 : (n + 1) * 1600].astype(float)).mean()
                for n in frames
            ]
        )
        assert np.corrcoef(opening, loudness)[0, 1] > 0.5
        assert opening[loudness < 20].max() < 0.15


def test_wider_openings_give_wider_mouths():
    shapes = [mouth_shape(opening, False) for opening in (0, 0.1, 0.3, 0.5, 0.9)]
    assert shapes == [Mouth.CLOSED, Mouth.SLIT, Mouth.HALF, Mouth.OPEN, Mouth.WIDE]
    assert mouth_shape(0.5, True) is Mouth.ROUND


@pytest.mark.parametrize("side", Side)
def test_beep_has_the_sides_pitch(side):
    samples = beep(PERSONAS[side].sync_pitch, 0.1).astype(float)
    spectrum = np.abs(np.fft.rfft(samples, SAMPLE_RATE))
    assert int(np.argmax(spectrum)) == pytest.approx(PERSONAS[side].sync_pitch, abs=3)
