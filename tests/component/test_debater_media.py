"""What a debater sends, through the real codecs: drawn pictures, flash and beep, films."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from av.audio.codeccontext import AudioCodecContext
from av.video.codeccontext import VideoCodecContext

from bridge.clock import SystemClock
from bridge.debater.barcode import MODULUS, decode_barcode
from bridge.debater.burn_in import BARCODE_BOX
from bridge.debater.cadence import Medium
from bridge.debater.drawn import DrawnDebater, SyncPattern
from bridge.debater.encoder import MediaEncoder
from bridge.debater.media_file import MediaFile
from bridge.debater.source import FPS, SOUND_SAMPLES, Source
from bridge.errors import InputError
from bridge.rooms.model import Side
from tests.helpers import until

NOON = 1_700_000_000.0


class PacketList:
    """A sink that keeps everything."""

    def __init__(self) -> None:
        self.packets: list[av.Packet] = []

    def put(self, packet: av.Packet) -> None:
        self.packets.append(packet)

    def resync(self) -> None:
        raise AssertionError

    @property
    def keyframes(self) -> list[int]:
        return [n for n, packet in enumerate(self.packets) if packet.is_keyframe]


@asynccontextmanager
async def encoding(source: Source) -> AsyncIterator[tuple[MediaEncoder, PacketList, PacketList]]:
    failures: list[Exception] = []
    encoder = MediaEncoder(SystemClock(), on_failure=failures.append)
    pictures, sounds = PacketList(), PacketList()
    encoder.add(Medium.PICTURE, pictures)
    encoder.add(Medium.SOUND, sounds)
    encoder.start(source)
    try:
        yield encoder, pictures, sounds
    finally:
        await encoder.stop()
    assert failures == []


def decoded_pictures(packets: list[av.Packet]) -> Iterator[av.VideoFrame]:
    decoder = VideoCodecContext.create("libvpx", "r")
    for packet in packets:
        yield from decoder.decode(packet)


def decoded_sound(packets: list[av.Packet]) -> tuple[int, np.ndarray]:
    """First timestamp and samples."""
    decoder = AudioCodecContext.create("libopus", "r")
    decoder.sample_rate, decoder.layout, decoder.format = 48_000, "mono", "s16"
    frames = [frame for packet in packets for frame in decoder.decode(packet)]
    assert packets[0].pts is not None
    return packets[0].pts, np.concatenate([frame.to_ndarray().reshape(-1) for frame in frames])


def stamps_of(sink: PacketList) -> list[int]:
    return [packet.pts for packet in sink.packets if packet.pts is not None]


def barcode_of(frame: av.VideoFrame) -> int | None:
    box = BARCODE_BOX
    luma = frame.to_ndarray()[: frame.height]
    return decode_barcode(luma[box.top : box.top + box.height, box.left : box.left + box.width])


def mean_rgb(frame: av.VideoFrame) -> np.ndarray:
    corner = frame.to_ndarray(format="rgb24")[100:260, 20:120]
    return np.asarray(corner.reshape(-1, 3).mean(axis=0))


@pytest.fixture(scope="module")
def faces() -> dict[Side, DrawnDebater]:
    faces = {side: DrawnDebater(side, f"The {side}") for side in Side}
    for face in faces.values():
        face.begin(NOON)
    return faces


@pytest.mark.parametrize("side", Side)
def test_clock_of_every_drawn_picture_can_be_read(faces, side):
    for number in range(90):
        expected = round((NOON + number / FPS) * 1e6) // 1000 % MODULUS
        assert barcode_of(faces[side].picture(number)) == expected


def test_sides_are_told_apart_by_colour(faces):
    teal = mean_rgb(faces[Side.PROPOSITION].picture(0))
    vermilion = mean_rgb(faces[Side.OPPOSITION].picture(0))
    assert teal[1] > teal[0] + 60
    assert vermilion[0] > vermilion[1] + 60


def test_only_the_head_and_the_clock_move(faces):
    face = faces[Side.PROPOSITION]
    one = face.picture(0).to_ndarray().copy()
    other = face.picture(100).to_ndarray().copy()
    changed = np.argwhere(one[:360] != other[:360])
    assert changed[:, 0].max() < 280
    assert changed[:, 1].min() > 120
    assert changed[:, 1].max() < 520


async def test_sent_pictures_are_evenly_timed_and_carry_a_readable_clock(faces):
    async with encoding(faces[Side.OPPOSITION]) as (_, pictures, sounds):
        await until(lambda: len(pictures.packets) >= 45, "one and a half seconds of pictures")
    stamps = stamps_of(pictures)
    assert np.diff(stamps).tolist() == [3000] * (len(stamps) - 1)
    assert {packet.time_base for packet in pictures.packets} == {Fraction(1, 90_000)}
    assert set(np.diff(stamps_of(sounds)).tolist()) == {SOUND_SAMPLES}
    times = [barcode_of(frame) for frame in decoded_pictures(pictures.packets)]
    assert None not in times
    steps = np.diff(np.array(times, dtype=int)) % MODULUS
    assert set(steps.tolist()) <= {33, 34}


class Noise(SyncPattern):
    """What costs bits."""

    def picture(self, number: int) -> av.VideoFrame:
        frame = super().picture(number)
        plane = frame.planes[0]
        blocks = np.random.default_rng(number).integers(60, 180, (plane.height // 40, 16))
        noise = np.kron(blocks.astype(np.uint8), np.ones((40, plane.line_size // 16), np.uint8))
        plane.update(noise.tobytes())
        return frame


async def test_a_limit_is_kept_from_the_next_second_on_and_begins_with_a_keyframe():
    async with encoding(Noise(Side.PROPOSITION, "x")) as (encoder, pictures, _):
        await until(lambda: len(pictures.packets) >= 60, "two seconds of pictures")
        free = sum(packet.size for packet in pictures.packets[15:45])
        encoder.limit_bit_rate(350_000)
        before = len(pictures.packets)
        await until(lambda: len(pictures.packets) >= before + 90, "three seconds of pictures")
    assert any(number > before for number in pictures.keyframes)
    limited = sum(packet.size for packet in pictures.packets[-30:])
    assert limited < 0.6 * free
    assert len(list(decoded_pictures(pictures.packets))) == len(pictures.packets)


async def test_request_gives_a_keyframe_and_a_storm_of_requests_only_few(faces):
    async with encoding(faces[Side.OPPOSITION]) as (encoder, pictures, _):
        await until(lambda: len(pictures.packets) > 15, "half a second of pictures")
        assert pictures.keyframes == [0]
        asked_at = len(pictures.packets)
        encoder.request_keyframe()
        await until(lambda: len(pictures.keyframes) == 2, "a keyframe")
        assert pictures.keyframes[1] <= asked_at + 3
        end = len(pictures.packets) + 20
        while len(pictures.packets) < end:
            encoder.request_keyframe()
            await asyncio.sleep(0.01)
        assert len(pictures.keyframes) <= 5


async def test_flash_and_beep_are_together_after_both_codecs():
    async with encoding(SyncPattern(Side.PROPOSITION, "Ada")) as (_, pictures, sounds):
        await until(lambda: len(pictures.packets) > 75, "two flashes")
    first_stamp, samples = decoded_sound(sounds.packets)
    loud = np.abs(samples.astype(int)) > 2000
    beeps = [
        (first_stamp + index) / 48_000
        for index in np.flatnonzero(loud)
        if not loud[max(0, index - 24_000) : index].any()
    ]
    bright = [
        (stamp / 90_000, frame.to_ndarray()[100:280, 20:600].mean() > 200)
        for stamp, frame in zip(
            stamps_of(pictures), decoded_pictures(pictures.packets), strict=True
        )
    ]
    flashes = [
        time for (_, before), (time, now) in pairwise(bright)
        if now and not before
    ]  # fmt: skip
    assert len(flashes) >= 1
    for flash in flashes:
        assert min(abs(flash - beep) for beep in beeps) < 0.005


async def test_stop_closes_the_source_and_ends_the_thread(tmp_path):
    film = MediaFile(make_film(tmp_path / "film.mp4"))
    async with encoding(film) as (_, pictures, _sounds):
        await until(lambda: pictures.packets, "a picture")
        assert "debater-encoder" in {thread.name for thread in threading.enumerate()}
    assert "debater-encoder" not in {thread.name for thread in threading.enumerate()}


def make_film(
    path: Path, *, size: tuple[int, int] = (640, 360), sound: bool = True, fps: int = 25
) -> Path:
    """One second: grey rising from 40 to 160, and a tone that begins with it."""
    width, height = size
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=fps, options={"bf": "2", "preset": "fast"})
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        tone = container.add_stream("aac", rate=44_100, layout="stereo") if sound else None
        for number in range(fps):
            stacked = np.full((height * 3 // 2, width), 128, np.uint8)
            stacked[:height] = 40 + number * 120 // fps
            frame = av.VideoFrame.from_ndarray(stacked, format="yuv420p")
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        if tone is not None:
            times = np.arange(44_100) / 44_100
            wave = (0.3 * np.sin(2 * np.pi * 500 * times)).astype(np.float32)
            audio = av.AudioFrame.from_ndarray(np.stack([wave, wave]), "fltp", "stereo")
            audio.sample_rate = 44_100
            container.mux(tone.encode(audio))
            container.mux(tone.encode(None))
    return path


def luma_of(film: MediaFile, number: int) -> float:
    return float(film.picture(number).to_ndarray()[: film.height].mean())


def test_film_goes_round_with_picture_and_sound(tmp_path):
    film = MediaFile(make_film(tmp_path / "film.mp4"))
    lumas = np.array([luma_of(film, number) for number in range(4 * FPS)])
    falls = np.flatnonzero(np.diff(lumas) < -60)
    # AAC makes the sound track a little longer than the picture: the last picture is held so long.
    assert len(falls) == 3
    assert set(np.diff(falls).tolist()) <= {FPS, FPS + 1}
    for fall in falls:
        again = lumas[fall + 1 : fall + 1 + FPS // 2]
        assert again == pytest.approx(lumas[: again.size], abs=10)
    samples = np.concatenate([film.sound(number) for number in range(150)])
    assert samples.size == 3 * 48_000
    for second in range(3):
        piece = samples[second * 48_000 + 9600 : second * 48_000 + 28_800].astype(float)
        peak = np.argmax(np.abs(np.fft.rfft(piece))) * 48_000 / piece.size
        assert peak == pytest.approx(500, abs=5)
    film.close()


def test_skipped_numbers_are_skipped_in_the_film_too(tmp_path):
    path = make_film(tmp_path / "film.mp4")
    film, reference = MediaFile(path), MediaFile(path)
    whole = [luma_of(reference, number) for number in range(FPS)]
    luma_of(film, 0)
    assert luma_of(film, 20) == pytest.approx(whole[20], abs=2)
    for one in (film, reference):
        one.close()


def test_large_film_is_scaled_down_in_its_own_shape(tmp_path):
    film = MediaFile(make_film(tmp_path / "tall.mp4", size=(1080, 1440)))
    assert (film.width, film.height) == (540, 720)
    assert film.picture(0).width == 540
    film.close()


def test_film_without_sound_is_silent(tmp_path):
    film = MediaFile(make_film(tmp_path / "mute.mp4", sound=False))
    assert not film.sound(0).any()
    assert film.sound(70).size == SOUND_SAMPLES
    film.close()


def test_sound_alone_is_no_film(tmp_path):
    path = tmp_path / "only.wav"
    with av.open(str(path), "w") as container:
        track = container.add_stream("pcm_s16le", rate=48_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 4800), np.int16), "s16", "mono")
        frame.sample_rate = 48_000
        container.mux(track.encode(frame))
    with pytest.raises(InputError, match="no picture"):
        MediaFile(path)
