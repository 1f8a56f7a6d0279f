"""A debater without camera or microphone: drawn, voiced, with a clock in the picture."""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from av import VideoFrame

from bridge.debater.burn_in import BurnIn
from bridge.debater.canvas import Canvas, Planes, rasterise
from bridge.debater.face import (
    BROW_ROWS,
    HEAD_BOX,
    HEIGHT,
    POSES,
    WIDTH,
    Eyes,
    Mouth,
    flat_svg,
    head_svg,
    scene_svg,
)
from bridge.debater.persona import PERSONAS, Persona
from bridge.debater.source import FPS, SOUND_SAMPLES
from bridge.debater.turns import SPEECH_SECONDS, turn_of
from bridge.debater.voice import SAMPLE_RATE, Samples, beep, utter
from bridge.rooms.model import Side

_UTTERANCES: Final = 3
"""Different turns before the first is heard again: 48 s."""
_SILENCE: Final = np.zeros(SOUND_SAMPLES, np.int16)
_FLASH_SECONDS: Final = 0.1
_PILOT_PIECES: Final = 5
"""A tenth of a second."""
_TOLERANCE: Final = 2e-6
"""Of wall times as floats: they are good to a quarter of a microsecond."""
_BLINK: Final = (Eyes.HALF, Eyes.SHUT, Eyes.SHUT, Eyes.HALF)


@dataclass(frozen=True, slots=True)
class _Head:
    """The moving part of the picture in one pose: rows above the mouth, and rows with it."""

    upper: dict[Eyes, Planes]
    lower: dict[Mouth, Planes]


class DrawnDebater:
    """A face that speaks in its side's turns and listens in between.

    Making one takes about a second (everything is rasterised and synthesised then), so never make
    it on the loop.
    """

    width = WIDTH
    height = HEIGHT

    def __init__(self, side: Side, name: str) -> None:
        persona = PERSONAS[side]
        self._side = side
        self._start = 0.0
        self._canvas = Canvas(rasterise(scene_svg(persona, name), text=True))
        self._heads = [_draw_head(persona, pose) for pose in range(POSES)]
        self._burn_in = BurnIn(FPS)
        self._utterances = [utter(persona, SPEECH_SECONDS, n) for n in range(_UTTERANCES)]
        # The two do not blink together.
        self._blink_every = 97 + 2 * persona.seed

    def begin(self, wall: float) -> None:
        """See Source."""
        self._start = wall

    def picture(self, number: int) -> VideoFrame:
        """See Source."""
        wall = self._start + number / FPS
        turn = turn_of(self._side, wall)
        mouth, pose = Mouth.CLOSED, _listening_pose(wall)
        if turn is not None:
            utterance = self._utterances[turn.number % _UTTERANCES]
            mouth = mouth_shape(*utterance.mouth_at(turn.position))
            pose = _speaking_pose(wall)
        head = self._heads[pose]
        self._canvas.paste(head.upper[self._eyes(number, mouth)], HEAD_BOX.left, HEAD_BOX.top)
        self._canvas.paste(head.lower[mouth], HEAD_BOX.left, HEAD_BOX.top + BROW_ROWS)
        self._burn_in.paint(self._canvas, wall)
        return self._canvas.frame

    def sound(self, number: int) -> Samples:
        """See Source."""
        turn = turn_of(self._side, self._start + number * SOUND_SAMPLES / SAMPLE_RATE)
        if turn is None:
            return _SILENCE
        samples = self._utterances[turn.number % _UTTERANCES].samples
        first = round(turn.position * SAMPLE_RATE)
        piece = samples[first : first + SOUND_SAMPLES]
        return piece if piece.size == SOUND_SAMPLES else _padded(piece)

    def close(self) -> None:
        """Nothing to let go of."""

    def _eyes(self, number: int, mouth: Mouth) -> Eyes:
        since_blink = number % self._blink_every
        if since_blink < len(_BLINK):
            return _BLINK[since_blink]
        return Eyes.RAISED if mouth is Mouth.WIDE else Eyes.OPEN


