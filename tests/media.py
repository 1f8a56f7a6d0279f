"""Real encoded programmes for tests, made with PyAV alone, and judges of what became of them."""

import hashlib
import json
import math
import struct
import subprocess
from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import cache
from pathlib import Path

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from av.codec.context import Flags
from av.video.codeccontext import VideoCodecContext

from bridge.broadcast.media.packets import (
    AUDIO_RATE,
    ORIGIN_SECONDS,
    SOURCE,
    VIDEO_RATE,
    CodecParameters,
    EncodedPacket,
    Grid,
    Rendition,
    TrackKind,
)

WIDTH, HEIGHT = 320, 180


def grid(fps: int = 30, part_frames: int = 12, segment_frames: int = 60) -> Grid:
    return Grid(fps=fps, part_frames=part_frames, segment_frames=segment_frames)


@cache
def encode_programme(
    seconds: float, fps: int = 30, segment_frames: int = 60
) -> tuple[CodecParameters, tuple[EncodedPacket, ...]]:
    """A moving picture and a tone, with a keyframe on each segment, in the encoder's order.

    Cached: the same arguments give the same packets.
    """
    video = VideoCodecContext.create("libx264", "w")
    video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
    video.framerate, video.time_base = Fraction(fps), Fraction(1, VIDEO_RATE)
    video.bit_rate = 400_000
    video.flags |= Flags.global_header
    video.options = {
        "preset": "ultrafast",
        "tune": "zerolatency",
        "x264-params": f"keyint={segment_frames}:min-keyint={segment_frames}:scenecut=0:threads=1",
    }
    video.open()
    audio = AudioCodecContext.create("aac", "w")
    audio.sample_rate, audio.layout, audio.format = AUDIO_RATE, "stereo", "fltp"
    audio.bit_rate = 96_000
    audio.flags |= Flags.global_header
    audio.open()
    packets: list[EncodedPacket] = []
    samples = 0
    for frame in range(round(seconds * fps)):
        packets += _encode_picture(video, frame, fps)
        while samples * fps < (frame + 1) * AUDIO_RATE:
            packets += _encode_sound(audio, samples)
            samples += 1024
    packets += [_packet(packet, TrackKind.VIDEO, fps) for packet in video.encode(None)]
    packets += [_packet(packet, TrackKind.AUDIO, fps) for packet in audio.encode(None)]
    parameters = CodecParameters(
        width=WIDTH,
        height=HEIGHT,
        fps=fps,
        avc_config=_avc_config(bytes(video.extradata or b"")),
        audio_config=bytes(audio.extradata or b""),
        sample_rate=AUDIO_RATE,
        channels=2,
        video_bit_rate=400_000,
        audio_bit_rate=96_000,
    )
    return parameters, tuple(packets)


def video_of(packets: Sequence[EncodedPacket]) -> list[EncodedPacket]:
    return [packet for packet in packets if packet.kind is TrackKind.VIDEO]


def audio_of(packets: Sequence[EncodedPacket]) -> list[EncodedPacket]:
    return [packet for packet in packets if packet.kind is TrackKind.AUDIO]


def blank_parameters(fps: int = 30) -> CodecParameters:
    """Parameters that no decoder will see."""
    return CodecParameters(
        width=1280,
        height=720,
        fps=fps,
        avc_config=bytes.fromhex("0164001fffe100046764001f010003 68ebec".replace(" ", "")),
        audio_config=bytes.fromhex("1190"),
        sample_rate=AUDIO_RATE,
        channels=2,
        video_bit_rate=4_000_000,
        audio_bit_rate=128_000,
    )


def blank_rendition() -> Rendition:
    """The programme itself, with those."""
    return Rendition(name=SOURCE, parameters=blank_parameters())


def picture(frame: int, *, fps: int = 30, keyframe: bool = False, size: int = 20) -> EncodedPacket:
    """A video packet that no decoder will see."""
    return EncodedPacket(
        kind=TrackKind.VIDEO,
        data=bytes([frame % 256]) * size,
        pts=grid(fps).pts(frame),
        duration=VIDEO_RATE // fps,
        keyframe=keyframe,
    )


def sound(index: int, size: int = 10) -> EncodedPacket:
    """An audio packet that no decoder will see; `index` counts AAC frames from programme time 0."""
    return EncodedPacket(
        kind=TrackKind.AUDIO,
        data=bytes([index % 256]) * size,
        pts=ORIGIN_SECONDS * AUDIO_RATE + index * 1024,
        duration=1024,
        keyframe=True,
    )


def blank_programme(frames: int, *, fps: int = 30, segment_frames: int = 60) -> list[EncodedPacket]:
    """`picture` and `sound` interleaved as the encoder would."""
    packets: list[EncodedPacket] = []
    index = -1
    for frame in range(frames):
        while index * 1024 * fps < frame * AUDIO_RATE:
            packets.append(sound(index))
            index += 1
        packets.append(picture(frame, fps=fps, keyframe=frame % segment_frames == 0))
    return packets


