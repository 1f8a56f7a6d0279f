"""What a destination's behaviour means. Pure functions; the time is an argument.

FFmpeg tells little: a wrong key, a missing application and many a network fault all end in the
same EIO. What can be told apart is whether the server was reached and whether it ever took media:
what its machine acknowledges by TCP is known, and media goes out only once it has agreed to it.
"""

import errno
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

PIPE_SECONDS: Final = 5.0
"""The child takes nothing for so long: the server does not read, and TCP's buffers are full."""
SILENCE_SECONDS: Final = 8.0
"""Nothing acknowledged for so long, also while it connects (FFmpeg's own limit is 3 s a step)."""
TAKEN_SECONDS: Final = 3.0
"""Media has gone out for so long: the key is right. A server that refuses it cuts off at once."""
REFUSALS: Final = 3
"""So many in a row, with nothing ever accepted, are not chance."""
FIFO_PACKETS: Final = 60
"""Length of the queue in the child."""
_HANDSHAKE_BYTES: Final = 16 * 1024
"""More than TLS, the RTMP handshake and its commands take together: beyond it there is media."""

_UNREACHABLE: Final = frozenset(
    {
        errno.ECONNREFUSED,
        errno.ETIMEDOUT,
        errno.EHOSTUNREACH,
        errno.ENETUNREACH,
        errno.ENETDOWN,
        errno.EADDRNOTAVAIL,
    }
)


class Liveness(StrEnum):
    """How a connection is."""

    CONNECTING = "connecting"
    PUBLISHING = "publishing"
    STALLED = "the server stopped reading"
    SILENT = "no answer"

    @property
    def dead(self) -> bool:
        """Whether only a new connection can help."""
        return self in {Liveness.STALLED, Liveness.SILENT}


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What is known of one connection. Times are monotonic seconds."""

    acked_at: float
    """When the server last acknowledged something; at first, when the child was started."""
    acked_bytes: int = 0
    taken_since: float | None = None
    """When the first media was acknowledged."""
    blocked_since: float | None = None
    """Since when the pipe to the child is full."""

    def heard(self, acked_bytes: int, now: float) -> "Progress":
        """Return what is known after one more word of the child."""
        if acked_bytes <= self.acked_bytes:
            return self
        taken = self.taken_since
        if taken is None and acked_bytes > _HANDSHAKE_BYTES:
            taken = now
        return replace(self, acked_at=now, acked_bytes=acked_bytes, taken_since=taken)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a connection ended."""

    liveness: Liveness
    """As last assessed."""
    accepted: bool
    """Whether the server took the media of this connection for `TAKEN_SECONDS`."""
    errno: int = 0
    """0 when there is none."""
    words: str = ""
    """Without URL and key."""
    forbidden: bool = False
    """Whether we refused to connect: the address is not a public one."""


class Verdict(StrEnum):
    """What to think of a connection's end."""

    LOST = "lost"
    """Try again."""
    REFUSED = "refused"
    """The server was there and took nothing: wrong key or address, if it happens again."""
    FORBIDDEN = "forbidden"
    """Trying again cannot help until somebody changes something."""


def assess(progress: Progress, now: float) -> Liveness:
    """Judge a connection that still runs."""
    if progress.blocked_since is not None and now - progress.blocked_since > PIPE_SECONDS:
        return Liveness.STALLED
    if now - progress.acked_at > SILENCE_SECONDS:
        return Liveness.SILENT if progress.taken_since is None else Liveness.STALLED
    return Liveness.CONNECTING if progress.taken_since is None else Liveness.PUBLISHING


def accepted(progress: Progress, now: float) -> bool:
    """Whether the server took media for long enough to mean it."""
    return progress.taken_since is not None and now - progress.taken_since >= TAKEN_SECONDS


def judge(ended: Ended, *, ever_accepted: bool) -> Verdict:
    """Judge a connection that is over; `ever_accepted` is about the destination's whole life."""
    if ended.forbidden:
        return Verdict.FORBIDDEN
    reached = not ended.liveness.dead and ended.errno not in _UNREACHABLE
    if reached and ended.errno and not ended.accepted and not ever_accepted:
        return Verdict.REFUSED
    return Verdict.LOST


def in_words(ended: Ended, verdict: Verdict) -> str:
    """Tell the host what happened."""
    if verdict is Verdict.FORBIDDEN:
        return "This address is private; only public servers are allowed here."
    if verdict is Verdict.REFUSED:
        return "The server refused the connection. Check the address and the stream key."
    if ended.liveness.dead:
        return f"The connection was given up: {ended.liveness}."
    if ended.errno == errno.ECONNREFUSED:
        return "Nothing answers at this address."
    return f"The connection was lost: {ended.words or 'the server closed it'}."