class SyncPattern:
    """A plain colour that flashes white and beeps at every full second of wall time.

    For measuring lip sync and latency: flash and beep begin at the same instant and last 0.1 s;
    the pitch is the side's own. Under the beeps lies a quiet pilot tone without end, also the
    side's own: where it is missing, sound was lost.
    """

    width = WIDTH
    height = HEIGHT

    def __init__(self, side: Side, name: str) -> None:
        persona = PERSONAS[side]
        self._start = 0.0
        self._dark = rasterise(flat_svg(persona.colour, name), text=True)
        self._bright = rasterise(flat_svg("#ffffff", name), text=True)
        self._canvas = Canvas(self._dark)
        self._beep = beep(persona.sync_pitch, _FLASH_SECONDS)
        self._pilot = _pilot(persona.pilot_pitch)
        self._burn_in = BurnIn(FPS)

    def begin(self, wall: float) -> None:
        """See Source."""
        self._start = wall

    def picture(self, number: int) -> VideoFrame:
        """See Source."""
        wall = self._start + number / FPS
        self._canvas.paste(self._bright if _fraction(wall) < _FLASH_SECONDS else self._dark)
        self._burn_in.paint(self._canvas, wall)
        return self._canvas.frame

    def sound(self, number: int) -> Samples:
        """See Source."""
        start = self._start + number * SOUND_SAMPLES / SAMPLE_RATE
        first = round(_fraction(start) * SAMPLE_RATE)
        piece = self._beep[first : first + SOUND_SAMPLES]
        # The next beep may begin inside this piece.
        ahead = SAMPLE_RATE - first
        if ahead < SOUND_SAMPLES:
            piece = np.concatenate([np.zeros(ahead, np.int16), self._beep[: SOUND_SAMPLES - ahead]])
        pilot = self._pilot[number % _PILOT_PIECES]
        sound: Samples = _padded(piece) + pilot
        return sound

    def close(self) -> None:
        """Nothing to let go of."""


def mouth_shape(opening: float, rounded: bool) -> Mouth:
    """Drawn mouth for an opening from 0 to 1."""
    if opening < 0.08:
        return Mouth.CLOSED
    if rounded and opening > 0.3:
        return Mouth.ROUND
    if opening < 0.25:
        return Mouth.SLIT
    if opening < 0.45:
        return Mouth.HALF
    return Mouth.OPEN if opening < 0.7 else Mouth.WIDE


def _draw_head(persona: Persona, pose: int) -> _Head:
    """Six renderings give all combinations: eyes and mouth never share a row."""
    upper: dict[Eyes, Planes] = {}
    lower: dict[Mouth, Planes] = {}
    for mouth in Mouth:
        eyes = Eyes(min(mouth, max(Eyes)))
        head = rasterise(head_svg(persona, pose, mouth, eyes))
        upper.setdefault(eyes, head.rows(0, BROW_ROWS))
        lower[mouth] = head.rows(BROW_ROWS, HEAD_BOX.height)
    return _Head(upper, lower)


def _speaking_pose(wall: float) -> int:
    """Lively: two slow waves whose sum does not repeat soon."""
    return _pose(
        0.6 * math.sin(2 * math.pi * wall / 2.3) + 0.4 * math.sin(2 * math.pi * wall / 0.9)
    )


def _listening_pose(wall: float) -> int:
    """Calm, a little to one side."""
    return _pose(-0.35 + 0.25 * math.sin(2 * math.pi * wall / 5.0))


def _pose(lean: float) -> int:
    return round((lean + 1) / 2 * (POSES - 1))


def _fraction(wall: float) -> float:
    """Part of the second that has passed; 0 also when floats put the instant just before."""
    return max(0.0, (wall + _TOLERANCE) % 1.0 - _TOLERANCE)


def _pilot(frequency: int) -> Samples:
    """Pieces of a sine at -30 dBFS, one per row; the last one's end fits the first's beginning."""
    times = np.arange(_PILOT_PIECES * SOUND_SAMPLES) / SAMPLE_RATE
    sine = np.round(1036 * np.sin(2 * np.pi * frequency * times)).astype(np.int16)
    return sine.reshape(_PILOT_PIECES, SOUND_SAMPLES)


def _padded(piece: Samples) -> Samples:
    whole = np.zeros(SOUND_SAMPLES, np.int16)
    whole[: piece.size] = piece
    return whole
