"""The codecs of the wheel: what they are given, what they give, and what they refuse."""

import resource
import threading
import time
from collections.abc import Sequence
from fractions import Fraction

import av
import numpy as np
import pytest
from av.audio.codeccontext import AudioCodecContext
from av.video.codeccontext import VideoCodecContext
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.aiortc_inside.media import H264, OPUS, VP8
from bridge.broadcast.rtc.audio_decoder import AudioDecoder, OpusConcealment
from bridge.broadcast.rtc.frames import EncodedFrame, is_keyframe
from bridge.broadcast.rtc.opus import OpusDecoder, OpusPacketError, packet_samples
from bridge.broadcast.rtc.playout_delay import PlayoutDelay
from bridge.broadcast.rtc.video_decoder import PictureDecoder, PictureError, VideoDecoder
from bridge.clock import SystemClock
from tests.rtc import Pictures, Sounds

SIZES = ((320, 180), (160, 90), (90, 160))


def encode(name: str, size: tuple[int, int], count: int, first: int = 0) -> list[EncodedFrame]:
    """Frames of a picture that gets brighter, one keyframe at the start."""
    codec = VideoCodecContext.create("libvpx" if name == VP8 else "libx264", "w")
    codec.width, codec.height, codec.pix_fmt = *size, "yuv420p"
    codec.time_base, codec.framerate = Fraction(1, 30), Fraction(30)
    codec.bit_rate, codec.gop_size = 400_000, 1000
    codec.options = (
        {"deadline": "realtime", "lag-in-frames": "0"}
        if name == VP8
        else {"preset": "ultrafast", "tune": "zerolatency", "profile": "baseline"}
    )
    packets = []
    for number in range(count):
        picture = av.VideoFrame(*size, "yuv420p")
        for plane, value in zip(picture.planes, (40 + number * 3, 128, 128), strict=True):
            plane.update(bytes([value]) * plane.buffer_size)
        picture.pts = number
        packets += codec.encode(picture)
    return [frame(name, bytes(packet), (first + n) * 3000) for n, packet in enumerate(packets)]


def frame(codec: str, data: bytes, timestamp: int = 0, lost_before: int = 0) -> EncodedFrame:
    return EncodedFrame(
        codec=codec,
        data=data,
        timestamp=timestamp,
        clock_rate=48_000 if codec == OPUS else 90_000,
        arrival=0.0,
        keyframe=is_keyframe(codec, data),
        lost_before=lost_before,
    )


