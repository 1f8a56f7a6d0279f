"""A film in place of a camera: decoded in real time, for ever from the beginning again."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final, cast

import av
import numpy as np
from av import VideoFrame
from av.audio.resampler import AudioResampler
from av.container import InputContainer
from av.video.reformatter import VideoReformatter

from bridge.debater.canvas import to_limited_range
from bridge.debater.source import FPS, SOUND_SAMPLES
from bridge.debater.voice import SAMPLE_RATE, Samples
from bridge.errors import InputError

_MICROSECONDS: Final = 1_000_000
_WIDEST, _HIGHEST = 1280, 720


class MediaFile:
    """A Source out of a file with a picture and, if it has one, a sound track.

    The file is opened twice, once per track, so that neither has to be queued while the other is
    sought. Both are laid out on the file's own duration: a shorter track is held or silent to the
    end, so that they stay together however often they go round. Raises InputError when the file
    cannot be shown. Not more than 1280x720 is sent; a larger picture is scaled down.
    """

    def __init__(self, path: Path) -> None:
        self._pictures: _Pictures | None = None
        self._sounds: _Sounds | None = None
        try:
            self._pictures = _Pictures(path)
            self._sounds = _Sounds(path, self._pictures.period)
        except (av.FFmpegError, OSError, StopIteration) as error:
            self.close()
            message = f"Cannot show {path.name}: {type(error).__name__}. Try an MP4 or WebM file."
            raise InputError(message, code="media") from None
        self.width = self._pictures.width
        self.height = self._pictures.height

    def begin(self, wall: float) -> None:
        """See Source; a film has its own time."""

    def picture(self, number: int) -> VideoFrame:
        """See Source."""
        assert self._pictures is not None  # noqa: S101 - set by the constructor or it raised
        return self._pictures.at(number / FPS)

    def sound(self, number: int) -> Samples:
        """See Source."""
        assert self._sounds is not None  # noqa: S101 - set by the constructor or it raised
        return self._sounds.at(number * SOUND_SAMPLES)

    def close(self) -> None:
        """Close the file; idempotent."""
        for track in (self._pictures, self._sounds):
            if track is not None:
                track.close()


class _Pictures:
    """The picture track, laid end to end."""

    def __init__(self, path: Path) -> None:
        self._container = _open(path)
        if not self._container.streams.video:
            self._container.close()
            message = f"{path.name} has no picture."
            raise InputError(message, code="media")
        self._stream = self._container.streams.video[0]
        self._stream.thread_count = 1
        self._scale = VideoReformatter()
        self.width, self.height = _fit(self._stream.width, self._stream.height)
        self._round = 0
        self._frames = self._decode()
        self._current = next(self._frames)
        self._next: VideoFrame | None = next(self._frames, None)
        self._first = float(self._current.time or 0.0)
        duration = self._container.duration
        # A still picture goes round once a second.
        self.period = duration / _MICROSECONDS if duration else 1.0
        self._prepared = self._prepare()

    def at(self, time: float) -> VideoFrame:
        """Picture to be seen at `time`; times rise."""
        turn, position = divmod(time, self.period)
        if turn > self._round:
            self._round = int(turn)
            self._container.seek(0)
            self._frames = self._decode()
            self._next = next(self._frames, None)
        fresh = False
        while self._next is not None and self._offset(self._next) <= position + 1e-6:
            self._current, self._next = self._next, next(self._frames, None)
            fresh = True
        if fresh:
            self._prepared = self._prepare()
        return self._prepared

    def close(self) -> None:
        self._container.close()

    def _decode(self) -> Iterator[VideoFrame]:
        for packet in self._container.demux(self._stream):
            try:
                yield from packet.decode()
            except av.error.InvalidDataError:
                # A scratch in the film: the picture before it is held.
                continue

    def _offset(self, frame: VideoFrame) -> float:
        return float(frame.time or 0.0) - self._first

    def _prepare(self) -> VideoFrame:
        return to_limited_range(self._scale, self._current, self.width, self.height)


class _Sounds:
    """The sound track, laid end to end on the period of the pictures; silence if there is none."""

    def __init__(self, path: Path, period: float) -> None:
        self._period = max(SOUND_SAMPLES, round(period * SAMPLE_RATE))
        self._container = _open(path)
        self._silent = not self._container.streams.audio
        self._chunks = self._decode()
        self._held = np.zeros(0, np.int16)
        self._position = 0
        """Sample within the period that comes next."""
        self._asked = 0

    def at(self, first: int) -> Samples:
        """SOUND_SAMPLES samples from `first` on; what is left out is decoded and dropped."""
        if first > self._asked:
            self._read(first - self._asked)
        self._asked = first + SOUND_SAMPLES
        return self._read(SOUND_SAMPLES)

    def close(self) -> None:
        self._container.close()

    def _read(self, count: int) -> Samples:
        pieces: list[Samples] = []
        while count:
            step = min(count, self._period - self._position)
            pieces.append(self._read_within(step))
            count -= step
            self._position += step
            if self._position == self._period:
                self._rewind()
        return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)

    def _read_within(self, count: int) -> Samples:
        while self._held.size < count:
            chunk = next(self._chunks, None)
            if chunk is None:
                chunk = np.zeros(count - self._held.size, np.int16)
            self._held = np.concatenate([self._held, chunk])
        piece, self._held = self._held[:count], self._held[count:]
        return piece

    def _rewind(self) -> None:
        self._position = 0
        self._held = np.zeros(0, np.int16)
        if not self._silent:
            self._container.seek(0)
            self._chunks = self._decode()

    def _decode(self) -> Iterator[Samples]:
        if self._silent:
            return
        mono = AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE)
        for packet in self._container.demux(self._container.streams.audio[0]):
            try:
                frames = packet.decode()
            except av.error.InvalidDataError:
                continue
            for frame in frames:
                for piece in mono.resample(frame):
                    yield cast("Samples", piece.to_ndarray().reshape(-1))


def _open(path: Path) -> InputContainer:
    return av.open(str(path), mode="r")


def _fit(width: int, height: int) -> tuple[int, int]:
    """Largest even size of the same shape within 1280x720 that does not enlarge."""
    scale = min(1.0, _WIDEST / width, _HIGHEST / height)
    return max(2, round(width * scale / 2) * 2), max(2, round(height * scale / 2) * 2)
