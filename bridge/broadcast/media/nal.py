"""H.264 byte streams: from start codes to lengths, and what of them outputs want. Pure.

Outputs take access units as in MP4 (ISO/IEC 14496-15): each NAL unit behind its length in 4 bytes,
parameter sets apart. libx264 gives that by itself; hardware gives Annex B of ISO/IEC 14496-10.
"""

from collections.abc import Iterator
from typing import Final

_START: Final = b"\0\0\1"
_IDR, _SPS, _PPS = 5, 7, 8
_LEFT_OUT: Final = {6, 7, 8, 9, 12}
"""NAL unit types that outputs do not want: SEI (x264's signature), SPS, PPS, AUD, filler."""
_HIGH: Final = {100, 110, 122, 144}
"""profile_idc whose record tells chroma format and bit depths too (5.3.3.1.2)."""
_YUV420_8BIT: Final = bytes((0xFC | 1, 0xF8, 0xF8, 0))
"""chroma_format, bit_depth_luma_minus8, bit_depth_chroma_minus8, no SPS extensions."""


def units_of(stream: bytes) -> Iterator[bytes]:
    """NAL units between start codes, without the zeros that may stand before these."""
    begin = stream.find(_START)
    while begin >= 0:
        begin += len(_START)
        end = stream.find(_START, begin)
        # A NAL unit never ends with a zero byte (7.4.1): those belong to the next start code.
        unit = stream[begin : end if end >= 0 else len(stream)].rstrip(b"\0")
        if unit:
            yield unit
        begin = end


def length_prefixed(stream: bytes) -> bytes:
    """Annex B as NAL units behind their lengths in 4 bytes."""
    return b"".join(len(unit).to_bytes(4, "big") + unit for unit in units_of(stream))


def configuration_record(headers: bytes) -> bytes:
    """AVCDecoderConfigurationRecord of Annex B parameter sets; b"" when one is missing.

    For 4:2:0 with 8 bits, as all our encoders are opened.
    """
    units = list(units_of(headers))
    sps = [unit for unit in units if unit[0] & 0x1F == _SPS]
    pps = [unit for unit in units if unit[0] & 0x1F == _PPS]
    if not sps or not pps:
        return b""
    profile = sps[0][1:4]
    record = bytes((1, *profile, 0xFF, 0xE0 | len(sps))) + _sized(sps)
    record += bytes((len(pps),)) + _sized(pps)
    return record + _YUV420_8BIT if profile[0] in _HIGH else record


def slices(access_unit: bytes) -> bytes:
    """Leave out NAL units that are not slices. Each has its length in 4 bytes before it."""
    kept = []
    at = 0
    while at + 4 < len(access_unit):
        end = at + 4 + int.from_bytes(access_unit[at : at + 4], "big")
        if access_unit[at + 4] & 0x1F not in _LEFT_OUT:
            kept.append(access_unit[at:end])
        at = end
    return kept[0] if len(kept) == 1 else b"".join(kept)


def is_idr(only_slices: bytes) -> bool:
    """Whether the access unit, as `slices` left it, is an IDR picture."""
    return len(only_slices) > 4 and only_slices[4] & 0x1F == _IDR


def _sized(units: list[bytes]) -> bytes:
    return b"".join(len(unit).to_bytes(2, "big") + unit for unit in units)
