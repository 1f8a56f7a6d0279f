"""Renditions beside the programme, made only when somebody asked for them."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

import av
from av.video.reformatter import Interpolation, VideoReformatter

from bridge.broadcast.media.encoder import AudioEncoder, EncoderSettings, VideoEncoder, describe
from bridge.broadcast.media.packets import SMALL, SOUND, EncodedPacket, Rendition
from bridge.errors import SettingsError

_LINES: Final = 360
"""Of the shorter side."""
_KBPS: Final = 700
_PRESET: Final = "superfast"
"""Half of what veryfast costs, and on this size hardly worse."""


class Ladder:
    """Encodes the pictures that the ladder adds, in step with the programme's. One thread only.

    Raises SettingsError when the programme is too small for it.
    """

    def __init__(self, settings: EncoderSettings) -> None:
        self._small = _SmallPicture(settings) if SMALL in settings.ladder else None
        self._with_sound_alone = SOUND in settings.ladder

    def renditions(self, source: Rendition, audio: AudioEncoder) -> tuple[Rendition, ...]:
        """Return all of the programme, `source` first."""
        found = [source]
        if self._small is not None:
            found.append(self._small.describe(audio))
        if self._with_sound_alone:
            found.append(Rendition(name=SOUND, parameters=source.parameters))
        return tuple(found)

    def encode(self, picture: av.VideoFrame, frame: int) -> Iterator[EncodedPacket]:
        """Encode tick `frame` once more, from the programme's finished picture."""
        return self._small.encode(picture, frame) if self._small else iter(())

    def flush(self) -> Iterator[EncodedPacket]:
        """Return what is still inside. Once, at the end."""
        return self._small.flush() if self._small else iter(())


class _SmallPicture:
    def __init__(self, settings: EncoderSettings) -> None:
        shorter = min(settings.width, settings.height)
        if shorter <= _LINES:
            message = f"a ladder with {SMALL} needs a programme of more than {_LINES} lines"
            raise SettingsError(message)
        self._settings = replace(
            settings,
            width=_even(settings.width * _LINES / shorter),
            height=_even(settings.height * _LINES / shorter),
            video_kbps=min(_KBPS, settings.video_kbps),
            preset=_PRESET,
        )
        # Kept: PyAV 18 never frees those behind `VideoFrame.reformat` before their frame.
        self._scaler = VideoReformatter()
        self._video = VideoEncoder(self._settings, SMALL)

    def describe(self, audio: AudioEncoder) -> Rendition:
        return Rendition(name=SMALL, parameters=describe(self._settings, self._video, audio))

    def encode(self, picture: av.VideoFrame, frame: int) -> Iterator[EncodedPacket]:
        scaled = self._scaler.reformat(
            picture,
            width=self._settings.width,
            height=self._settings.height,
            interpolation=Interpolation.FAST_BILINEAR,
            threads=1,
        )
        return self._video.encode(scaled, frame)

    def flush(self) -> Iterator[EncodedPacket]:
        return self._video.flush()


def _even(length: float) -> int:
    return round(length / 2) * 2
