"""Width and height of an encoded picture, out of its first bytes. Pure."""

from typing import Final

_HIGH: Final = {100, 110, 122, 244, 44, 83, 86, 118, 128}
"""profile_idc that tell chroma format, bit depths and scaling lists."""


def vp8_size(keyframe: bytes) -> tuple[int, int]:
    """Of a keyframe (RFC 6386 9.1)."""
    width, height = (int.from_bytes(keyframe[at : at + 2], "little") & 0x3FFF for at in (6, 8))
    return width, height


def sps_size(unit: bytes) -> tuple[int, int]:
    """Of an H.264 sequence parameter set (ISO/IEC 14496-10 7.3.2.1.1), cropped.

    Raises ValueError when it ends too early.
    """
    bits = _Bits(unit[1:].replace(b"\0\0\3", b"\0\0"))
    profile = bits.take(8)
    bits.take(16)
    bits.golomb()
    chroma = _chroma(bits) if profile in _HIGH else 1
    bits.golomb()
    _skip_order(bits)
    bits.golomb()
    bits.take(1)
    width = (bits.golomb() + 1) * 16
    map_units = bits.golomb() + 1
    frames_only = bits.take(1)
    if not frames_only:
        bits.take(1)
    height = map_units * 16 * (2 - frames_only)
    bits.take(1)
    if bits.take(1):
        x = 2 if chroma in {1, 2} else 1
        y = (2 if chroma == 1 else 1) * (2 - frames_only)
        width -= x * (bits.golomb() + bits.golomb())
        height -= y * (bits.golomb() + bits.golomb())
    return width, height


class _Bits:
    """Reads from the front."""

    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data, "big")
        self._left = len(data) * 8

    def take(self, count: int) -> int:
        self._left -= count
        if self._left < 0:
            message = "the parameter set ends too early"
            raise ValueError(message)
        return self._value >> self._left & (1 << count) - 1

    def golomb(self) -> int:
        """Exp-Golomb, unsigned (9.1)."""
        zeros = 0
        while not self.take(1):
            zeros += 1
        return (1 << zeros) - 1 + self.take(zeros)

    def signed(self) -> int:
        code = self.golomb()
        return (code + 1) // 2 if code & 1 else -(code // 2)


def _chroma(bits: _Bits) -> int:
    chroma = bits.golomb()
    if chroma == 3:
        bits.take(1)
    bits.golomb()
    bits.golomb()
    bits.take(1)
    if bits.take(1):
        for number in range(12 if chroma == 3 else 8):
            if bits.take(1):
                _skip_list(bits, 16 if number < 6 else 64)
    return chroma


def _skip_list(bits: _Bits, length: int) -> None:
    last = 8
    for _ in range(length):
        last = (last + bits.signed()) % 256
        if not last:
            return


def _skip_order(bits: _Bits) -> None:
    """Pass over what tells the order of pictures."""
    kind = bits.golomb()
    if kind == 0:
        bits.golomb()
    elif kind == 1:
        bits.take(1)
        bits.golomb()
        bits.golomb()
        for _ in range(bits.golomb()):
            bits.golomb()
