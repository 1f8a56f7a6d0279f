"""What comes out of the encoders, judged by decoders that know only what containers are told."""

from fractions import Fraction

import av
import numpy as np
import pytest

from bridge.broadcast.media.encoder import AudioEncoder, VideoEncoder, describe
from bridge.broadcast.media.frames import view_planes
from bridge.broadcast.media.packets import ORIGIN_SECONDS, EncodedPacket, TrackKind
from bridge.errors import SetupError
from tests.component.media_builders import (
    BLUE,
    GREY,
    GRID,
    RED,
    decode_pictures,
    decode_sound,
    plain,
    settings,
)

RATE = 48_000


def encode_numbers(numbers: list[int], threads: int = 1) -> list[EncodedPacket]:
    encoder = VideoEncoder(settings(threads=threads))
    packets = []
    for number in numbers:
        colour = RED if number % 2 else BLUE
        made = list(encoder.encode(plain(colour, 320, 180), number))
        assert len(made) == 1, "every picture comes out at once"
        packets += made
    assert list(encoder.flush()) == []
    return packets


def keyframes(packets: list[EncodedPacket]) -> list[int]:
    return [GRID.frame(packet.pts) for packet in packets if packet.keyframe]


@pytest.mark.parametrize("threads", [1, 2])
def test_keyframes_are_on_the_segment_grid_and_nowhere_else(threads):
    packets = encode_numbers(list(range(200)), threads=threads)
    assert keyframes(packets) == [0, 60, 120, 180]
    assert [packet.pts for packet in packets] == [GRID.pts(number) for number in range(200)]
    assert {packet.duration for packet in packets} == {3_000}


def test_the_first_picture_of_a_segment_is_a_keyframe_when_its_first_ticks_were_skipped():
    numbers = [n for n in range(250) if n not in {7, 60, 61, 119, 180} and not 200 <= n < 243]
    packets = encode_numbers(numbers)
    assert keyframes(packets) == [0, 62, 120, 181, 243]
    assert [GRID.frame(packet.pts) for packet in packets] == numbers


def test_a_skipped_segment_leaves_the_next_one_whole():
    packets = encode_numbers([0, 1, 2, 130, 131, 180])
    assert keyframes(packets) == [0, 130, 180]


def test_access_units_hold_slices_only_and_decode_with_the_config_record_alone():
    packets = encode_numbers(list(range(70)))
    for packet in packets:
        assert nal_types(packet.data) == [5 if packet.keyframe else 1]
    video, audio = VideoEncoder(settings()), AudioEncoder(settings())
    parameters = describe(settings(), video, audio)
    assert parameters.avc_config[0] == 1
    assert parameters.avc_config[4] & 3 == 3, "lengths have 4 bytes"
    assert parameters.codecs.startswith("avc1.64")
    assert parameters.codecs.endswith(",mp4a.40.2")
    pictures = decode_pictures(parameters, packets)
    assert [time for time, _ in pictures] == [Fraction(n, 30) for n in range(70)]
    for number, (_, picture) in enumerate(pictures):
        expected = RED if number % 2 else BLUE
        middle = [int(plane[40, 70]) for plane in view_planes(picture)]
        assert middle == pytest.approx(expected, abs=6)
    assert pictures[0][1].colorspace == 1
    assert pictures[0][1].color_range == 1
    assert pictures[0][1].color_primaries == 1


def test_a_segment_decodes_by_itself():
    packets = encode_numbers(list(range(130)))
    parameters = describe(settings(), VideoEncoder(settings()), AudioEncoder(settings()))
    assert len(decode_pictures(parameters, packets[60:120])) == 60


def test_a_still_picture_costs_nearly_nothing_and_a_moving_one_keeps_the_rate():
    encoder = VideoEncoder(settings(video_kbps=600))
    still = plain(RED, 320, 180)
    sizes = [len(p.data) for n in range(90) for p in encoder.encode(still, n)]
    assert sum(sizes) * 8 / 3 < 60_000
    random = np.random.default_rng(1)
    encoder = VideoEncoder(settings(video_kbps=600))
    sizes = []
    for number in range(180):
        noisy = plain(RED, 320, 180)
        view_planes(noisy)[0][:] = random.integers(40, 90, (180, 320))
        sizes += [len(packet.data) for packet in encoder.encode(noisy, number)]
    seconds = np.array(sizes).reshape(6, 30).sum(axis=1) * 8
    assert (seconds[1:] < 600_000 * 1.25).all()
    assert seconds[1:].mean() > 600_000 * 0.8


def test_sound_decodes_to_its_own_timestamps():
    encoder = AudioEncoder(settings())
    sound = np.zeros((2, 5 * RATE), np.float32)
    beeps = [RATE * second for second in range(1, 5)]
    for at in beeps:
        sound[:, at : at + 480] = 0.5 * np.sin(2 * np.pi * 1_000 * np.arange(480) / RATE)
    packets: list[EncodedPacket] = []
    for begin in range(0, sound.shape[1], 1_600):
        packets += encoder.encode(sound[:, begin : begin + 1_600])
    packets += encoder.flush()
    assert packets[0].pts == ORIGIN_SECONDS * RATE - 1_024
    assert {packet.duration for packet in packets} == {1_024}
    parameters = describe(settings(), VideoEncoder(settings()), encoder)
    start, decoded = decode_sound(parameters, packets)
    loud = np.abs(decoded) > 0.2
    for at in beeps:
        place = at - round(start * RATE)
        first = place - 2_000 + int(np.argmax(loud[place - 2_000 : place + 2_000]))
        assert abs(first - place) < 0.002 * RATE
    assert decoded.size >= sound.shape[1]