def probe(path: Path | str, *options: str) -> dict:
    """What ffprobe says about a file or URL, every packet counted."""
    result = subprocess.run(
        ["ffprobe", "-v", "error", "-of", "json", "-show_format", "-show_streams", "-count_packets",
         *options, str(path)],
        capture_output=True,
        check=True,
        timeout=60,
    )  # fmt: skip
    report: dict = json.loads(result.stdout)
    return report


def probe_track(path: Path | str, kind: str) -> dict:
    """The one stream of that codec type."""
    stream: dict
    (stream,) = [s for s in probe(path)["streams"] if s["codec_type"] == kind]
    return stream


def decodes_cleanly(path: Path | str) -> None:
    """Raise unless ffmpeg decodes all of it without a single complaint."""
    result = subprocess.run(
        ["ffmpeg", "-v", "warning", "-xerror", "-i", str(path), "-f", "null", "-"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert not result.stderr.strip(), result.stderr


def picture_digests(path: Path | str) -> list[str]:
    """MD5 of each decoded picture of a file, in order."""
    with av.open(str(path)) as container:
        return [_digest(frame) for frame in container.decode(video=0)]


def packet_digests(parameters: CodecParameters, packets: Sequence[EncodedPacket]) -> list[str]:
    """The same for packets that never saw a container."""
    decoder = av.CodecContext.create("h264", "r")
    decoder.extradata = parameters.avc_config
    frames = []
    for packet in video_of(packets):
        frames += decoder.decode(av.Packet(packet.data))
    frames += decoder.decode(None)
    return [_digest(frame) for frame in frames]


def _digest(frame: av.VideoFrame) -> str:
    return hashlib.md5(frame.to_ndarray().tobytes()).hexdigest()


def _encode_picture(encoder: VideoCodecContext, number: int, fps: int) -> Iterator[EncodedPacket]:
    rows = np.arange(HEIGHT, dtype=np.uint16)[:, None]
    columns = np.arange(WIDTH, dtype=np.uint16)[None, :]
    rgb = np.stack(
        [(rows + number * 3) % 256 + 0 * columns, (columns + number) % 256 + 0 * rows,
         (rows + columns) % 256],
        axis=-1,
    ).astype(np.uint8)  # fmt: skip
    frame = av.VideoFrame.from_ndarray(rgb, format="rgb24").reformat(format="yuv420p")
    frame.pts, frame.time_base = grid(fps).pts(number), Fraction(1, VIDEO_RATE)
    return (_packet(packet, TrackKind.VIDEO, fps) for packet in encoder.encode(frame))


def _encode_sound(encoder: AudioCodecContext, samples: int) -> Iterator[EncodedPacket]:
    times = (np.arange(1024) + samples) / AUDIO_RATE
    tone = (0.3 * np.sin(2 * math.pi * 440 * times)).astype(np.float32)
    frame = av.AudioFrame.from_ndarray(np.stack([tone, tone]), format="fltp", layout="stereo")
    frame.sample_rate = AUDIO_RATE
    frame.pts, frame.time_base = ORIGIN_SECONDS * AUDIO_RATE + samples, Fraction(1, AUDIO_RATE)
    return (_packet(packet, TrackKind.AUDIO, 0) for packet in encoder.encode(frame))


def _packet(packet: av.Packet, kind: TrackKind, fps: int) -> EncodedPacket:
    assert packet.pts is not None
    picture_packet = kind is TrackKind.VIDEO
    data = bytes(packet)
    return EncodedPacket(
        kind=kind,
        data=_length_prefixed(data) if picture_packet else data,
        pts=packet.pts,
        duration=VIDEO_RATE // fps if picture_packet else 1024,
        keyframe=packet.is_keyframe or not picture_packet,
    )


def _units(annex_b: bytes) -> Iterator[bytes]:
    for unit in annex_b.replace(b"\0\0\0\1", b"\0\0\1").split(b"\0\0\1"):
        if unit:
            yield unit


def _length_prefixed(annex_b: bytes) -> bytes:
    """Annex B to AVCC without parameter sets, as EncodedPacket promises."""
    return b"".join(
        struct.pack(">I", len(unit)) + unit
        for unit in _units(annex_b)
        if unit[0] & 0x1F not in {7, 8}
    )


def _avc_config(extradata: bytes) -> bytes:
    units = list(_units(extradata))
    sps = next(unit for unit in units if unit[0] & 0x1F == 7)
    pps = next(unit for unit in units if unit[0] & 0x1F == 8)
    return (
        bytes([1, sps[1], sps[2], sps[3], 0xFF, 0xE1])
        + struct.pack(">H", len(sps)) + sps
        + bytes([1]) + struct.pack(">H", len(pps)) + pps
    )  # fmt: skip
