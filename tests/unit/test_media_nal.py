"""Byte streams of hardware encoders become what containers are told and given."""

import pytest

from bridge.broadcast.media.nal import (
    configuration_record,
    is_idr,
    length_prefixed,
    slices,
    units_of,
)

SPS = bytes.fromhex("6764001facd9405005bb011000000300100000")[:-2] + b"\x80"
PPS = bytes.fromhex("68ebecb22c")
IDR, OTHER = b"\x65\x88\x84", b"\x41\x9a\x02"
SEI, AUD, FILLER = b"\x06\x05\x01", b"\x09\x10", b"\x0c\xff\x80"


def annexb(*units: bytes, start: bytes = b"\0\0\0\1") -> bytes:
    return b"".join(start + unit for unit in units)


def sized(*units: bytes) -> bytes:
    return b"".join(len(unit).to_bytes(4, "big") + unit for unit in units)


@pytest.mark.parametrize("start", [b"\0\0\1", b"\0\0\0\1", b"\0\0\0\0\0\1"])
def test_start_codes_of_any_length_part_units(start):
    stream = annexb(SPS, PPS, IDR, start=start)
    assert list(units_of(stream)) == [SPS, PPS, IDR]
    assert length_prefixed(stream) == sized(SPS, PPS, IDR)


def test_zeros_behind_a_unit_are_not_its_own():
    assert list(units_of(annexb(IDR) + b"\0\0\0" + annexb(OTHER) + b"\0\0")) == [IDR, OTHER]


def test_three_zeros_kept_apart_inside_a_unit_part_nothing():
    unit = b"\x65\0\0\3\0\0\3\1\x80"
    assert list(units_of(annexb(unit, OTHER))) == [unit, OTHER]


@pytest.mark.parametrize("stream", [b"", b"\0\0\1", b"\0\0\1\0\0\1", b"no start code at all"])
def test_a_stream_without_units_gives_nothing(stream):
    assert list(units_of(stream)) == []
    assert length_prefixed(stream) == b""
    assert configuration_record(stream) == b""


def test_the_record_of_high_profile_tells_chroma_and_depth_too():
    record = configuration_record(annexb(AUD, SPS, PPS))
    expected = b"\1" + SPS[1:4] + b"\xff\xe1" + len(SPS).to_bytes(2, "big") + SPS
    expected += b"\1" + len(PPS).to_bytes(2, "big") + PPS
    assert record == expected + b"\xfd\xf8\xf8\0"


def test_the_record_of_main_profile_ends_with_the_last_parameter_set():
    sps, other = b"\x67\x4d" + SPS[2:], PPS + b"\x01"
    record = configuration_record(annexb(sps, PPS, other))
    assert record[1] == 77
    assert record[-len(other) :] == other
    assert record[8 + len(sps)] == 2


@pytest.mark.parametrize("headers", [annexb(SPS), annexb(PPS), annexb(SEI, IDR)])
def test_without_both_parameter_sets_there_is_no_record(headers):
    assert configuration_record(headers) == b""


def test_only_slices_are_kept():
    assert slices(sized(AUD, SPS, PPS, SEI, IDR, IDR, FILLER)) == sized(IDR, IDR)
    assert slices(sized(OTHER)) == sized(OTHER)
    assert slices(sized(SEI)) == b""


def test_an_idr_picture_is_known_by_its_first_slice():
    assert is_idr(sized(IDR, IDR))
    assert not is_idr(sized(OTHER))
    assert not is_idr(b"")
