"""What the origin says to a request, before any of it is written to a connection."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

Fields = tuple[tuple[str, str], ...]
"""Header names and values, in the order in which they are sent."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request for something under `/live/`."""

    method: str
    """GET, HEAD or OPTIONS: whatever else comes is refused before."""
    path: str
    """Percent-decoded, from `/live/` on."""
    query: str
    """Without the question mark, as it came."""
    takes_gzip: bool = False
    etags: frozenset[str] = frozenset()
    """Opaque tags of If-None-Match, without quotes and `W/`; `*` for any."""


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """A whole response: one object, and the same bytes, for everybody who gets it.

    `fields` lack what the connection adds: Date and Content-Length.
    """

    status: int
    fields: Fields
    body: bytes | memoryview = b""


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """The answer is not there yet.

    `until` is shared by all who wait for the same thing: nobody cancels it. It is done when the
    thing is there, has become void, or the server ends; `answer` then says what to send, which may
    be refused by an error's Answer but is never Held again. Whoever has waited `seconds` in vain
    gets `too_late`.
    """

    until: asyncio.Future[None]
    answer: Callable[[], Answer]
    too_late: Answer
    seconds: float


Reply = Answer | Held | Awaitable[Answer]
"""An awaitable where a disk has to be read."""

Ask = Callable[[Asked], Reply]
"""The origin as connections see it. Loop-side only; never raises an error of ours."""