def test_any_cutting_of_the_sound_gives_the_same_packets():
    random = np.random.default_rng(2)
    sound = random.uniform(-0.5, 0.5, (2, 20_000)).astype(np.float32)
    results = []
    for step in (801, 20_000):
        encoder = AudioEncoder(settings())
        packets: list[EncodedPacket] = []
        for begin in range(0, 20_000, step):
            packets += encoder.encode(sound[:, begin : begin + step])
        packets += encoder.flush()
        results.append([(packet.pts, packet.data) for packet in packets])
    assert results[0] == results[1]


def moving(number: int) -> av.VideoFrame:
    """A ramp that wanders by 3 samples a picture."""
    picture = plain(GREY, 320, 180)
    ramp = 30 + np.abs((np.arange(320) + 3 * number) % 360 - 180)
    view_planes(picture)[0][:] = ramp.astype(np.uint8)
    return picture


class Hurried:
    """A programme during which hurry is asked for, or no longer, before some of its pictures."""

    def __init__(self, numbers: list[int], asked: dict[int, bool], preset: str = "veryfast"):
        self.settings = settings(preset=preset)
        self.encoder = VideoEncoder(self.settings)
        self.config = self.encoder.config
        self.numbers = numbers
        self.hurrying: list[int] = []
        self.packets: list[EncodedPacket] = []
        for number in numbers:
            if number in asked:
                self.encoder.hurry(on=asked[number])
            made = list(self.encoder.encode(moving(number), number))
            assert [GRID.frame(packet.pts) for packet in made] == [number]
            self.packets += made
            if self.encoder.hurrying:
                self.hurrying.append(number)
        assert list(self.encoder.flush()) == []

    def judge(self) -> None:
        """Decode everything with the first record, by a decoder that forgives nothing."""
        parameters = describe(self.settings, self.encoder, AudioEncoder(self.settings))
        assert parameters.avc_config == self.config
        with av.logging.Capture() as said:
            pictures = decode_pictures(parameters, self.packets, strict=True)
        assert [line for level, _, line in said if level <= av.logging.WARNING] == []
        assert [time for time, _ in pictures] == [Fraction(n, 30) for n in self.numbers]
        for number, (_, picture) in zip(self.numbers, pictures, strict=True):
            assert not picture.is_corrupt
            luma, wanted = (view_planes(one)[0] for one in (picture, moving(number)))
            assert np.abs(luma.astype(int) - wanted).mean() < 4


def test_hurry_begins_and_ends_with_a_segment_and_no_decoder_notices():
    hurried = Hurried(list(range(400)), {70: True, 200: False, 310: True})
    assert hurried.encoder.can_hurry
    assert hurried.hurrying == [*range(120, 240), *range(360, 400)]
    assert keyframes(hurried.packets) == [0, 60, 120, 180, 240, 300, 360]
    hurried.judge()


@pytest.mark.parametrize("preset", ["superfast", "faster", "fast", "medium"])
def test_hurry_fits_the_parameter_sets_of_slower_presets(preset):
    hurried = Hurried(list(range(185)), {10: True, 70: False}, preset)
    assert hurried.hurrying == list(range(60, 120))
    hurried.judge()


def test_what_was_asked_for_last_before_a_segment_counts():
    hurried = Hurried(list(range(130)), {10: True, 50: False, 70: True, 119: False})
    assert hurried.hurrying == []


def test_hurry_waits_for_a_picture_between_two_keyframes():
    # Neighbouring IDR pictures must differ in idr_pic_id, which each x264 counts from 0.
    hurried = Hurried([0, 1, 60, 120, 121, 180, 181], {120: True})
    assert hurried.hurrying == [180, 181]
    assert keyframes(hurried.packets) == [0, 60, 120, 180]
    hurried.judge()


def test_ultrafast_has_nothing_quicker():
    encoder = VideoEncoder(settings(preset="ultrafast"))
    assert not encoder.can_hurry
    assert not encoder.hurry(on=True)
    assert [len(list(encoder.encode(moving(n), n))) for n in (0, 1, 60)] == [1, 1, 1]
    assert not encoder.hurrying


def test_without_memory_for_another_x264_the_one_that_runs_goes_on(monkeypatch, caplog):
    encoder = VideoEncoder(settings(preset="veryfast"))

    def refuse(*_arguments: object) -> None:
        raise SetupError("no memory")

    monkeypatch.setattr("bridge.broadcast.media.encoder.PictureEncoder", refuse)
    assert encoder.hurry(on=True)
    packets = [packet for n in range(130) for packet in encoder.encode(moving(n), n)]
    assert keyframes(packets) == [0, 60, 120]
    assert not encoder.hurrying
    assert not encoder.can_hurry
    assert caplog.text.count("another x264 cannot be opened") == 1


def test_nonsense_as_preset_is_a_set_up_error():
    with pytest.raises(SetupError, match='preset "quickly"'):
        VideoEncoder(settings(preset="quickly"))


def test_every_packet_says_what_it_is():
    assert {packet.kind for packet in encode_numbers([0, 1])} == {TrackKind.VIDEO}


def nal_types(data: bytes) -> list[int]:
    types, at = [], 0
    while at < len(data):
        types.append(data[at + 4] & 0x1F)
        at += 4 + int.from_bytes(data[at : at + 4], "big")
    assert at == len(data)
    return types
