"""Speech without words, made of numbers: a glottal source through the formants of vowels.

Source-filter model (Fant, 1960), worked out per harmonic instead of per sample: each harmonic of
the fundamental is a sine whose amplitude is the source's spectrum times three resonances at its
momentary frequency. That needs no recursive filter, so numpy does eight seconds in well under one.
Consonants are short bursts of coloured noise. The same seed always says the same.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from bridge.debater.persona import Persona

SAMPLE_RATE: Final = 48_000
_RATE: Final = 16_000
"""Of the synthesis; there is little above 8 kHz in a voice, and Opus is asked for voice."""
_CONTROL_RATE: Final = 200
"""Values per second of pitch, formants and loudness."""
_BANDWIDTHS: Final = (80.0, 110.0, 160.0)
"""Of the three formants, Hz."""
_RMS: Final = 0.14
"""Of the voiced stretches, of full scale: about -17 dBFS."""

Samples = npt.NDArray[np.int16]
Values = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Vowel:
    """Formants of a man's vowel in Hz (Peterson and Barney, 1952) and what the mouth does."""

    formants: tuple[float, float, float]
    opening: float
    """How far the mouth opens, 0 to 1."""
    rounded: bool = False


VOWELS: Final = (
    Vowel((730, 1090, 2440), 1.0),
    Vowel((530, 1840, 2480), 0.75),
    Vowel((270, 2290, 3010), 0.45),
    Vowel((570, 840, 2410), 0.8, rounded=True),
    Vowel((300, 870, 2240), 0.5, rounded=True),
    Vowel((500, 1500, 2500), 0.6),
)


@dataclass(frozen=True, slots=True)
class Syllable:
    """One syllable of an utterance; times in seconds."""

    start: float
    length: float
    vowel: Vowel
    pitch: float
    loudness: float
    hiss: float
    """Loudness of the consonant before the vowel; 0: none."""


@dataclass(frozen=True, slots=True)
class Utterance:
    """A turn's worth of speech."""

    samples: Samples
    """Mono, 48 kHz."""
    syllables: tuple[Syllable, ...]

    def mouth_at(self, position: float) -> tuple[float, bool]:
        """How far the mouth is open (0 to 1) and whether it is rounded, `position` seconds in."""
        for syllable in self.syllables:
            if syllable.start <= position < syllable.start + syllable.length:
                through = (position - syllable.start) / syllable.length
                wide = syllable.vowel.opening * syllable.loudness * float(np.sin(np.pi * through))
                return wide, syllable.vowel.rounded
        return 0.0, False


def utter(persona: Persona, seconds: float, number: int) -> Utterance:
    """Say something for `seconds`; `number` tells utterances of one persona apart."""
    rng = np.random.default_rng((persona.seed, number))
    syllables = _compose(persona, seconds, rng)
    voiced = _voiced(persona, syllables, seconds)
    level = float(np.sqrt(np.mean(np.square(voiced[np.abs(voiced) > 0])))) if voiced.any() else 1.0
    speech = _upsample(voiced / level * _RMS + _consonants(syllables, seconds, rng))
    # A soft knee instead of clipping: peaks of speech are 12 dB and more above its mean.
    speech = np.tanh(speech * 1.2) / 1.2
    return Utterance(np.round(speech * 32_000).astype(np.int16), tuple(syllables))


def _compose(persona: Persona, seconds: float, rng: np.random.Generator) -> list[Syllable]:
    """Phrases of four to nine syllables whose pitch falls, with a breath between them."""
    syllables: list[Syllable] = []
    time = 0.05
    while time < seconds - 1.0:
        count = int(rng.integers(4, 10))
        stressed = int(rng.integers(0, count))
        for index in range(count):
            length = float(rng.uniform(0.13, 0.21)) * (1.25 if index == count - 1 else 1.0)
            if time + length > seconds - 0.1:
                break
            stress = index == stressed
            fall = 1.12 - 0.24 * index / count + (0.10 if stress else 0.0)
            syllables.append(
                Syllable(
                    start=time,
                    length=length,
                    vowel=VOWELS[int(rng.integers(len(VOWELS)))],
                    pitch=persona.pitch * fall * float(rng.uniform(0.97, 1.03)),
                    loudness=1.0 if stress else float(rng.uniform(0.6, 0.9)),
                    hiss=float(rng.uniform(0.3, 1.0)) if rng.random() < 0.6 else 0.0,
                )
            )
            time += length + float(rng.uniform(0.015, 0.05))
        time += float(rng.uniform(0.22, 0.5))
    return syllables


