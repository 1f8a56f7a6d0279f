"""Held requests: everybody who waits for the same thing is one crowd. Loop-side only.

However many wait, a crowd has one callback on the future that they share, and joining and leaving
cost the same. It is released in batches, so that signalling on the same loop goes on meanwhile.
"""

import asyncio
from dataclasses import dataclass, field
from typing import Final, Protocol

from bridge.server.origin.answers import Answer, Held

_BATCH: Final = 1024
"""Answers written in one turn of the loop: some 8 ms, for which signalling may wait."""
_SWEEP_SECONDS: Final = 0.1


class Waiting(Protocol):
    """A connection whose request is held."""

    def deliver(self, answer: Answer) -> None:
        """Send the answer."""
        ...


@dataclass(slots=True)
class _Crowd:
    """In the order in which they came, and so of their deadlines."""

    waiting: dict[Waiting, tuple[Held, float]] = field(default_factory=dict)


class Crowds:
    """Bounded by `most` requests over all crowds."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._crowds: dict[asyncio.Future[None], _Crowd] = {}
        self._sweep: asyncio.TimerHandle | None = None
        self.count = 0
        """Requests that wait now."""

    def hold(self, waiting: Waiting, held: Held) -> bool:
        """Have `waiting` get its answer in time; False when no more can be held."""
        if self.count >= self._most:
            return False
        crowd = self._crowds.get(held.until)
        if crowd is None:
            crowd = self._crowds[held.until] = _Crowd()
            held.until.add_done_callback(self._release)
        now = asyncio.get_running_loop().time()
        crowd.waiting[waiting] = held, now + held.seconds
        self.count += 1
        if self._sweep is None:
            self._sweep_later()
        return True

    def leave(self, waiting: Waiting, held: Held) -> None:
        """Forget who went away while it waited."""
        crowd = self._crowds.get(held.until)
        if crowd is not None and crowd.waiting.pop(waiting, None) is not None:
            self.count -= 1

    def _release(self, until: asyncio.Future[None]) -> None:
        crowd = self._crowds.get(until)
        if crowd is None:
            return
        for waiting in list(crowd.waiting)[:_BATCH]:
            held, _ = crowd.waiting.pop(waiting)
            self.count -= 1
            waiting.deliver(held.answer())
        if crowd.waiting:
            asyncio.get_running_loop().call_soon(self._release, until)
        else:
            del self._crowds[until]

    def _sweep_later(self) -> None:
        loop = asyncio.get_running_loop()
        self._sweep = loop.call_later(_SWEEP_SECONDS, self._let_go_late) if self.count else None

    def _let_go_late(self) -> None:
        now = asyncio.get_running_loop().time()
        for until, crowd in list(self._crowds.items()):
            if until.done():
                continue
            for waiting, (held, deadline) in list(crowd.waiting.items())[:_BATCH]:
                if deadline > now:
                    break
                del crowd.waiting[waiting]
                self.count -= 1
                waiting.deliver(held.too_late)
            if not crowd.waiting:
                del self._crowds[until]
                until.remove_done_callback(self._release)
        self._sweep_later()
