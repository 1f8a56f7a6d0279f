"""What the encoder hands to every output: frozen values that any thread may keep."""

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import Final

VIDEO_RATE: Final = 90_000
"""Ticks per second of video timestamps."""
AUDIO_RATE: Final = 48_000
"""Samples per second; also the ticks of audio timestamps."""
SOURCE: Final = "source"
SMALL: Final = "360p"
SOUND: Final = "audio"
"""Names of renditions: the programme itself, its picture smaller, its sound alone."""
ORIGIN_SECONDS: Final = 10
"""Programme time 0 has this timestamp, so that the AAC priming packet (-1024) stays positive."""


class TrackKind(StrEnum):
    """Which track of the programme."""

    VIDEO = "video"
    AUDIO = "audio"


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodedPacket:
    """One H.264 access unit (AVCC: 4-byte lengths, no parameter sets) or one raw AAC frame."""

    kind: TrackKind
    data: bytes
    pts: int
    """In the track's rate, from ORIGIN_SECONDS. There are no B-frames: dts is pts."""
    duration: int
    """In the track's rate."""
    keyframe: bool
    """Every audio packet is one."""
    rendition: str = SOURCE
    """Whose picture it is. Sound is the same in all and says SOURCE."""

    @property
    def time(self) -> Fraction:
        """Presentation time in seconds since programme time 0."""
        rate = VIDEO_RATE if self.kind is TrackKind.VIDEO else AUDIO_RATE
        return Fraction(self.pts, rate) - ORIGIN_SECONDS


@dataclass(frozen=True, slots=True, kw_only=True)
class CodecParameters:
    """What a container must know before the first packet."""

    width: int
    height: int
    fps: int
    avc_config: bytes
    """AVCDecoderConfigurationRecord (ISO/IEC 14496-15 5.3.3.1), the content of `avcC`."""
    audio_config: bytes
    """AudioSpecificConfig (ISO/IEC 14496-3 1.6.2.1)."""
    sample_rate: int
    channels: int
    video_bit_rate: int
    audio_bit_rate: int

    @property
    def codecs(self) -> str:
        """RFC 6381 string, from the parameter sets' own bytes."""
        profile, compatibility, level = self.avc_config[1:4]
        return (
            f"avc1.{profile:02x}{compatibility:02x}{level:02x},mp4a.40.{self.audio_config[0] >> 3}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendition:
    """One of the ways in which the programme is made."""

    name: str
    parameters: CodecParameters
    """Of a rendition without a picture only what is about sound holds."""

    @property
    def has_picture(self) -> bool:
        """Whether it is more than sound."""
        return self.name != SOUND

    @property
    def codecs(self) -> str:
        """RFC 6381 string."""
        both = self.parameters.codecs
        return both if self.has_picture else both.rpartition(",")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Where pictures, parts and segments fall. All are whole numbers of frames."""

    fps: int
    part_frames: int
    segment_frames: int

    @property
    def frame_ticks(self) -> Fraction:
        """Video timestamp ticks per frame."""
        return Fraction(VIDEO_RATE, self.fps)

    def pts(self, frame: int) -> int:
        """Video timestamp of frame number `frame`."""
        return round(ORIGIN_SECONDS * VIDEO_RATE + frame * self.frame_ticks)

    def frame(self, pts: int) -> int:
        """Frame number of a video timestamp."""
        return round((pts - ORIGIN_SECONDS * VIDEO_RATE) / self.frame_ticks)

    def part(self, frame: int) -> int:
        """Which part `frame` belongs to."""
        return frame // self.part_frames

    def opens_segment(self, frame: int) -> bool:
        """Whether a segment begins with `frame`."""
        return frame % self.segment_frames == 0
