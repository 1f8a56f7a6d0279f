"""What this machine is called on its network: names and addresses."""

import ipaddress
import re
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Self

import ifaddr

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_HOST_NAME: Final = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
_ELSEWHERE: Final = ("198.51.100.1", 9)
"""An address for documentation (RFC 5737): only asked which way out leads there."""
_ALWAYS: Final = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class Lan:
    """Names and addresses of this machine, the most useful address first."""

    addresses: tuple[Address, ...]
    host_names: tuple[str, ...]

    @classmethod
    def look(cls) -> Self:
        """Ask the system. Sends nothing."""
        found = [
            ipaddress.ip_address(str(ip.ip if ip.is_IPv4 else ip.ip[0]))
            for adapter in ifaddr.get_adapters()
            for ip in adapter.ips
        ]
        return cls(usable(found, _way_out()), host_names(socket.gethostname()))

    @property
    def address(self) -> Address | None:
        """The address that other devices most likely reach."""
        return self.addresses[0] if self.addresses else None

    def names(self, *more: str) -> tuple[str, ...]:
        """Return everything that people may type to get here, each once."""
        everything = (*_ALWAYS, *self.host_names, *map(str, self.addresses), *more)
        return tuple(dict.fromkeys(everything))


def usable(found: Iterable[Address], way_out: Address | None) -> tuple[Address, ...]:
    """Keep what other devices can type: no loopback, and no link-local, which needs a zone.

    The address of the default route comes first, then IPv4, private before public.
    """
    kept = {item for item in found if not (item.is_loopback or item.is_link_local)}
    return tuple(
        sorted(kept, key=lambda item: (item != way_out, item.version, item.is_global, int(item)))
    )


def host_names(name: str) -> tuple[str, ...]:
    """Return the host name, and the one that mDNS (RFC 6762) gives this machine."""
    name = name.lower()
    if name == "localhost" or not _HOST_NAME.fullmatch(name):
        return ()
    return tuple(dict.fromkeys((name, f"{name.partition('.')[0]}.local")))


def in_url(host: str) -> str:
    """Write a host as URLs want it: IPv6 in brackets."""
    return f"[{host}]" if ":" in host else host


def is_loopback(host: str) -> bool:
    """Whether a host in a URL is this machine only for those who sit at it."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _way_out() -> Address | None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            # A datagram socket sends nothing when it connects; the system only picks the route.
            probe.connect(_ELSEWHERE)
            return ipaddress.ip_address(probe.getsockname()[0])
        except OSError:
            return None
