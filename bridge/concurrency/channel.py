"""A bounded queue between two threads whose overflow policy is written down."""

from collections import deque
from collections.abc import Callable
from enum import Enum
from threading import Condition
from typing import Generic, TypeVar

from bridge.errors import ChannelClosedError

T = TypeVar("T")


class Overflow(Enum):
    """What happens to a value that does not fit."""

    REFUSE = "refuse"
    """`put` answers False and keeps what is there."""
    DROP_OLDEST = "drop oldest"
    """The oldest value makes room."""
    CLEAR = "clear"
    """Everything queued is dropped and `overflowed` is set until the reader asks: it resyncs."""


class Channel(Generic[T]):
    """First in, first out; any thread may put, one thread takes. A writer never waits.

    `size` weighs a value in whatever unit `capacity` is in (items, microseconds, bytes).
    Closing lets the reader drain what is queued; then `take` raises ChannelClosedError.
    """

    def __init__(
        self,
        capacity: float,
        overflow: Overflow,
        *,
        size: Callable[[T], float] = lambda _: 1,
    ) -> None:
        self._capacity = capacity
        self._overflow = overflow
        self._size = size
        self._values: deque[T] = deque()
        self._held = 0.0
        self._ready = Condition()
        self._closed = False
        self._overflowed = False
        self.dropped = 0

    def put(self, value: T) -> bool:
        """Queue `value`; False when it was refused or the channel is closed. Never blocks."""
        with self._ready:
            if self._closed:
                return False
            weight = self._size(value)
            if (
                self._values
                and self._held + weight > self._capacity
                and not self._make_room(weight)
            ):
                self.dropped += 1
                return False
            self._values.append(value)
            self._held += weight
            self._ready.notify()
            return True

    def _make_room(self, weight: float) -> bool:
        if self._overflow is Overflow.REFUSE:
            return False
        if self._overflow is Overflow.CLEAR:
            self.dropped += len(self._values)
            self._values.clear()
            self._held = 0.0
            self._overflowed = True
            return True
        while self._values and self._held + weight > self._capacity:
            self._held -= self._size(self._values.popleft())
            self.dropped += 1
        return True

    def take(self, timeout: float | None = None) -> T | None:
        """Wait for the next value; None after `timeout` seconds without one.

        Raises ChannelClosedError once closed and drained.
        """
        with self._ready:
            if not self._ready.wait_for(lambda: self._values or self._closed, timeout):
                return None
            if not self._values:
                message = "the channel is closed and empty"
                raise ChannelClosedError(message)
            value = self._values.popleft()
            self._held -= self._size(value)
            return value

    def take_overflowed(self) -> bool:
        """Whether values were cleared since this was last asked."""
        with self._ready:
            overflowed, self._overflowed = self._overflowed, False
            return overflowed

    def close(self) -> None:
        """No more values; idempotent."""
        with self._ready:
            self._closed = True
            self._ready.notify_all()

    def __len__(self) -> int:
        with self._ready:
            return len(self._values)
