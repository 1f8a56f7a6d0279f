"""Sound that is like people speaking, and independent judges of what became of it."""

from collections.abc import Callable, Iterable

import numpy as np

from bridge.broadcast.media.frames import Samples
from bridge.broadcast.media.loudness import integrated, measure_steps

RATE = 48_000


def speech(seconds: float, lufs: float, seed: int = 1, breath: float = 0.2) -> Samples:
    """Harmonics and breath in syllables, in sentences with pauses; `lufs` integrated."""
    random = np.random.default_rng(seed)
    count = round(seconds * RATE)
    time = np.arange(count) / RATE
    pitch = random.uniform(90, 220)
    phase = 2 * np.pi * pitch * (time + 0.01 * np.sin(2 * np.pi * 0.7 * time))
    voice = np.zeros(count)
    for harmonic in range(1, 9):
        voice += np.sin(harmonic * phase + random.uniform(0, 6)) / harmonic
    hiss = np.convolve(random.standard_normal(count), np.ones(6) / 6, "same")
    wave = (voice + breath * hiss) * _syllables(count, random)
    both = np.stack([wave, wave]).astype(np.float32)
    return at_loudness(both, lufs)


def noise(seconds: float, decibels: float, seed: int = 1) -> Samples:
    """A steady hiss of `decibels` dBFS RMS."""
    wave = np.random.default_rng(seed).standard_normal(round(seconds * RATE)) * 10 ** (
        decibels / 20
    )
    return np.stack([wave, wave]).astype(np.float32)


def silence(seconds: float) -> Samples:
    return np.zeros((2, round(seconds * RATE)), np.float32)


def at_loudness(sound: Samples, lufs: float) -> Samples:
    """`sound`, amplified until a meter shows `lufs` integrated."""
    gain = 10 ** ((lufs - integrated(measure_steps(sound))) / 20)
    return (sound * gain).astype(np.float32)


def _syllables(count: int, random: np.random.Generator) -> np.ndarray:
    """An envelope: 3 to 6 syllables a second, a pause every few seconds."""
    envelope = np.zeros(count)
    at = 0
    sentence = random.uniform(2, 4) * RATE
    while at < count:
        length = int(random.uniform(0.16, 0.33) * RATE)
        piece = np.sin(np.pi * np.arange(length) / length) ** 0.7 * random.uniform(0.6, 1)
        envelope[at : at + length] = piece[: count - at]
        at += length
        sentence -= length
        if sentence < 0:
            at += int(random.uniform(0.3, 0.8) * RATE)
            sentence = random.uniform(2, 4) * RATE
    return envelope


def clicks(sound: Samples, steepest: float) -> list[int]:
    """Samples at which the wave jumps by more than `steepest`, the most that its content can."""
    return np.flatnonzero(np.abs(np.diff(sound, axis=1)).max(axis=0) > steepest).tolist()


def true_peak(sound: Samples) -> float:
    """dBTP, by 4 times oversampling with a windowed sinc of 64 taps: sharper than the annex's."""
    taps = np.arange(-32, 32)
    points = [np.abs(sound).max()]
    for quarter in (0.25, 0.5, 0.75):
        kernel = np.sinc(taps + quarter) * np.kaiser(65, 8)[:64]
        points += [np.abs(np.convolve(channel, kernel, "valid")).max() for channel in sound]
    return float(20 * np.log10(max(points)))


def in_ticks(mix: Callable[[int], Samples], counts: Iterable[int]) -> Samples:
    """What a mixer gives, tick by tick."""
    return np.concatenate([mix(count) for count in counts], axis=1)
