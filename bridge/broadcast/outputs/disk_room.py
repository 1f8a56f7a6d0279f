"""Whether a disk has room for what is being recorded. Pure."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

_MIB: Final = 1024 * 1024
_AGAIN: Final = 2.0
"""Twice as much room as made it stop must be there before recording goes on."""


class Room(StrEnum):
    """What a disk's free space means for a recording."""

    ENOUGH = "enough"
    LOW = "low"
    """Somebody should make room; recording goes on."""
    FULL = "full"
    """Recording stops before it takes the last bytes from the database and the logs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomLimits:
    """Below either of a pair, the room is low or full."""

    low_bytes: int = 2048 * _MIB
    low_seconds: float = 600.0
    full_bytes: int = 200 * _MIB
    full_seconds: float = 30.0


LIMITS: Final = RoomLimits()


def judge(
    free: int, bytes_per_second: float, *, stopped: bool, limits: RoomLimits = LIMITS
) -> Room:
    """Judge `free` bytes at the present rate; `stopped`: the disk was full, and nothing grows."""
    seconds = free / max(bytes_per_second, 1.0)
    factor = _AGAIN if stopped else 1.0
    if free < limits.full_bytes * factor or seconds < limits.full_seconds * factor:
        return Room.FULL
    if free < limits.low_bytes or seconds < limits.low_seconds:
        return Room.LOW
    return Room.ENOUGH