def _voiced(persona: Persona, syllables: list[Syllable], seconds: float) -> Values:
    """All vowels, at the synthesis rate, in arbitrary units."""
    control = np.arange(int(seconds * _CONTROL_RATE) + 1) / _CONTROL_RATE
    times = np.arange(int(seconds * _RATE)) / _RATE
    pitch, formants = _contours(persona, syllables, control)
    # A natural voice wavers by about one per cent, five times a second.
    pitch = pitch * (1 + 0.012 * np.sin(2 * np.pi * 5.1 * control))
    phase = 2 * np.pi * np.cumsum(np.interp(times, control, pitch)) / _RATE
    sound = np.zeros_like(times)
    highest = int(0.45 * _RATE / float(pitch.max()))
    for harmonic in range(1, min(highest, 40) + 1):
        frequency = harmonic * pitch
        # 12 dB per octave down from the glottis, 6 up again from the lips.
        gain = _resonances(frequency, formants) / harmonic
        sound += np.interp(times, control, gain) * np.sin(harmonic * phase)
    return np.asarray(sound * np.interp(times, control, _loudness(syllables, control)))


def _contours(
    persona: Persona, syllables: list[Syllable], control: Values
) -> tuple[Values, list[Values]]:
    """Pitch and the three formants over `control`, gliding from one syllable to the next."""
    knots = [
        edge for s in syllables for edge in (s.start + 0.3 * s.length, s.start + 0.8 * s.length)
    ]
    pitch = np.interp(control, knots, [s.pitch * bend for s in syllables for bend in (1.02, 0.97)])
    formants = [
        np.interp(control, knots, [s.vowel.formants[f] for s in syllables for _ in range(2)])
        * persona.formant_scale
        for f in range(3)
    ]
    return pitch, formants


def _resonances(frequency: Values, formants: list[Values]) -> Values:
    """Magnitude of three resonators in cascade, each with gain 1 at 0 Hz."""
    gain = np.ones_like(frequency)
    for centre, bandwidth in zip(formants, _BANDWIDTHS, strict=True):
        gain *= centre**2 / np.hypot(centre**2 - frequency**2, bandwidth * frequency)
    return gain


def _loudness(syllables: list[Syllable], control: Values) -> Values:
    """Envelope: up in 30 ms, down in 50 ms, exactly 0 between syllables."""
    envelope = np.zeros_like(control)
    for syllable in syllables:
        since, left = control - syllable.start, syllable.start + syllable.length - control
        shape = np.minimum(np.clip(since / 0.03, 0, 1), np.clip(left / 0.05, 0, 1))
        envelope = np.maximum(envelope, syllable.loudness * np.sin(np.pi / 2 * shape) ** 2)
    return envelope


def _consonants(syllables: list[Syllable], seconds: float, rng: np.random.Generator) -> Values:
    """Noise between 2.5 and 7 kHz around the onset of the syllables that have some."""
    size = int(seconds * _RATE)
    spectrum = np.fft.rfft(rng.standard_normal(size))
    frequency = np.fft.rfftfreq(size, 1 / _RATE)
    noise = np.fft.irfft(spectrum * ((frequency > 2500) & (frequency < 7000)), size)
    times = np.arange(size) / _RATE
    envelope = np.zeros(size)
    for syllable in syllables:
        if syllable.hiss:
            bell = np.exp(-(((times - syllable.start) / 0.022) ** 2))
            envelope = np.maximum(envelope, syllable.hiss * bell)
    return np.asarray(noise * envelope * 0.03)


def _upsample(sound: Values) -> Values:
    """From the synthesis rate to 48 kHz, by padding the spectrum."""
    factor = SAMPLE_RATE // _RATE
    size = sound.size * factor
    return np.fft.irfft(np.fft.rfft(sound), size) * factor


def beep(frequency: float, seconds: float) -> Samples:
    """Return a sine at -12 dBFS with 2 ms ramps: mono, 48 kHz."""
    times = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    ramp = np.clip(np.minimum(times, times[::-1]) / 0.002, 0, 1)
    return np.round(8192 * ramp * np.sin(2 * np.pi * frequency * times)).astype(np.int16)
