"""When a disk is low and when it is full, as a table."""

import pytest

from bridge.broadcast.outputs.disk_room import Room, judge

MIB = 1024 * 1024
RATE = 520_000.0
"""Bytes a second of a programme at 720p30."""


@pytest.mark.parametrize(
    ("free", "rate", "stopped", "room"),
    [
        (100_000 * MIB, RATE, False, Room.ENOUGH),
        (2047 * MIB, RATE, False, Room.LOW),
        (2100 * MIB, 4 * 1e6, False, Room.LOW),
        (201 * MIB, RATE, False, Room.LOW),
        (199 * MIB, RATE, False, Room.FULL),
        (300 * MIB, 12e6, False, Room.FULL),
        # It goes on only when there is twice as much as made it stop.
        (399 * MIB, RATE, True, Room.FULL),
        (401 * MIB, RATE, True, Room.LOW),
        (0, 0.0, False, Room.FULL),
    ],
)
def test_judge(free: int, rate: float, stopped: bool, room: Room) -> None:
    assert judge(free, rate, stopped=stopped) is room
