"""What the system lets this process and its children do."""

import logging
import resource

logger = logging.getLogger(__name__)

_OTHERS = 500
"""Files, databases, children, pages: whatever is no held request."""


def allow_sockets(held_requests: int) -> None:
    """Ask for as many as the system allows: each spectator is a socket, and the default is 1024.

    Children inherit it, and need no more than they did.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY:
        hard = max(soft, held_requests + _OTHERS)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard < held_requests + _OTHERS:
        logger.warning(
            "this process may open %d files, so that fewer than the %d requests of "
            "BRIDGE_MAX_HELD_REQUESTS can wait; raise the hard limit (ulimit -Hn)",
            hard,
            held_requests,
        )


def forbid_core_files() -> None:
    """Write no memory to the disk when a process crashes: stream keys and tokens are in it.

    Children inherit it.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
