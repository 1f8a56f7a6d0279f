"""Which address a destination's name stands for, checked, and the URL that goes to that one only.

A name may resolve to something else a moment later (DNS rebinding): so it is resolved once, and
the address that was checked is the one connected to. The name still goes along, for TLS and for
servers with several sites.
"""

import ipaddress
import socket
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, urlsplit, urlunsplit

from bridge.errors import InputError

DEFAULT_PORTS: Final = {"rtmp": 1935, "rtmps": 443}
_SPECIAL: Final = "\\':"
"""What ends or quotes a value in FFmpeg's lists of options."""


@dataclass(frozen=True, slots=True)
class PinnedUrl:
    """Where to connect."""

    url: str
    """With an address in place of the name; still with the key."""
    options: str
    """The name, as FFmpeg's rtmp and tls protocols take it; empty when the URL had an address."""


def resolve(url: str, *, allow_private: bool) -> list[str]:
    """Return the addresses of a URL's host, in the system's order.

    Blocking. Raises InputError, code "unknown_host" or "private_address": all of them must be on
    the public Internet, unless private ones are allowed.
    """
    parts = urlsplit(url)
    try:
        found = socket.getaddrinfo(parts.hostname, _port(parts), type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError):
        message = "the name of the server is not known"
        raise InputError(message, code="unknown_host") from None
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    if not allow_private and not all(map(is_public, addresses)):
        message = "not a public address"
        raise InputError(message, code="private_address")
    return addresses


def is_public(text: str) -> bool:
    """Whether an address is one of the public Internet.

    IPv6 addresses that carry an IPv4 one (mapped, 6to4, Teredo) are what they carry.
    """
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        teredo = address.teredo[1] if address.teredo else None
        carried = address.ipv4_mapped or address.sixtofour or teredo
        if carried is not None:
            return carried.is_global and not carried.is_multicast
    return address.is_global and not address.is_multicast


def pin(url: str, address: str) -> PinnedUrl:
    """Return a URL that needs no resolving."""
    parts = urlsplit(url)
    name, port = parts.hostname or "", _port(parts)
    user = f"{parts.netloc.rpartition('@')[0]}@" if "@" in parts.netloc else ""
    host = f"[{address}]" if ":" in address else address
    pinned = urlunsplit((parts.scheme, f"{user}{host}:{port}", parts.path, parts.query, ""))
    if name.strip("[]") == address:
        return PinnedUrl(pinned, "")
    options = f"rtmp_tcurl={_escaped(f'{parts.scheme}://{name}:{port}/{_application(parts)}')}"
    if parts.scheme == "rtmps":
        options += f":verifyhost={_escaped(name)}"
    return PinnedUrl(pinned, options)


def _port(parts: SplitResult) -> int:
    return parts.port or DEFAULT_PORTS[parts.scheme]


def _application(parts: SplitResult) -> str:
    """Return what comes before the stream key; YouTube has a query in it."""
    whole = parts.path.lstrip("/") + (f"?{parts.query}" if parts.query else "")
    return whole.rpartition("/")[0] or whole


def _escaped(value: str) -> str:
    return "".join(f"\\{sign}" if sign in _SPECIAL else sign for sign in value)
