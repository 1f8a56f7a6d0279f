"""A debater's private link, taken apart."""

import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from bridge.errors import InputError
from bridge.protocol.tokens import MAX_TOKEN_CHARS

_PATH = re.compile(r"(?P<base>/.*)?/debate/(?P<room>[0-9A-Za-z_-]{1,64})/?")


@dataclass(frozen=True, slots=True)
class Invite:
    """Where to go and what to show at the door."""

    server_url: str
    """Scheme, host, port and, behind a reverse proxy, the path prefix; no slash at the end."""
    room: str
    token: str = field(repr=False)
    """A secret."""


def parse_invite(url: str) -> Invite:
    """Take `http(s)://host[:port]/debate/ROOM#TOKEN` apart.

    Raises InputError that says which piece is missing and never repeats the token.
    """
    try:
        pieces = urlsplit(url.strip())
        host = pieces.hostname
        # Reading it is what checks it: 1 to 65535 or none.
        _ = pieces.port
    except ValueError:
        message = "This is not an address. Copy the whole invite, from http to its end."
        raise InputError(message, code="invite") from None
    if pieces.scheme not in {"http", "https"} or not host:
        message = "An invite begins with http:// or https:// and the server's name."
        raise InputError(message, code="invite")
    path = _PATH.fullmatch(pieces.path)
    if path is None:
        message = "This address is not a debater's invite: it should go to /debate/ROOM."
        raise InputError(message, code="invite")
    if not pieces.fragment:
        message = (
            "The invite's secret part is missing: everything after '#'. "
            "In a shell, put the address between quotes."
        )
        raise InputError(message, code="invite")
    if len(pieces.fragment) > MAX_TOKEN_CHARS:
        message = "The invite's secret part is too long. Copy the invite again."
        raise InputError(message, code="invite")
    return Invite(
        server_url=f"{pieces.scheme}://{pieces.netloc}{path['base'] or ''}",
        room=path["room"],
        token=pieces.fragment,
    )
