"""The box walker against whole, torn and hostile files."""

from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.broadcast.outputs import fmp4
from bridge.broadcast.outputs.packager import Packager
from bridge.errors import InputError
from bridge.protocol import boxes
from tests import media


def _programme(frames: int) -> tuple[bytes, list[bytes]]:
    packager = Packager(media.grid())
    parts = [p.data for packet in media.blank_programme(frames) for p in packager.put(packet)]
    return fmp4.init_segment(media.blank_parameters()), parts


def test_walking_tells_every_box_and_its_place() -> None:
    init, parts = _programme(24)
    kinds = [box.kind for box in boxes.boxes(init + b"".join(parts))]
    assert kinds == ["ftyp", "moov", "moof", "mdat", "moof", "mdat"]
    header = boxes.child(init, "moov", "mvhd")
    assert header is not None
    assert init[header.start + 4 : header.body] == b"mvhd"
    assert boxes.child(init, "moov", "nope") is None


def test_a_file_cut_anywhere_is_whole_up_to_its_last_part(tmp_path: Path) -> None:
    init, parts = _programme(48)
    data = init + b"".join(parts)
    ends = [len(init) + sum(map(len, parts[:n])) for n in range(1, len(parts) + 1)]
    file = tmp_path / "torn.mp4"
    for length in range(0, len(data) + 1, 7):
        file.write_bytes(data[:length])
        assert boxes.whole_length(file) == max((e for e in ends if e <= length), default=0)


def test_spans_are_those_of_the_grid(tmp_path: Path) -> None:
    init, parts = _programme(48)
    file = tmp_path / "whole.mp4"
    file.write_bytes(init + b"".join(parts))
    video, audio = boxes.fragmented_spans(file)
    assert [video.start, video.end, video.samples] == [10, 10 + Fraction(48, 30), 48]
    assert audio.start == 10
    assert abs(audio.end - video.end) < Fraction(1, 20)


def test_fragments_without_a_moov_are_refused(tmp_path: Path) -> None:
    _, parts = _programme(24)
    file = tmp_path / "parts.mp4"
    file.write_bytes(b"".join(parts))
    assert boxes.whole_length(file) == 0
    with pytest.raises(InputError):
        boxes.fragmented_spans(file)
    with pytest.raises(InputError):
        boxes.movie_duration(file)


@given(
    position=st.integers(min_value=0, max_value=4000),
    junk=st.binary(min_size=1, max_size=40),
)
@settings(max_examples=300, deadline=None)
def test_damage_anywhere_raises_nothing_but_input_errors(
    position: int, junk: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    init, parts = _programme(24)
    data = bytearray(init + b"".join(parts))
    place = position % len(data)
    data[place : place + len(junk)] = junk
    file = tmp_path_factory.getbasetemp() / "damaged.mp4"
    file.write_bytes(data)
    assert 0 <= boxes.whole_length(file) <= len(data)
    for read in (boxes.fragmented_spans, boxes.movie_duration):
        try:
            read(file)
        except InputError:
            continue