def memory() -> int:
    """Largest memory of this process so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def bomb() -> bytes:
    """A VP8 keyframe of 67 bytes that claims 16383x16383."""
    return b"\x50\x05\x00\x9d\x01\x2a\xff\x3f\xff\x3f" + b"\x00" * 57


@pytest.mark.parametrize("codec", [VP8, H264])
def test_trap_20_size_and_orientation_change_within_a_track(codec: str) -> None:
    decoder = PictureDecoder()
    seen = []
    for size in SIZES:
        for item in encode(codec, size, 4):
            picture = decoder.decode(item)
            if picture is not None:
                seen.append((picture.width, picture.height))
    assert list(dict.fromkeys(seen)) == list(SIZES)


def test_a_codec_change_within_a_track_is_followed() -> None:
    decoder = PictureDecoder()
    pictures = [decoder.decode(item) for name in (VP8, H264) for item in encode(name, SIZES[0], 3)]
    assert len([picture for picture in pictures if picture]) >= 5


def test_a_67_byte_keyframe_that_claims_an_absurd_size_costs_nothing() -> None:
    assert len(bomb()) == 67
    decoder = PictureDecoder()
    before = memory()
    started = time.monotonic()
    for _ in range(10):
        with pytest.raises(PictureError):
            decoder.decode(frame(VP8, bomb()))
    assert time.monotonic() - started < 1.0
    assert memory() - before < 30
    assert decoder.decode(encode(VP8, SIZES[0], 1)[0]) is not None


def test_a_picture_above_1080p_is_refused_and_1080p_is_not() -> None:
    with pytest.raises(PictureError):
        PictureDecoder().decode(encode(H264, (2560, 1440), 1)[0])
    assert PictureDecoder().decode(encode(H264, (1920, 1080), 1)[0]) is not None


@settings(max_examples=300, deadline=None)
@given(st.sampled_from([VP8, H264, "H265"]), st.binary(max_size=200))
def test_no_bytes_do_more_than_fail(codec: str, data: bytes) -> None:
    try:
        PictureDecoder().decode(frame(codec, data))
    except PictureError:
        return


class Rig:
    def __init__(self) -> None:
        self.sink = Pictures()
        self.asked = 0
        self.clock = SystemClock()
        self.decoder = VideoDecoder(
            "test",
            self.sink,
            clock=self.clock,
            delay=PlayoutDelay(0.0, 0.0),
            on_keyframe_needed=self._ask,
        )

    def _ask(self) -> None:
        self.asked += 1

    def run(self, frames: Sequence[tuple[EncodedFrame, float]], *, until_idle: float) -> None:
        """Feed everything before the thread starts, and let it work `until_idle` seconds."""
        for item, due in frames:
            self.decoder.feed(item, due)
        self.decoder.start()
        end = time.monotonic() + until_idle
        while time.monotonic() < end:
            threading.Event().wait(0.01)
        self.decoder.stop()
        assert self.decoder.join(2.0)


def test_a_picture_is_shown_when_it_is_due() -> None:
    rig = Rig()
    frames = encode(VP8, SIZES[0], 10)
    start = rig.clock.monotonic() + 0.1
    dues = [start + n * 0.04 for n in range(10)]
    rig.run(list(zip(frames, dues, strict=True)), until_idle=0.6)
    assert len(rig.sink.at) == 10
    late = [at - due for at, due in zip(rig.sink.at, dues, strict=True)]
    assert max(map(abs, late[1:])) < 0.02


def test_the_first_picture_does_not_wait_for_its_time() -> None:
    rig = Rig()
    begin = rig.clock.monotonic()
    dues = [begin + 0.3, begin + 0.34]
    rig.run(list(zip(encode(VP8, SIZES[0], 2), dues, strict=True)), until_idle=0.5)
    assert rig.sink.at[0] < begin + 0.2
    assert rig.sink.at[1] == pytest.approx(dues[1], abs=0.02)


def test_of_overdue_pictures_only_the_newest_is_shown() -> None:
    rig = Rig()
    now = rig.clock.monotonic()
    dues = [now - 1 + n * 0.01 for n in range(20)]
    rig.run(list(zip(encode(VP8, SIZES[0], 20), dues, strict=True)), until_idle=0.3)
    assert len(rig.sink.at) == 1
    assert rig.sink.luma[-1] == pytest.approx(40 + 19 * 3, abs=8)


def test_trap_1_a_decoder_that_falls_behind_drops_to_the_next_keyframe() -> None:
    rig = Rig()
    now = rig.clock.monotonic()
    behind = encode(VP8, SIZES[1], 60)
    fresh = encode(VP8, SIZES[0], 2)
    frames = [(item, now) for item in [*behind, *behind[1:], *behind[1:], *fresh]]
    rig.run(frames, until_idle=0.3)
    assert rig.asked >= 1
    assert rig.decoder.counters.dropped >= 120
    assert rig.sink.sizes == [SIZES[0]]


def test_a_frame_that_cannot_be_decoded_asks_for_a_keyframe_and_holds_the_rest() -> None:
    rig = Rig()
    good = encode(VP8, SIZES[0], 3)
    again = encode(VP8, SIZES[1], 1)
    now = rig.clock.monotonic() + 0.05
    frames = [(good[0], now), (frame(VP8, bomb()), now + 0.05)]
    frames += [(good[1], now + 0.1), (again[0], now + 0.15)]
    rig.run(frames, until_idle=0.4)
    assert rig.asked == 1
    assert rig.sink.sizes == [SIZES[0], SIZES[1]]
    assert rig.decoder.counters.errors == 1


def test_trap_15_stopping_does_not_wait_for_what_is_queued() -> None:
    rig = Rig()
    due = rig.clock.monotonic() + 60
    for item in encode(VP8, SIZES[0], 60):
        rig.decoder.feed(item, due)
    rig.decoder.start()
    started = time.monotonic()
    rig.decoder.stop()
    assert time.monotonic() - started < 0.05
    assert rig.decoder.join(1.0)
    assert len(rig.sink.at) <= 1, "the first one does not wait"


def opus_packets(seconds: float) -> list[bytes]:
    """Something like speech, 32 kb/s, with in-band FEC."""
    codec = AudioCodecContext.create("libopus", "w")
    codec.bit_rate, codec.sample_rate, codec.layout, codec.format = 32_000, 48_000, "mono", "s16"
    codec.options = {"application": "voip", "fec": "1", "packet_loss": "10"}
    at = np.arange(round(seconds * 48_000)) / 48_000
    phase = 2 * np.pi * np.cumsum(120 + 30 * np.sin(2 * np.pi * 0.7 * at)) / 48_000
    voice = sum((np.sin(k * phase) / k for k in range(1, 12)), np.zeros_like(at))
    wave = (voice * (0.5 + 0.5 * np.sin(6 * np.pi * at)) * 6000).astype(np.int16)
    packets = []
    for begin in range(0, wave.size - 959, 960):
        piece = av.AudioFrame.from_ndarray(wave[None, begin : begin + 960], "s16", "mono")
        piece.sample_rate, piece.pts = 48_000, begin
        packets += [bytes(packet) for packet in codec.encode(piece)]
    return packets


def signal_to_noise(clean: np.ndarray, found: np.ndarray) -> float:
    return float(10 * np.log10((clean**2).sum() / ((clean - found) ** 2).sum()))


def test_lost_sound_is_recovered_from_the_packet_after_it() -> None:
    packets = opus_packets(4)
    reference, receiver = OpusDecoder(), OpusConcealment()
    clean = [reference.decode(packet) for packet in packets]
    rng = np.random.default_rng(1)
    lost = set(rng.choice(np.arange(50, len(packets) - 5), 12, replace=False).tolist())
    lost -= {number + 1 for number in lost}
    found = {}
    for number, data in enumerate(packets):
        if number not in lost:
            for sound in receiver.decode(
                frame(OPUS, data, number * 960, lost_before=int(number - 1 in lost))
            ):
                found[sound.timestamp // 960] = sound.samples
    assert sorted(found) == list(range(len(packets)))
    assert receiver.concealed == 960 * len(lost)
    ordered = sorted(lost)
    snr = signal_to_noise(
        np.concatenate([clean[n][0] for n in ordered]),
        np.concatenate([found[n][0] for n in ordered]),
    )
    assert snr > 9
    receiver.close()
    reference.close()


def test_silence_that_was_never_sent_is_not_made_up() -> None:
    packets = opus_packets(1)
    receiver = OpusConcealment()
    receiver.decode(frame(OPUS, packets[0], 0))
    sounds = receiver.decode(frame(OPUS, packets[1], 48_000))
    assert [sound.timestamp for sound in sounds] == [48_000]
    assert receiver.concealed == 0
    receiver.close()


def test_a_long_loss_is_concealed_for_100_ms_and_then_silent() -> None:
    packets = opus_packets(1)
    receiver = OpusConcealment()
    receiver.decode(frame(OPUS, packets[0], 0))
    sounds = receiver.decode(frame(OPUS, packets[40], 40 * 960, lost_before=39))
    lengths = [(sound.timestamp, sound.samples.shape[1]) for sound in sounds]
    assert lengths == [(960, 4800), (39 * 960, 960), (40 * 960, 960)]
    receiver.close()


def test_a_packet_that_is_not_opus_is_counted() -> None:
    receiver = OpusConcealment()
    assert receiver.decode(frame(OPUS, b"")) == []
    assert receiver.decode(frame(OPUS, b"\xff\xff\xff")) == []
    assert receiver.broken == 2
    receiver.close()


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=80))
def test_no_opus_bytes_do_more_than_fail(data: bytes) -> None:
    decoder = OpusDecoder()
    try:
        assert packet_samples(data) <= 5760
        assert decoder.decode(data).shape[0] == 2
    except OpusPacketError:
        pass
    decoder.close()
    decoder.close()


def test_sound_is_written_with_its_place_in_time() -> None:
    packets = opus_packets(1)
    sink = Sounds()
    decoder = AudioDecoder("test", sink)
    for number in (0, 1, 3, 4):
        lost = int(number == 3)
        decoder.feed(frame(OPUS, packets[number], number * 960, lost), 50 + number * 0.02)
    decoder.stop()
    decoder.start()
    assert decoder.join(2.0)
    assert [due for due, _ in sink.blocks] == pytest.approx([50, 50.02, 50.04, 50.06, 50.08])
    assert decoder.counters.concealed == 960
    assert decoder.counters.decoded == 4
