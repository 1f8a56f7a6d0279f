"""Platforms get a constant bit rate; what is added is filler that every decoder skips."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from bridge.broadcast.media.packets import VIDEO_RATE, CodecParameters, EncodedPacket, TrackKind
from bridge.broadcast.outputs.constant_rate import ConstantRate

PARAMETERS = CodecParameters(
    width=1280,
    height=720,
    fps=30,
    avc_config=b"",
    audio_config=b"",
    sample_rate=48_000,
    channels=2,
    video_bit_rate=4_000_000,
    audio_bit_rate=128_000,
)
SHARE = 4_000_000 / 8 / 30


def picture(size: int) -> EncodedPacket:
    return EncodedPacket(
        kind=TrackKind.VIDEO, data=bytes(size), pts=0, duration=VIDEO_RATE // 30, keyframe=False
    )


def test_a_still_picture_is_brought_to_the_whole_rate() -> None:
    rate = ConstantRate(PARAMETERS)
    sent = sum(len(rate.pad(picture(300))) for _ in range(300))
    assert abs(sent - SHARE * 300) < SHARE


def test_filler_is_one_nal_unit_of_its_own() -> None:
    padded = ConstantRate(PARAMETERS).pad(picture(1000))
    length, nal = int.from_bytes(padded[1000:1004]), padded[1004:]
    assert len(nal) == length
    assert (nal[0], set(nal[1:-1]), nal[-1]) == (12, {0xFF}, 0x80)


def test_a_keyframe_is_paid_back_by_the_pictures_behind_it() -> None:
    rate = ConstantRate(PARAMETERS)
    assert len(rate.pad(picture(100_000))) == 100_000
    sent = 100_000 + sum(len(rate.pad(picture(8000))) for _ in range(59))
    assert abs(sent - SHARE * 60) < SHARE


def test_sound_is_left_alone() -> None:
    sound = replace(picture(200), kind=TrackKind.AUDIO)
    assert ConstantRate(PARAMETERS).pad(sound) is sound.data


@given(st.lists(st.integers(0, 60_000), max_size=100))
def test_pictures_are_never_cut_or_changed(sizes: list[int]) -> None:
    rate = ConstantRate(PARAMETERS)
    for size in sizes:
        padded = rate.pad(picture(size))
        assert padded[:size] == bytes(size)
        assert len(padded) - size not in range(1, 6)
