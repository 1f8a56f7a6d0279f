"""VP8 for the traps: pictures that move so much that a missing one cannot be overlooked."""

from fractions import Fraction

import av
import numpy as np
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType

from bridge.aiortc_inside.media import VP8
from bridge.broadcast.rtc.frames import EncodedFrame, is_keyframe

SIZE = (320, 180)


def moving(number: int) -> av.VideoFrame:
    """A picture that is nothing like the one before: a texture that wanders."""
    y, x = np.mgrid[0 : SIZE[1], 0 : SIZE[0]]
    texture = 128 + 60 * np.sin((x + 5 * number) / 9) + 50 * np.sin((y - 3 * number) / 7)
    picture = av.VideoFrame(*SIZE, "yuv420p")
    picture.planes[0].update(texture.clip(16, 235).astype(np.uint8).tobytes())
    for plane in picture.planes[1:]:
        plane.update(bytes([128]) * plane.buffer_size)
    picture.pts, picture.time_base = number, Fraction(1, 30)
    return picture


def encode(count: int, *, keyframe: int = -1) -> list[bytes]:
    codec = VideoCodecContext.create("libvpx", "w")
    codec.width, codec.height, codec.pix_fmt = *SIZE, "yuv420p"
    codec.time_base, codec.framerate, codec.gop_size = Fraction(1, 30), Fraction(30), 10_000
    codec.bit_rate = 1_500_000
    codec.options = {"deadline": "realtime", "lag-in-frames": "0", "cpu-used": "-8"}
    data: list[bytes] = []
    for number in range(count):
        picture = moving(number)
        if number == keyframe:
            picture.pict_type = PictureType.I
        data += [bytes(item) for item in codec.encode(picture)]
    return data


def frame(data: bytes, number: int) -> EncodedFrame:
    return EncodedFrame(
        codec=VP8, data=data, timestamp=number * 3000, clock_rate=90_000, arrival=0.0,
        keyframe=is_keyframe(VP8, data), lost_before=0,
    )  # fmt: skip
