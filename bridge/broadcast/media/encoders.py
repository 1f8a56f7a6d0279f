"""Which H.264 encoders there are, how each is opened for low latency, and whether it works here.

All are opened alike: no B-frames, closed GOPs that begin where we say, nothing held back, and a
rate that is capped, not padded.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import Final, cast

import av
from av.codec.codec import UnknownCodecError
from av.codec.context import Flags
from av.codec.hwaccel import HWAccel
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType
from av.video.reformatter import ColorPrimaries, ColorRange, ColorTrc, VideoReformatter

from bridge.broadcast.media.nal import configuration_record, is_idr, length_prefixed, slices
from bridge.broadcast.media.packets import VIDEO_RATE
from bridge.errors import SetupError

logger = logging.getLogger(__name__)

AUTO: Final = "auto"
"""The first hardware encoder that works here, or x264."""
_SPC_BT709: Final = 1
_FAILURES: Final = (av.FFmpegError, ValueError, NotImplementedError, RuntimeError, MemoryError)


class EncoderKind(StrEnum):
    """What encodes the picture."""

    X264 = "x264"
    NVENC = "nvenc"
    QSV = "qsv"
    VAAPI = "vaapi"


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoShape:
    """What a picture encoder is opened for; see `Settings` for each field."""

    width: int = 1280
    height: int = 720
    fps: int = 30
    segment_frames: int = 60
    kbps: int = 4000
    preset: str = "veryfast"
    """x264 only: hardware has one choice that is made here."""
    threads: int = 1
    """x264 only."""


@dataclass(frozen=True, slots=True)
class _Recipe:
    codec: str
    """libav's name."""
    pixels: str
    """What it takes from memory."""
    needs: str
    """What an operator must have, in words."""
    options: tuple[tuple[str, str], ...] = ()
    device: str = ""
    """Of libav, where pictures must be carried to it first."""


_RECIPES: Final = {
    EncoderKind.X264: _Recipe("libx264", "yuv420p", "an `av` wheel with libx264"),
    # p4 with `ull`: one pass, no look-ahead. `delay=0` and `zerolatency=1` give each picture back
    # before the next. Its CBR pads only with `cbr_padding`.
    EncoderKind.NVENC: _Recipe(
        "h264_nvenc",
        "yuv420p",
        "an NVIDIA card with its driver",
        (
            ("preset", "p4"),
            ("tune", "ull"),
            ("rc", "cbr"),
            ("zerolatency", "1"),
            ("delay", "0"),
            ("rc-lookahead", "0"),
            ("forced-idr", "1"),
            ("no-scenecut", "1"),
            ("spatial-aq", "1"),
            ("b_ref_mode", "disabled"),
        ),
    ),
    # With b = maxrate its rate control is CBR; the filler it may write is left out again.
    EncoderKind.QSV: _Recipe(
        "h264_qsv",
        "nv12",
        "an Intel GPU, its oneVPL runtime (libmfx-gen) and the right to use /dev/dri",
        (
            ("preset", "veryfast"),
            ("async_depth", "1"),
            ("look_ahead", "0"),
            ("low_delay_brc", "1"),
            ("scenario", "livestreaming"),
            ("forced_idr", "1"),
            ("idr_interval", "0"),
            ("adaptive_i", "0"),
            ("pic_timing_sei", "0"),
        ),
    ),
    # Makes an IDR of each picture that is forced to be I.
    EncoderKind.VAAPI: _Recipe(
        "h264_vaapi",
        "nv12",
        "an `av` built against an ffmpeg with VA-API (the wheel has none), a GPU with its driver "
        "and the right to use /dev/dri",
        (("async_depth", "1"), ("rc_mode", "VBR"), ("idr_interval", "0")),
        device="vaapi",
    ),
}
HARDWARE: Final = (EncoderKind.NVENC, EncoderKind.QSV, EncoderKind.VAAPI)
"""In the order in which `auto` tries them."""


@dataclass(frozen=True, slots=True)
class AccessUnit:
    """One encoded picture: slices behind their lengths, no parameter sets."""

    data: bytes
    pts: int
    """In 1/90000 s, as the picture's was."""
    keyframe: bool
    """It is an IDR picture."""


