"""x264 and AAC by way of PyAV: raw media in, frozen packets out. One thread each."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from av.codec.context import Flags
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType
from av.video.reformatter import ColorPrimaries, ColorRange, ColorTrc

from bridge.broadcast.media.frames import Samples
from bridge.broadcast.media.packets import (
    AUDIO_RATE,
    ORIGIN_SECONDS,
    SOURCE,
    VIDEO_RATE,
    CodecParameters,
    EncodedPacket,
    Grid,
    TrackKind,
)
from bridge.errors import SetupError

AAC_FRAME: Final = 1024
"""Samples per AAC packet."""
_SPC_BT709: Final = 1
_LEFT_OUT: Final = {6, 7, 8, 9, 12}
"""NAL unit types that outputs do not want: SEI (x264's signature), SPS, PPS, AUD, filler."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderSettings:
    """The programme's canvas, grid and rates; see `Settings` for each field."""

    width: int
    height: int
    grid: Grid
    video_kbps: int
    audio_kbps: int
    preset: str = "veryfast"
    threads: int = 1
    ladder: tuple[str, ...] = ()
    """Names of the renditions that are made beside the programme."""


class VideoEncoder:
    """H.264 High without B-frames; a picture comes out as soon as it has gone in.

    The rate is capped, not padded: b = maxrate = bufsize keeps a moving picture at the nominal
    rate within a second, as platforms ask, while `nal-hrd=cbr` would fill still slates with
    megabits of zeros for every spectator and on disk.
    """

    def __init__(self, settings: EncoderSettings, rendition: str = SOURCE) -> None:
        self._grid = settings.grid
        self._rendition = rendition
        self._segment = -1
        self._context = _open_video(settings)

    @property
    def config(self) -> bytes:
        """AVCDecoderConfigurationRecord: libx264 writes it when `annexb=0`."""
        return bytes(self._context.extradata or b"")

    def encode(self, picture: av.VideoFrame, frame: int) -> Iterator[EncodedPacket]:
        """Encode the picture of tick `frame`; each number is larger than the one before.

        The first picture of a segment becomes an IDR, also when the segment's own first tick was
        skipped.
        """
        segment = frame // self._grid.segment_frames
        opens = segment != self._segment
        self._segment = segment
        picture.pict_type = PictureType.I if opens else PictureType.NONE
        picture.pts = self._grid.pts(frame)
        picture.time_base = Fraction(1, VIDEO_RATE)
        return self._packets(picture)

    def flush(self) -> Iterator[EncodedPacket]:
        """Return what is still inside. Once, at the end."""
        return self._packets(None)

    def _packets(self, picture: av.VideoFrame | None) -> Iterator[EncodedPacket]:
        for packet in self._context.encode(picture):
            if packet.pts is None:
                continue
            frame = self._grid.frame(packet.pts)
            yield EncodedPacket(
                kind=TrackKind.VIDEO,
                data=_slices(bytes(packet)),
                pts=packet.pts,
                duration=self._grid.pts(frame + 1) - packet.pts,
                keyframe=packet.is_keyframe,
                rendition=self._rendition,
            )


class AudioEncoder:
    """AAC-LC, stereo. Takes any number of samples; packets hold 1024.

    Timestamps are of what a decoder will give out: the encoder's first packet is 1024 samples of
    lead-in, so it lies before the programme's origin.
    """

    def __init__(self, settings: EncoderSettings) -> None:
        self._context = _open_audio(settings)
        self._waiting: list[Samples] = []
        self._held = 0
        self._sent = 0

    @property
    def config(self) -> bytes:
        """AudioSpecificConfig."""
        return bytes(self._context.extradata or b"")

    def encode(self, samples: Samples) -> Iterator[EncodedPacket]:
        """Encode the samples that follow those before."""
        self._waiting.append(samples)
        self._held += samples.shape[1]
        if self._held < AAC_FRAME:
            return
        joined = np.concatenate(self._waiting, axis=1)
        whole = self._held - self._held % AAC_FRAME
        self._waiting, self._held = [joined[:, whole:]], self._held - whole
        for begin in range(0, whole, AAC_FRAME):
            yield from self._encode_frame(joined[:, begin : begin + AAC_FRAME])

    def flush(self) -> Iterator[EncodedPacket]:
        """Fill the last frame with silence and return all that is still inside. Once."""
        if self._held:
            yield from self.encode(np.zeros((2, AAC_FRAME - self._held), np.float32))
        yield from self._packets(None)

    def _encode_frame(self, samples: Samples) -> Iterator[EncodedPacket]:
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(samples), format="fltp", layout="stereo"
        )
        frame.sample_rate = AUDIO_RATE
        frame.pts = ORIGIN_SECONDS * AUDIO_RATE + self._sent
        frame.time_base = Fraction(1, AUDIO_RATE)
        self._sent += AAC_FRAME
        return self._packets(frame)

    def _packets(self, frame: av.AudioFrame | None) -> Iterator[EncodedPacket]:
        for packet in self._context.encode(frame):
            if packet.pts is None:
                continue
            yield EncodedPacket(
                kind=TrackKind.AUDIO,
                data=bytes(packet),
                pts=packet.pts,
                duration=AAC_FRAME,
                keyframe=True,
            )


