"""A crowd of spectators who hold the next playlist, in one process with as little work as possible.

    python -m tests.bench.crowd HOST PORT PROGRAMME COUNT SECONDS [playlist]

Prints one line of JSON. How late an answer is, is what the kernel saw arrive, not when this process
came to read it (SO_TIMESTAMPNS), against the first of the same crowd.
"""

import json
import re
import resource
import select
import socket
import struct
import sys
import time
import urllib.request
from collections import defaultdict

import numpy as np

_SO_TIMESTAMPNS = 35
_CONNECTS_AT_ONCE = 200
_SETTLE_SECONDS = 3.0


class Crowd:
    """`count` connections, each with one request under way."""

    def __init__(self, host: str, port: int, programme: str, count: int, playlist: str) -> None:
        self._host, self._port, self._count = host, port, count
        self._path = f"/live/{programme}/{playlist}.m3u8"
        text = urllib.request.urlopen(f"http://{host}:{port}{self._path}").read().decode()
        first = re.search(r"#EXT-X-MEDIA-SEQUENCE:(\d+)", text)
        assert first is not None
        self._msn = int(first[1]) + text.count("#EXTINF")
        self._next = len(re.findall("#EXT-X-PART:", text.rpartition("#EXTINF")[2]))
        self._requests: dict[int, bytes] = {}
        self._poll = select.epoll()
        self._sockets: dict[int, socket.socket] = {}
        self._at: dict[int, int] = {}
        self._partial: dict[int, bytes] = {}
        self.arrivals: dict[int, list[int]] = defaultdict(list)
        self.refused: dict[str, int] = defaultdict(int)

    def run(self, seconds: float) -> float:
        """Play; returns the CPU seconds used while everybody was there."""
        while len(self._sockets) < self._count:
            for _ in range(min(_CONNECTS_AT_ONCE, self._count - len(self._sockets))):
                self._connect()
            self._serve(0.02)
        self._serve(_SETTLE_SECONDS)
        self.arrivals.clear()
        before = time.process_time()
        self._serve(seconds)
        return time.process_time() - before

    def _connect(self) -> None:
        made = socket.create_connection((self._host, self._port))
        made.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        made.setblocking(False)
        number = made.fileno()
        self._sockets[number] = made
        self._at[number] = self._next
        self._partial[number] = b""
        self._poll.register(number, select.EPOLLIN)
        made.send(self._request(self._next))

    def _serve(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            for number, _ in self._poll.poll(left):
                self._read(number)

    def _read(self, number: int) -> None:
        try:
            data, ancillary, _, _ = self._sockets[number].recvmsg(65536, 64)
        except ConnectionResetError:
            data, ancillary = b"", []
        if not data:
            self.refused["closed"] += 1
            self._poll.unregister(number)
            return
        data = self._partial[number] + data
        head, found, body = data.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: (\d+)", head) if found else None
        if length is None or len(body) < int(length[1]):
            self._partial[number] = data
            return
        self._partial[number] = b""
        at = self._at[number]
        if head[9:12] == b"200":
            seconds, nanoseconds = struct.unpack("qq", ancillary[0][2][:16])
            self.arrivals[at].append(seconds * 1_000_000_000 + nanoseconds)
            self._next = max(self._next, at + 1)
            self._at[number] = at + 1
        else:
            self.refused[head[9:12].decode()] += 1
            self._at[number] = self._next
        self._sockets[number].send(self._request(self._at[number]))

    def _request(self, at: int) -> bytes:
        if at not in self._requests:
            msn, part = self._msn + at // 5, at % 5
            self._requests[at] = (
                f"GET {self._path}?_HLS_msn={msn}&_HLS_part={part} HTTP/1.1\r\n"
                f"Host: {self._host}\r\nAccept-Encoding: gzip\r\n\r\n"
            ).encode()
        return self._requests[at]


def main() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    host, port, programme, count, seconds, *rest = sys.argv[1:]
    crowd = Crowd(host, int(port), programme, int(count), rest[0] if rest else "source")
    used = crowd.run(float(seconds))
    whole = [np.array(times) for times in crowd.arrivals.values() if len(times) > int(count) // 2]
    late = (
        np.concatenate([(times - times.min()) / 1e6 for times in whole]) if whole else np.zeros(1)
    )
    figures = {
        "answers": len(late),
        "crowds": len(whole),
        "p50": float(np.percentile(late, 50)),
        "p99": float(np.percentile(late, 99)),
        "max": float(late.max()),
        "client_cpu": used / float(seconds),
        "refused": crowd.refused,
    }
    sys.stdout.write(json.dumps(figures) + "\n")


if __name__ == "__main__":
    main()
