"""A mailbox with one slot: the newest value wins."""

from threading import Lock
from typing import Generic, TypeVar

T = TypeVar("T")


class Mailbox(Generic[T]):
    """Holds the newest value put into it. Any thread may put or take.

    Bound: 1. Overflow: overwrite, counted in `overwritten`. Nobody ever waits.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._value: T | None = None
        self.overwritten = 0

    def put(self, value: T) -> None:
        """Replace whatever is there."""
        with self._lock:
            if self._value is not None:
                self.overwritten += 1
            self._value = value

    def take(self) -> T | None:
        """Return the value and leave the slot empty; None if nothing new has come."""
        with self._lock:
            value, self._value = self._value, None
            return value
