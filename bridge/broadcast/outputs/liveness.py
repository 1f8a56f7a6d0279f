"""What a destination's behaviour means. Pure functions; the time is an argument.

FFmpeg tells little: a wrong key, a missing application and many a network fault all end in the
same EIO. What can be told apart is whether the server was reached and whether it ever took media.
"""

import errno
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

PIPE_SECONDS: Final = 5.0
"""The child takes nothing for so long: the server does not read, and TCP's buffers are full."""
SILENCE_SECONDS: Final = 8.0
"""No word from the child for so long, also while it connects (FFmpeg's own limit is 3 s a step)."""
REFUSALS: Final = 3
"""So many in a row, with nothing ever accepted, are not chance."""
FIFO_PACKETS: Final = 60
"""Length of the queue in the child. What was put in beyond it has reached the server's socket."""

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

    heard_at: float
    """When the child last said something; at first, when it was started."""
    blocked_since: float | None = None
    """Since when the pipe to the child is full."""
    packets: int = 0
    """That the child has put into its own queue."""
    sent_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a connection ended."""

    liveness: Liveness
    """As last assessed."""
    accepted: bool
    """Whether the server took any media of this connection."""
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
    if now - progress.heard_at > SILENCE_SECONDS:
        return Liveness.SILENT
    return Liveness.PUBLISHING if took_media(progress) else Liveness.CONNECTING


def took_media(progress: Progress) -> bool:
    """Whether any packet has left the child for the server."""
    # One more than the queue holds may still be in the muxer's hands.
    return progress.packets > FIFO_PACKETS + 1


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