class PictureEncoder:
    """One opened encoder, of any kind. One thread. Raises SetupError when it cannot be opened."""

    def __init__(self, kind: EncoderKind, shape: VideoShape, x264_params: str = "") -> None:
        self._recipe = _RECIPES[kind]
        self._annexb = kind is not EncoderKind.X264
        # Kept: PyAV 18 never frees those behind `VideoFrame.reformat` before their frame.
        self._scaler = VideoReformatter() if self._recipe.pixels != "yuv420p" else None
        try:
            self._context = _opened(kind, shape, x264_params)
        except _FAILURES as error:
            name = f'{kind} with preset "{shape.preset}"' if not self._annexb else str(kind)
            message = (
                f"The encoder {name} cannot be opened; check the canvas and the preset, or run "
                "`debate-bridge doctor`."
            )
            raise SetupError(message) from error
        headers = bytes(self._context.extradata or b"")
        self.config = configuration_record(headers) if self._annexb else headers
        """AVCDecoderConfigurationRecord: libx264 writes it when `annexb=0`."""
        if not self.config:
            message = f"The encoder {kind} tells no parameter sets; choose another one."
            raise SetupError(message)

    def encode(self, picture: av.VideoFrame | None) -> Iterator[AccessUnit]:
        """Encode a yuv420p picture; None returns what is still inside, once, at the end."""
        if picture is not None and self._scaler is not None:
            picture = self._converted(self._scaler, picture)
        for packet in self._context.encode(picture):
            if packet.pts is not None:
                data = bytes(packet)
                data = slices(length_prefixed(data) if self._annexb else data)
                yield AccessUnit(data, packet.pts, is_idr(data))

    def _converted(self, scaler: VideoReformatter, picture: av.VideoFrame) -> av.VideoFrame:
        other = scaler.reformat(picture, format=self._recipe.pixels, threads=1)
        other.pts, other.time_base = picture.pts, picture.time_base
        other.pict_type = picture.pict_type
        return other


@dataclass(frozen=True, slots=True)
class Finding:
    """Whether an encoder works on this machine."""

    kind: EncoderKind
    works: bool
    why: str
    """What was found, or what is missing; for people."""


def look(kind: EncoderKind, shape: VideoShape | None = None) -> Finding:
    """Open an encoder and let it make two keyframes and one picture between. Blocks; any thread.

    Never raises, but what a driver does in our process is beyond us: the doctor asks a child.
    """
    recipe = _RECIPES[kind]
    try:
        av.Codec(recipe.codec, "w")
    except UnknownCodecError:
        return Finding(kind, works=False, why=f"not in this `av`; it takes {recipe.needs}")
    with _listening() as said:
        try:
            keyframes = _try(kind, shape or VideoShape())
        except (*_FAILURES, SetupError) as error:
            reason = said[0][2].strip().rstrip(".") if said else str(error.__cause__ or error)
            return Finding(kind, works=False, why=f"{reason}; it takes {recipe.needs}")
    if keyframes != [True, False, True]:
        return Finding(kind, works=False, why=f"does not give keyframes where asked: {keyframes}")
    return Finding(kind, works=True, why=f"{recipe.codec} encodes")


def choose(wanted: str, shape: VideoShape) -> EncoderKind:
    """Return the encoder for a setting: a kind, or "auto". Blocks while hardware is tried.

    Raises SetupError when a hardware encoder was asked for by name and does not work.
    """
    if wanted == EncoderKind.X264:
        return EncoderKind.X264
    for kind in HARDWARE if wanted == AUTO else (EncoderKind(wanted),):
        finding = look(kind, shape)
        if finding.works:
            logger.info("the encoder is %s", kind)
            return kind
        if wanted != AUTO:
            message = (
                f"The encoder {kind} does not work here: {finding.why}. Run `debate-bridge doctor` "
                "to see which do, or set BRIDGE_ENCODER=x264."
            )
            raise SetupError(message)
        logger.info("the encoder %s does not work here: %s", kind, finding.why)
    logger.info("the encoder is %s: no hardware encoder works here", EncoderKind.X264)
    return EncoderKind.X264


