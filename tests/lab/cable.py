"""`python -m tests.lab.cable A B`: a cable between two network namespaces, made of two TUN devices.

What leaves `A` by its device `cable` arrives at the one of `B`, and the other way round, as the
Impairment says. This kernel has no netem. A relay of IP packets needs no more code than one of
UDP, and ICE sees plain host candidates: nothing has to be rewritten. Loss is not done here but by
nftables in front of the receivers (namespaces.py).

Standard input: one Impairment as JSON per line; it holds from then on, both ways. Standard output:
`ready` once both devices are there. Ends at the end of its input, or with whoever started it.
"""

import ctypes
import fcntl
import heapq
import os
import select
import struct
import sys
import time
from itertools import count
from pathlib import Path
from random import Random
from typing import Final

from pydantic import TypeAdapter

from tests.lab.impairment import Direction, Impairment

DEVICE: Final = "cable"
SEED: Final = 20_261_123
_TUNSETIFF: Final = 0x400454CA
_IFF_TUN: Final = 0x0001
_IFF_NO_PI: Final = 0x1000
_CLONE_NEWNET: Final = 0x4000_0000
_MAX_PACKET: Final = 2048
_MAX_WAITING: Final = 20_000
"""Packets on their way. Overflow: the newest is dropped. 8 Mb/s with a second of delay are 900."""
_BURST: Final = 64
"""Packets read from one device before the others get their turn."""
_ORDERS: Final = TypeAdapter(Impairment)


def enter(namespace: str) -> None:
    """Move this thread into a network namespace. Raises OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    with Path("/run/netns", namespace).open("rb") as file:
        if libc.setns(file.fileno(), _CLONE_NEWNET):
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code), namespace)


def open_tun(namespace: str) -> int:
    """Make the device in `namespace`; it lives as long as the returned descriptor."""
    # The device is born in the namespace of the thread that opens the file.
    enter(namespace)
    descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    request = struct.pack("16sH22x", DEVICE.encode(), _IFF_TUN | _IFF_NO_PI)
    fcntl.ioctl(descriptor, _TUNSETIFF, request)
    return descriptor


class Cable:
    """Both ends, and what is on its way between them."""

    def __init__(self, one: int, other: int) -> None:
        self._directions = {
            end: Direction(Impairment(), Random(SEED + number))
            for number, end in enumerate((one, other))
        }
        self._opposite = {one: other, other: one}
        self._waiting: list[tuple[float, int, int, bytes]] = []
        self._order = count()
        self._line = b""

    def run(self, orders: int) -> None:
        """Carry packets until `orders` ends."""
        poll = select.epoll()
        for descriptor in (orders, *self._directions):
            poll.register(descriptor, select.EPOLLIN)
        while True:
            for descriptor, _ in poll.poll(self._pause()):
                if descriptor != orders:
                    self._read(descriptor)
                elif not self._obey(orders):
                    return
            self._deliver()

    def _pause(self) -> float:
        """Seconds until the next packet is due; -1: nothing is on its way."""
        return max(0.0, self._waiting[0][0] - time.monotonic()) if self._waiting else -1

    def _obey(self, orders: int) -> bool:
        data = os.read(orders, 65_536)
        *lines, self._line = (self._line + data).split(b"\n")
        for line in lines:
            impairment = _ORDERS.validate_json(line)
            for direction in self._directions.values():
                direction.impairment = impairment
        return bool(data)

    def _read(self, end: int) -> None:
        now = time.monotonic()
        for _ in range(_BURST):
            try:
                packet = os.read(end, _MAX_PACKET)
            except BlockingIOError:
                return
            for due in self._directions[end].due(packet, now):
                if len(self._waiting) < _MAX_WAITING:
                    entry = (due, next(self._order), self._opposite[end], packet)
                    heapq.heappush(self._waiting, entry)

    def _deliver(self) -> None:
        now = time.monotonic()
        while self._waiting and self._waiting[0][0] <= now:
            _, _, end, packet = heapq.heappop(self._waiting)
            try:
                os.write(end, packet)
            except OSError:
                # The device is full, or not up yet: that is how a cable loses packets.
                self._directions[end].dropped += 1


def main() -> None:
    one, other = map(open_tun, sys.argv[1:3])
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    Cable(one, other).run(sys.stdin.fileno())


if __name__ == "__main__":
    main()
