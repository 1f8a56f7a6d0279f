"""Where parts are cut, with packets that no decoder will see."""

from fractions import Fraction
from pathlib import Path

import pytest

from bridge.broadcast.outputs import fmp4
from bridge.broadcast.outputs.packager import Packager, Part
from bridge.protocol import boxes
from tests import media


def _feed(packager: Packager, packets) -> list[Part]:
    return [part for packet in packets for part in packager.put(packet)]


def _spans(tmp_path: Path, part: Part) -> tuple[boxes.TrackSpan, ...]:
    file = tmp_path / "part.mp4"
    file.write_bytes(fmp4.init_segment(media.blank_parameters()) + part.data)
    return boxes.fragmented_spans(file)


def test_a_part_leaves_with_its_last_frame_and_not_one_packet_later() -> None:
    packager = Packager(media.grid())
    assert _feed(packager, [media.picture(n, keyframe=n == 0) for n in range(11)]) == []
    (part,) = packager.put(media.picture(11))
    assert (part.number, part.keyframe, part.first_frame) == (0, True, 0)


def test_parts_are_numbered_on_the_grid_and_open_segments_with_keyframes() -> None:
    parts = _feed(Packager(media.grid()), media.blank_programme(120))
    assert [part.number for part in parts] == list(range(10))
    assert [part.number for part in parts if part.keyframe] == [0, 5]


def test_joining_late_waits_for_the_next_segment_and_keeps_its_number() -> None:
    parts = _feed(Packager(media.grid()), media.blank_programme(120)[70:])
    assert [part.number for part in parts] == [5, 6, 7, 8, 9]
    assert parts[0].keyframe


def test_a_keyframe_within_a_segment_does_not_start_the_packager() -> None:
    assert _feed(Packager(media.grid()), [media.picture(n, keyframe=True) for n in (13, 30)]) == []


def test_a_skipped_last_frame_is_stood_in_for_by_the_one_before(tmp_path: Path) -> None:
    packager = Packager(media.grid())
    pictures = [media.picture(n, keyframe=n == 0) for n in range(9)]
    assert _feed(packager, pictures) == []
    (part,) = packager.put(media.picture(12))
    (span,) = _spans(tmp_path, part)
    assert [span.start, span.end - 10, span.samples] == [10, Fraction(12, 30), 9]


def test_late_sound_goes_into_the_next_part(tmp_path: Path) -> None:
    packager = Packager(media.grid())
    (first,) = _feed(packager, [media.picture(n, keyframe=n == 0) for n in range(12)])
    (second,) = _feed(packager, [media.sound(3), *(media.picture(n) for n in range(12, 24))])
    assert len(_spans(tmp_path, first)) == 1
    assert [span.samples for span in _spans(tmp_path, second)] == [12, 1]


def test_a_part_without_pictures_carries_its_sound(tmp_path: Path) -> None:
    packager = Packager(media.grid())
    parts = _feed(packager, [media.picture(n, keyframe=n == 0) for n in range(12)])
    parts += _feed(packager, [media.sound(n) for n in range(20, 60)])
    parts += _feed(packager, [media.picture(n) for n in range(36, 48)])
    assert [part.number for part in parts] == [0, 1, 2, 3]
    assert [part.keyframe for part in parts] == [True, False, False, False]
    (alone,) = _spans(tmp_path, parts[1])
    # AAC frames 20 to 37 begin before 0.8 s = 37.5 frames of 1024 samples.
    assert alone.samples == 18


def test_a_part_with_neither_picture_nor_sound_leaves_its_number_out() -> None:
    packager = Packager(media.grid())
    parts = _feed(packager, [media.picture(n, keyframe=n == 0) for n in range(12)])
    parts += _feed(packager, [media.picture(n) for n in range(36, 48)])
    assert [part.number for part in parts] == [0, 3]


def test_a_picture_of_a_part_that_has_left_is_dropped_and_counted() -> None:
    packager = Packager(media.grid())
    _feed(packager, [media.picture(n, keyframe=n == 0) for n in range(12)])
    assert packager.put(media.picture(5)) == []
    assert packager.late == 1


def test_flush_gives_what_is_there_with_its_own_length(tmp_path: Path) -> None:
    packager = Packager(media.grid())
    _feed(packager, [media.picture(n, keyframe=n == 0) for n in range(5)])
    (part,) = packager.flush()
    (span,) = _spans(tmp_path, part)
    assert span.end - span.start == Fraction(5, 30)
    assert packager.flush() == []


def test_flush_before_the_first_keyframe_gives_nothing() -> None:
    packager = Packager(media.grid())
    packager.put(media.sound(0))
    assert packager.flush() == []


@pytest.mark.parametrize("fps", [24, 25, 30, 50, 60])
def test_frames_and_timestamps_map_both_ways_at_every_rate(fps: int) -> None:
    grid = media.grid(fps, part_frames=6, segment_frames=12)
    parts = _feed(Packager(grid), media.blank_programme(240, fps=fps, segment_frames=12))
    assert [part.number for part in parts] == list(range(40))


@pytest.mark.parametrize("place", [0, 1])
def test_sound_that_ends_before_the_first_picture_is_left_out(tmp_path: Path, place: int) -> None:
    # AAC's priming packet comes before or after the first picture, as the encoder likes.
    programme = [media.picture(0, keyframe=True), media.sound(0), media.sound(1)]
    programme.insert(place, media.sound(-1))
    (part,) = _feed(Packager(media.grid()), [*programme, media.picture(11)])
    _, audio = _spans(tmp_path, part)
    assert [audio.start, audio.samples] == [10, 2]
