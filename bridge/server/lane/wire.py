"""Answers as bytes: made once, written to many."""

import time
from email.utils import formatdate
from http import HTTPStatus
from typing import Final

from bridge.server.origin.answers import Answer

_JOINED_BYTES: Final = 16 * 1024
"""Up to here body and head go out as one buffer; above, a copy costs more than a second one."""
_MOST_MADE: Final = 64
"""Answers kept, with their bodies: a crowd or two, not everybody's way through the archive."""
_BODILESS: Final = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})


class Wire:
    """Keeps what it made for the present second. Loop-side only."""

    def __init__(self) -> None:
        self._second = 0
        self._date = b""
        self._made: dict[tuple[Answer, bool, bool], tuple[bytes | memoryview, ...]] = {}

    def buffers(
        self, answer: Answer, *, keeps_alive: bool, body: bool = True
    ) -> tuple[bytes | memoryview, ...]:
        """Return what to write; the same objects for everybody who asks within a second."""
        second = int(time.time())
        if second != self._second:
            # Many answers live for one release only: what they hold must not be kept alive here.
            self._made.clear()
            self._second = second
            self._date = formatdate(second, usegmt=True).encode("ascii")
        key = (answer, keeps_alive, body)
        made = self._made.get(key)
        if made is None:
            if len(self._made) >= _MOST_MADE:
                self._made.clear()
            made = self._made[key] = self._make(*key)
        return made

    def _make(
        self, answer: Answer, keeps_alive: bool, body: bool
    ) -> tuple[bytes | memoryview, ...]:
        status = HTTPStatus(answer.status)
        lines = [f"HTTP/1.1 {status.value} {status.phrase}", f"Date: {self._date.decode()}"]
        if not keeps_alive:
            lines.append("Connection: close")
        lines += [f"{name}: {value}" for name, value in answer.fields]
        if status not in _BODILESS:
            lines.append(f"Content-Length: {len(answer.body)}")
        head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
        if not body or not answer.body:
            return (head,)
        if len(answer.body) <= _JOINED_BYTES:
            return (head + bytes(answer.body),)
        return head, answer.body
