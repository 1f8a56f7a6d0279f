"""AVCDecoderConfigurationRecord (ISO/IEC 14496-15 5.3.3.1): one record for two encoders' pictures.

A piece that is encoded anew has parameter sets of its own. They get numbers that the programme
does not use, and one record at the front of the file holds both: no parameter sets in band, which
not every player of `avc1` reads.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bridge.errors import InputError
from bridge.protocol import boxes

MAX_SPS_ID: Final = 31

_VISUAL_ENTRY_BYTES: Final = 78
"""Fields of a VisualSampleEntry after its box header, before the boxes in it."""
_STSD_FIELDS_BYTES: Final = 8
_PATH: Final = ("moov", "trak", "mdia", "minf", "stbl", "stsd")


@dataclass(frozen=True, slots=True)
class AvcConfig:
    """The record taken apart."""

    profile: bytes
    """AVCProfileIndication, profile_compatibility, AVCLevelIndication."""
    length_size: int
    """The byte with lengthSizeMinusOne."""
    sps: tuple[bytes, ...]
    pps: tuple[bytes, ...]
    extension: bytes
    """What high profiles have after the sets: chroma format and bit depths."""

    @property
    def highest_id(self) -> int:
        """Highest number of a sequence or picture parameter set."""
        return max(*map(_sps_id, self.sps), *map(_pps_id, self.pps))

    def with_sets_of(self, other: "AvcConfig") -> "AvcConfig":
        """Return this record with the parameter sets of `other` too, and the higher level."""
        level = max(self.profile[2], other.profile[2])
        return AvcConfig(
            self.profile[:2] + bytes((level,)),
            self.length_size,
            self.sps + other.sps,
            self.pps + other.pps,
            self.extension or other.extension,
        )

    def pack(self) -> bytes:
        """Content of an `avcC` box."""
        sps = b"".join(len(unit).to_bytes(2, "big") + unit for unit in self.sps)
        pps = b"".join(len(unit).to_bytes(2, "big") + unit for unit in self.pps)
        head = bytes((1, *self.profile, self.length_size, 0xE0 | len(self.sps)))
        return head + sps + bytes((len(self.pps),)) + pps + self.extension


def parse(record: bytes) -> AvcConfig:
    """Take the content of an `avcC` box apart. Raises InputError when it is torn."""
    try:
        sps, position = _units(record, 6, record[5] & 0x1F)
        pps, position = _units(record, position + 1, record[position])
    except IndexError:
        sps, pps, position = (), (), 0
    if not sps or not pps:
        message = "the parameter sets of the picture cannot be read"
        raise InputError(message, code="mp4")
    return AvcConfig(record[1:4], record[4], sps, pps, record[position:])


def read(path: Path) -> AvcConfig:
    """Read the record of the first track of an MP4. Blocking. Raises InputError without one."""
    moov = _read_moov(path)[1]
    box = _ancestors(moov)[-1]
    return parse(moov[box.body : box.end])


def replace(path: Path, config: AvcConfig) -> None:
    """Give the first track of an MP4 another record. Blocking.

    The index must be the last box of the file, so that no sample moves. Raises InputError when it
    is not.
    """
    start, moov = _read_moov(path)
    if start + len(moov) != path.stat().st_size:
        message = f"{path.name} does not end with its index"
        raise InputError(message, code="mp4")
    *outer, old = _ancestors(moov)
    record = config.pack()
    changed = bytearray(moov[: old.body] + record + moov[old.end :])
    for box in (*outer, old):
        size = box.end - box.start + len(record) - (old.end - old.body)
        changed[box.start : box.start + 4] = size.to_bytes(4, "big")
    with path.open("r+b") as file:
        file.seek(start)
        file.write(changed)
        file.truncate()


def _read_moov(path: Path) -> tuple[int, bytes]:
    """Where the index begins, and it."""
    for box in boxes.file_boxes(path):
        if box.kind == "moov":
            with path.open("rb") as file:
                file.seek(box.start)
                return box.start, file.read(box.end - box.start)
    message = f"{path.name} has no index"
    raise InputError(message, code="mp4")


def _ancestors(moov: bytes) -> list[boxes.Box]:
    """Find the boxes from `moov` down to the `avcC` of the first track."""
    path: list[boxes.Box] = []
    start, end = 0, len(moov)
    for kind in (*_PATH, "avc1", "avcC"):
        box = next((box for box in boxes.boxes(moov, start, end) if box.kind == kind), None)
        if box is None:
            message = "its first track is not H.264"
            raise InputError(message, code="mp4")
        path.append(box)
        skipped = {"stsd": _STSD_FIELDS_BYTES, "avc1": _VISUAL_ENTRY_BYTES}.get(kind, 0)
        start, end = box.body + skipped, box.end
    return path


def _units(record: bytes, position: int, count: int) -> tuple[tuple[bytes, ...], int]:
    units = []
    for _ in range(count):
        size = record[position] << 8 | record[position + 1]
        units.append(record[position + 2 : position + 2 + size])
        position += 2 + size
    return tuple(units), position


def _sps_id(unit: bytes) -> int:
    """seq_parameter_set_id: after the header and three bytes of profile and level."""
    return _unsigned_exp_golomb(unit[4:])


def _pps_id(unit: bytes) -> int:
    """pic_parameter_set_id: the first after the header."""
    return _unsigned_exp_golomb(unit[1:])


def _unsigned_exp_golomb(data: bytes) -> int:
    """Read the first ue(v) of `data` (ITU-T H.264 9.1)."""
    bits = "".join(f"{byte:08b}" for byte in data[:8])
    zeros = len(bits) - len(bits.lstrip("0"))
    return int(bits[zeros : 2 * zeros + 1] or "1", 2) - 1
