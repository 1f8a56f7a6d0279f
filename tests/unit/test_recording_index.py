"""Reading and changing the index of an MP4, whole or spoilt. No encoder, no ffmpeg."""

import struct
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.errors import InputError
from bridge.server.recordings import avc_config
from bridge.server.recordings.sample_table import media_duration, read_pictures, read_tables

SPS = bytes.fromhex("6764001facd9405005bb01")
PPS = bytes.fromhex("68ebecb22c")
SECOND_SPS = bytes.fromhex("6764002053594a5f")
"""Its number, 1, is the 010 after the level."""
SECOND_PPS = bytes.fromhex("685acb22c0")
RECORD = (
    bytes.fromhex("0164001fffe1000b") + SPS + bytes.fromhex("010005") + PPS
    + bytes.fromhex("fdf8f800")
)  # fmt: skip


def _box(kind: str, *content: bytes) -> bytes:
    body = b"".join(content)
    return struct.pack(">I4s", 8 + len(body), kind.encode()) + body


def _words(*numbers: int) -> bytes:
    return struct.pack(f">{len(numbers)}I", *numbers)


def _trak(runs: list[tuple[int, int]], keyframes: list[int], *edits: tuple[int, int]) -> bytes:
    """A picture track of 90 kHz in a movie of 1 kHz; edits are (duration, media time)."""
    avc1 = _box("avc1", bytes(78), _box("avcC", RECORD), _box("pasp", _words(1, 1)))
    stbl = _box(
        "stbl",
        _box("stsd", _words(0, 1), avc1),
        _box("stts", _words(0, len(runs)), *(_words(*run) for run in runs)),
        _box("stss", _words(0, len(keyframes)), _words(*keyframes)),
    )
    mdia = _box(
        "mdia",
        _box("mdhd", _words(0, 0, 0, 90_000, 0, 0)),
        _box("hdlr", bytes(8), b"vide", bytes(13)),
        _box("minf", stbl),
    )
    elst = b"".join(struct.pack(">IiI", *edit, 0x10000) for edit in edits)
    edts = _box("edts", _box("elst", _words(0, len(edits)), elst)) if edits else b""
    return _box("trak", edts, mdia)


def _movie(*traks: bytes) -> bytes:
    mvhd = _box("mvhd", _words(0, 0, 0, 1000, 0), bytes(80))
    return _box("ftyp", b"isom") + _box("mdat", b"x" * 99) + _box("moov", mvhd, *traks)


@pytest.fixture
def movie(tmp_path: Path) -> Path:
    """60 pictures, a pause of 1 s, 30 more; keyframes 0, 30 and 61; 0.5 s after the beginning."""
    path = tmp_path / "movie.mp4"
    runs = [(59, 3000), (1, 93_000), (30, 3000)]
    path.write_bytes(_movie(_trak(runs, [1, 31, 62], (500, -1), (4000, 0))))
    return path


def test_times_and_keyframes_are_those_of_the_tables(movie: Path) -> None:
    pictures = read_pictures(movie)
    assert (pictures.count, pictures.begin, pictures.end) == (90, Fraction(1, 2), Fraction(9, 2))
    assert [pictures.time(n) for n in (0, 59, 60, 89, 90)] == [
        Fraction(1, 2),
        Fraction(1, 2) + Fraction(59, 30),
        Fraction(7, 2),
        Fraction(7, 2) + Fraction(29, 30),
        Fraction(9, 2),
    ]
    times = [Fraction(text) for text in ("0", "0.5", "0.501", "2.5", "3.5", "3.6", "4.5", "9")]
    assert [pictures.first_from(time) for time in times] == [0, 0, 1, 60, 60, 63, 90, 90]
    assert [pictures.keyframe_before(n) for n in (0, 29, 30, 60, 61, 89)] == [0, 0, 30, 30, 61, 61]
    assert [pictures.keyframe_from(n) for n in (0, 1, 30, 31, 61, 62)] == [0, 30, 30, 61, 61, 90]
    assert media_duration(movie) == Fraction(9, 2)


def test_media_before_the_first_edit_is_before_the_beginning(tmp_path: Path) -> None:
    path = tmp_path / "movie.mp4"
    path.write_bytes(_movie(_trak([(60, 3000)], [1], (1000, 3000))))
    assert read_pictures(path).time(0) == -Fraction(1, 30)


def test_a_movie_without_a_picture_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "movie.mp4"
    path.write_bytes(_movie())
    assert media_duration(path) == 0
    for read in (read_pictures, avc_config.read):
        with pytest.raises(InputError):
            read(path)


def test_the_parameter_sets_of_two_encoders_go_into_one_record(movie: Path) -> None:
    config = avc_config.read(movie)
    assert (config.sps, config.pps, config.highest_id) == ((SPS,), (PPS,), 0)
    assert config.pack() == RECORD
    other = avc_config.AvcConfig(b"\x64\x00\x20", 0xFF, (SECOND_SPS,), (SECOND_PPS,), b"")
    assert other.highest_id == 1
    avc_config.replace(movie, config.with_sets_of(other))
    both = avc_config.read(movie)
    assert both.sps == (SPS, SECOND_SPS)
    assert both.pps == (PPS, SECOND_PPS)
    assert both.profile == b"\x64\x00\x20"
    assert both.extension == config.extension
    # Nothing else has changed.
    assert read_pictures(movie).count == 90
    assert movie.read_bytes().count(_box("pasp", _words(1, 1))) == 1
    avc_config.replace(movie, config)
    assert avc_config.read(movie) == config


def test_an_index_with_samples_behind_it_is_not_changed(movie: Path) -> None:
    config = avc_config.read(movie)
    movie.write_bytes(movie.read_bytes() + _box("mdat", b"x"))
    with pytest.raises(InputError):
        avc_config.replace(movie, config)


@given(position=st.integers(0, 5000), junk=st.binary(min_size=1, max_size=12))
@settings(max_examples=300, deadline=None)
def test_a_spoilt_index_raises_nothing_but_input_errors(
    position: int, junk: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    data = bytearray(_movie(_trak([(60, 3000)], [1, 31], (500, -1), (2000, 0))))
    place = 112 + position % (len(data) - 112)
    data[place : place + len(junk)] = junk
    path = tmp_path_factory.getbasetemp() / "spoilt.mp4"
    path.write_bytes(data)
    for read in (read_tables, read_pictures, avc_config.read):
        try:
            read(path)
        except InputError:
            continue