def _try(kind: EncoderKind, shape: VideoShape) -> list[bool]:
    """Which of three pictures came out as keyframes."""
    encoder = PictureEncoder(kind, shape)
    units: list[AccessUnit] = []
    for number, wanted in enumerate((PictureType.I, PictureType.NONE, PictureType.I)):
        picture = av.VideoFrame(shape.width, shape.height, "yuv420p")
        for plane in picture.planes:
            plane.update(bytes((128,)) * plane.buffer_size)
        picture.pts, picture.time_base = number * VIDEO_RATE // shape.fps, Fraction(1, VIDEO_RATE)
        picture.pict_type = wanted
        units += encoder.encode(picture)
    units += encoder.encode(None)
    return [unit.keyframe for unit in units]


@contextmanager
def _listening() -> Iterator[list[tuple[int, str, str]]]:
    """Collect what libav says of this thread's errors; it is silent unless it is asked."""
    before = av.logging.get_level()
    av.logging.set_level(av.logging.ERROR)
    try:
        with av.logging.Capture() as said:
            yield said
    finally:
        av.logging.set_level(before)


def _opened(kind: EncoderKind, shape: VideoShape, x264_params: str) -> VideoCodecContext:
    recipe = _RECIPES[kind]
    device = HWAccel(recipe.device) if recipe.device else None
    context = cast("VideoCodecContext", VideoCodecContext.create(recipe.codec, "w", device))
    context.width, context.height, context.pix_fmt = shape.width, shape.height, recipe.pixels
    context.framerate = Fraction(shape.fps)
    context.time_base = Fraction(1, VIDEO_RATE)
    context.bit_rate = shape.kbps * 1000
    context.flags |= Flags.global_header
    context.colorspace = _SPC_BT709
    context.color_range = ColorRange.MPEG
    context.color_primaries = ColorPrimaries.BT709
    context.color_trc = ColorTrc.BT709
    if kind is EncoderKind.X264:
        context.options = x264_options(shape, x264_params)
    else:
        context.flags |= Flags.closed_gop | Flags.low_delay
        context.options = {**_common_options(shape), **dict(recipe.options)}
    context.open()
    return context


def _common_options(shape: VideoShape) -> dict[str, str]:
    """For hardware: what libav itself knows by name."""
    bits = str(shape.kbps * 1000)
    return {
        "profile": "high",
        "bf": "0",
        "g": str(shape.segment_frames),
        "maxrate": bits,
        "bufsize": bits,
    }


def x264_options(shape: VideoShape, params: str = "") -> dict[str, str]:
    """Return what libx264 is opened with; `params` win over the preset's own.

    Faces and screens leave 4000 kb/s of 720p little to do, so the preset decides on CPU more than
    on looks: for two webcams veryfast takes 10.2 ms a picture and gives 52.4 dB, superfast 6.3 and
    51.9, faster 17 and 52.8; a scrolled page of text needs half the rate. It stays veryfast: three
    times that fits into a tick of 33 ms, and `hurry` (4.1 ms) is there when it does not.
    `zerolatency` takes look-ahead and with it mb-tree, so presets differ less than usual.

    Their choices are left alone: weightp=0 and 8x8dct=0 change next to nothing, me=dia:subme=1 is a
    dearer superfast. aq-mode=0 is the one that measures better, by 1.6 dB of faces and 2.5 to 3 of
    text; but SSIM hardly moves for faces, and fell with the artwork of a theme at 1500 kb/s, where
    flat parts lose their bits. PSNR is blind to that: it stays on until eyes have compared. All by
    `tests.bench.x264_choices`, rows in RESULTS.md.

    scenecut is off, and min-keyint 1: keyframes are where the grid wants them. b = maxrate =
    bufsize: see `VideoEncoder`.
    """
    kbps = shape.kbps
    # Sliced threads add no delay, frame threads would; one thread needs neither.
    sliced = int(shape.threads > 1)
    own = (
        f"annexb=0:keyint={shape.segment_frames}:min-keyint=1:scenecut=0:bframes=0"
        f":vbv-maxrate={kbps}:vbv-bufsize={kbps}"
        f":threads={shape.threads}:sliced-threads={sliced}"
    )
    return {
        "preset": shape.preset,
        "tune": "zerolatency",
        "profile": "high",
        "forced-idr": "1",
        "x264-params": f"{own}:{params}" if params else own,
    }
