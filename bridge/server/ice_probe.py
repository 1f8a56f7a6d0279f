"""Looks whether media has its ports, interfaces and servers. Blocks: for the doctor only."""

import secrets
import socket
import struct
from typing import Final

import ifaddr

_ANSWER_SECONDS: Final = 2.0
_BINDING_REQUEST: Final = 0x0001
_MAGIC_COOKIE: Final = 0x2112A442
_DEFAULT_PORTS: Final = {"stun": 3478, "turn": 3478, "stuns": 5349, "turns": 5349}


def free_udp_ports(ports: tuple[int, int]) -> int:
    """Count the ports of a range, both ends in it, that nobody has on any address."""
    return sum(map(_is_free, range(ports[0], ports[1] + 1)))


def missing_interfaces(wanted: tuple[str, ...]) -> tuple[str, ...]:
    """Return what is neither the name nor an address of an interface of this machine."""
    here: set[str] = set()
    for adapter in ifaddr.get_adapters():
        here.add(adapter.nice_name)
        here.update(item.ip if isinstance(item.ip, str) else item.ip[0] for item in adapter.ips)
    return tuple(name for name in wanted if name not in here)


def failure_of(url: str) -> str | None:
    """Ask a STUN or TURN server over UDP; over TCP and TLS only connect. None: it answers."""
    scheme, host, port, tcp = _parts(url)
    try:
        if tcp or scheme.endswith("s"):
            socket.create_connection((host, port), _ANSWER_SECONDS).close()
        else:
            _bind(host, port)
    except TimeoutError:
        return f"no answer within {_ANSWER_SECONDS:g} s"
    except OSError as error:
        return error.strerror or str(error)
    return None


def _parts(url: str) -> tuple[str, str, int, bool]:
    """Scheme, host, port and whether TCP is asked for, of a URL that Settings has checked."""
    scheme, _, rest = url.partition(":")
    place, _, query = rest.partition("?")
    host, colon, port = place.rpartition(":")
    if not colon or place.endswith("]"):
        host, port = place, str(_DEFAULT_PORTS[scheme])
    return scheme, host.strip("[]"), int(port), query == "transport=tcp"


def _bind(host: str, port: int) -> None:
    """Make a binding transaction (RFC 8489 2); TURN servers answer it without credentials."""
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
    transaction = secrets.token_bytes(12)
    with socket.socket(family, kind, protocol) as asking:
        asking.settimeout(_ANSWER_SECONDS)
        asking.connect(address)
        asking.send(struct.pack("!HHI", _BINDING_REQUEST, 0, _MAGIC_COOKIE) + transaction)
        while asking.recv(2048)[8:20] != transaction:
            pass  # somebody else's packet


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind(("", port))
        except OSError:
            return False
    return True
