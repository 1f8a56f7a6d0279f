"""Some seconds of programme without a debate: what a destination is tested with."""

from collections.abc import Iterator
from typing import Final

import av
import numpy as np
from numpy.typing import NDArray

from bridge.broadcast.media.compositor import new_canvas
from bridge.broadcast.media.encoder import AudioEncoder, EncoderSettings, VideoEncoder, describe
from bridge.broadcast.media.frames import Samples, view_planes
from bridge.broadcast.media.packets import AUDIO_RATE, CodecParameters, EncodedPacket

_BARS: Final = (
    (180, 128, 128), (162, 44, 142), (131, 156, 44), (112, 72, 58),
    (84, 184, 198), (65, 100, 212), (35, 212, 114),
)  # fmt: skip
"""Y, Cb, Cr of 75 % colour bars (SMPTE EG 1), BT.709 limited."""
_SWEEP: Final = 90
"""Pictures in which the white line goes across: a test card that stands still may be a fault."""
_LINE_PIXELS: Final = 8
_WHITE: Final = 235
_TONE_HZ: Final = 440
_LEVEL: Final = 0.05
"""-26 dBFS: heard, and frightening nobody."""


class TestCard:
    """Colour bars with a moving line and a quiet tone, encoded as a programme. One thread."""

    __test__ = False  # the name is the field's; pytest need not collect it

    def __init__(self, settings: EncoderSettings) -> None:
        self._settings = settings
        self._video = VideoEncoder(settings)
        self._audio = AudioEncoder(settings)
        self._bars = _bars(settings.width, settings.height)
        self._sent = 0

    @property
    def parameters(self) -> CodecParameters:
        """What a container must know."""
        return describe(self._settings, self._video, self._audio)

    def tick(self, frame: int) -> Iterator[EncodedPacket]:
        """Encode picture `frame`, from 0 on, and the sound up to its end."""
        yield from self._video.encode(self._picture(frame), frame)
        until = (frame + 1) * AUDIO_RATE // self._settings.grid.fps
        yield from self._audio.encode(_tone(self._sent, until))
        self._sent = until

    def _picture(self, frame: int) -> av.VideoFrame:
        picture = new_canvas(self._settings.width, self._settings.height)
        planes = view_planes(picture)
        for plane, bars in zip(planes, self._bars, strict=True):
            plane[:] = bars
        at = frame % _SWEEP * (self._settings.width - _LINE_PIXELS) // _SWEEP
        planes[0][:, at : at + _LINE_PIXELS] = _WHITE
        return picture


def _bars(width: int, height: int) -> list[NDArray[np.uint8]]:
    columns = np.arange(width) * len(_BARS) // width
    colours = np.array(_BARS, np.uint8)[columns]
    luma = np.broadcast_to(colours[:, 0], (height, width))
    chroma = [np.broadcast_to(colours[::2, n], (height // 2, width // 2)) for n in (1, 2)]
    return [luma, *chroma]


def _tone(begin: int, end: int) -> Samples:
    wave = np.sin(2 * np.pi * _TONE_HZ / AUDIO_RATE * np.arange(begin, end)) * _LEVEL
    return np.tile(wave.astype(np.float32), (2, 1))