def describe(
    settings: EncoderSettings, video: VideoEncoder, audio: AudioEncoder
) -> CodecParameters:
    """Return what containers must know of this pair."""
    return CodecParameters(
        width=settings.width,
        height=settings.height,
        fps=settings.grid.fps,
        avc_config=video.config,
        audio_config=audio.config,
        sample_rate=AUDIO_RATE,
        channels=2,
        video_bit_rate=settings.video_kbps * 1000,
        audio_bit_rate=settings.audio_kbps * 1000,
    )


def _open_video(settings: EncoderSettings) -> VideoCodecContext:
    kbps = settings.video_kbps
    # Sliced threads add no delay, frame threads would; one thread needs neither.
    sliced = int(settings.threads > 1)
    context = VideoCodecContext.create("libx264", "w")
    context.width, context.height, context.pix_fmt = settings.width, settings.height, "yuv420p"
    context.framerate = Fraction(settings.grid.fps)
    context.time_base = Fraction(1, VIDEO_RATE)
    context.bit_rate = kbps * 1000
    context.flags |= Flags.global_header
    context.colorspace = _SPC_BT709
    context.color_range = ColorRange.MPEG
    context.color_primaries = ColorPrimaries.BT709
    context.color_trc = ColorTrc.BT709
    context.options = {
        "preset": settings.preset,
        "tune": "zerolatency",
        "profile": "high",
        "forced-idr": "1",
        "x264-params": (
            f"annexb=0:keyint={settings.grid.segment_frames}:min-keyint=1:scenecut=0:bframes=0"
            f":vbv-maxrate={kbps}:vbv-bufsize={kbps}"
            f":threads={settings.threads}:sliced-threads={sliced}"
        ),
    }
    _open(context, f'libx264 with preset "{settings.preset}"')
    return context


def _open_audio(settings: EncoderSettings) -> AudioCodecContext:
    context = AudioCodecContext.create("aac", "w")
    context.sample_rate = AUDIO_RATE
    context.layout = "stereo"
    context.format = "fltp"
    context.bit_rate = settings.audio_kbps * 1000
    context.time_base = Fraction(1, AUDIO_RATE)
    context.flags |= Flags.global_header
    _open(context, "aac")
    return context


def _open(context: VideoCodecContext | AudioCodecContext, name: str) -> None:
    try:
        context.open()
    except (av.FFmpegError, ValueError) as error:
        message = f"The encoder {name} cannot be opened; check the canvas and the preset."
        raise SetupError(message) from error


def _slices(access_unit: bytes) -> bytes:
    """Leave out NAL units that are not slices. Each has its length in 4 bytes before it."""
    kept = []
    at = 0
    while at + 4 < len(access_unit):
        end = at + 4 + int.from_bytes(access_unit[at : at + 4], "big")
        if access_unit[at + 4] & 0x1F not in _LEFT_OUT:
            kept.append(access_unit[at:end])
        at = end
    return kept[0] if len(kept) == 1 else b"".join(kept)
