"""Where isolated frames stand, and how Matroska says it."""

import pytest

from bridge.broadcast.isolated import matroska
from bridge.broadcast.isolated.picture_size import sps_size, vp8_size
from bridge.broadcast.isolated.placement import Placement


def test_sound_goes_in_the_senders_steps_while_the_mapping_slews() -> None:
    placement = Placement(steps=True)

    times = [placement.place(n * 960, 48_000, 1 + n * 0.0201) for n in range(100)]

    assert times == pytest.approx([1 + n * 0.02 for n in range(100)])


def test_sound_that_drifted_is_set_anew() -> None:
    placement = Placement(steps=True)
    placement.place(0, 48_000, 1.0)

    assert placement.place(960, 48_000, 1.05) == 1.05
    assert placement.place(1920, 48_000, 1.065) == pytest.approx(1.07)


def test_a_gap_stays_a_gap() -> None:
    placement = Placement(steps=True)
    placement.place(0, 48_000, 1.0)

    assert placement.place(48_000, 48_000, 2.001) == pytest.approx(2.0)


def test_a_step_back_is_clamped() -> None:
    placement = Placement(steps=False)
    placement.place(0, 90_000, 1.0)

    assert 1.0 < placement.place(3000, 90_000, 0.8) < 1.001


def test_the_field_of_the_tracks_has_one_size() -> None:
    entry = matroska.Track(number=1, name="camera", codec="V_VP8", size=(1280, 720))

    assert len(matroska.tracks([])) == len(matroska.tracks([entry])) == matroska.TRACKS_BYTES


def test_too_many_tracks_are_refused() -> None:
    entry = matroska.Track(number=1, name="camera", codec="V_VP8", size=(1280, 720))

    with pytest.raises(ValueError, match="too many"):
        matroska.tracks([entry] * 100)


def test_a_simple_block_is_as_in_the_rfc() -> None:
    assert matroska.block(1, -2, b"ab", keyframe=True).hex() == "a386" + "81fffe80" + "6162"


def test_a_parameter_set_that_ends_too_early_is_told() -> None:
    with pytest.raises(ValueError, match="too early"):
        sps_size(bytes.fromhex("6742c01f"))


def test_a_vp8_keyframe_tells_its_size() -> None:
    assert vp8_size(bytes.fromhex("1002009d012a0005d00200")) == (1280, 720)
