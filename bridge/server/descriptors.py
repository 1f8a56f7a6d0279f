"""How many sockets and files this process may have open."""

import logging
import resource

logger = logging.getLogger(__name__)

_OTHERS = 500
"""Files, databases, children, pages: whatever is no held request."""


def raise_limit(held_requests: int) -> None:
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
