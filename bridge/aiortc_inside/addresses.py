"""Which addresses and UDP ports a connection uses, and which addresses it says it has.

aioice takes every address of the machine and whatever port the system gives, and knows nothing of
a public address in front of the machine (notes/aiortc.md 4). `install` changes that for the
process, `place` for one connection.
"""

import asyncio
import errno
import ipaddress
import logging
import secrets
import socket
import struct
from collections.abc import Iterable, Iterator
from typing import Any, Final

import aioice.ice
import aioice.turn
import ifaddr
from aiortc import RTCPeerConnection, rtcicetransport

from bridge.errors import ConflictError
from bridge.protocol.broadcast_config import ANYWHERE, NetworkConfig

logger = logging.getLogger(__name__)

_GATHER_SECONDS: Final = 0.5
"""For STUN and TURN servers. Two round trips to one that answers; aioice waits five seconds."""
_PREFERENCE_STEP: Final = 1 << 8
"""One unit of local preference in a candidate's priority (RFC 8445 5.1.2.1)."""

_MEDIA: Final = range(128, 192)
"""First bytes of RTP, RTCP and their secure forms."""

_system_addresses: Final = aioice.ice.get_host_addresses


def host_addresses(use_ipv4: bool, use_ipv6: bool) -> list[str]:
    """Addresses of this machine for candidates; loopback if there are no others."""
    return _system_addresses(use_ipv4, use_ipv6) or (["127.0.0.1"] if use_ipv4 else [])


def only_loopback() -> bool:
    """Whether this machine can be reached from itself alone."""
    return not _system_addresses(use_ipv4=True, use_ipv6=True)


def chosen_addresses(network: NetworkConfig) -> list[str]:
    """Addresses that `network` asks for; empty when none of its interfaces is there."""
    if not network.udp_interfaces:
        return host_addresses(use_ipv4=True, use_ipv6=network.udp_ipv6)
    # Named on purpose: loopback counts too.
    wanted = set(network.udp_interfaces)
    return [
        address
        for name, address in _interface_addresses()
        if (network.udp_ipv6 or ":" not in address) and wanted & {name, address}
    ]


class GuardedStun(aioice.ice.StunProtocol):
    """Takes no harm from STUN that is cut short inside an attribute.

    aioice lets `struct.error` through to the event loop, and uvloop then closes the socket.
    """

    def datagram_received(self, data: bytes | str, addr: tuple[Any, ...]) -> None:
        """Take one datagram. Media, told by its first byte (RFC 7983), is not tried as STUN."""
        if isinstance(data, bytes) and data and data[0] in _MEDIA:
            self.receiver.data_received(data, self.local_candidate.component)
            return
        try:
            super().datagram_received(data, addr)
        except (struct.error, IndexError, UnicodeDecodeError) as error:
            logger.debug("unreadable STUN from %s: %s", addr[0], error)


class PlacedConnection(aioice.ice.Connection):
    """An ICE connection whose sockets are where `network` says. Loop-side only.

    As it is made, it is on every address and on ports that the system gives.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.network = ANYWHERE

    async def get_component_candidates(
        self, component: int, addresses: list[str], timeout: int = 5
    ) -> list[aioice.Candidate]:
        """Bind sockets and ask servers, which have half a second in all.

        Raises ConflictError when there is no address or no free port to bind.
        """
        chosen = chosen_addresses(self.network) if addresses else []
        if addresses and not chosen:
            raise _nowhere()
        if self.network.udp_ports is None:
            limit: Any = min(timeout, _GATHER_SECONDS)
            return await super().get_component_candidates(component, chosen, limit)
        candidates = [
            candidate
            for address in chosen
            if (candidate := await self._bind(component, address, self.network.udp_ports))
        ]
        if not candidates:
            raise _nowhere()
        return candidates

    async def _bind(
        self, component: int, address: str, ports: tuple[int, int]
    ) -> aioice.Candidate | None:
        """Open one socket; None when the address is gone. Servers are not asked."""
        try:
            opened = _open_socket(address, ports)
        except OSError as error:
            logger.warning("cannot receive on %s: %s", address, error.strerror)
            return None
        loop = asyncio.get_running_loop()
        _, protocol = await loop.create_datagram_endpoint(lambda: GuardedStun(self), sock=opened)
        host, port = protocol.transport.get_extra_info("sockname")[:2]
        protocol.local_candidate = aioice.Candidate(
            foundation=aioice.candidate.candidate_foundation("host", "udp", host),
            component=component,
            transport="udp",
            priority=aioice.candidate.candidate_priority(component, "host"),
            host=host,
            port=port,
            type="host",
        )
        self._protocols.append(protocol)
        return protocol.local_candidate


def install() -> None:
    """Change aioice for this process. Idempotent; call before any connection is made."""
    changes: tuple[tuple[Any, str, Any], ...] = (
        (aioice.ice, "get_host_addresses", host_addresses),
        (aioice.ice, "StunProtocol", GuardedStun),
        (rtcicetransport, "Connection", PlacedConnection),
    )
    for module, name, replacement in changes:
        setattr(module, name, replacement)


def place(peer: RTCPeerConnection, network: NetworkConfig) -> None:
    """Put the sockets of `peer` where `network` says.

    Call when it has transceivers and before its local description is set.
    """
    for transceiver in peer.getTransceivers():
        ice = transceiver.receiver.transport.transport._connection  # noqa: SLF001
        if isinstance(ice, PlacedConnection):
            ice.network = network


def advertise(sdp: str, network: NetworkConfig) -> str:
    """Say the public addresses too: a 1:1 NAT in front keeps the ports (RFC 4787 REQ-1).

    For each host candidate and each public address of its family one candidate more, before it.
    The private one stays the preferred one, since whoever reaches it is on the same network; it is
    left out when `advertise_private` is false and there is a public one for it.
    """
    if not network.public_address:
        return sdp
    lines: list[str] = []
    for line in sdp.splitlines():
        twins = list(_public_twins(line, network))
        lines += twins
        if network.advertise_private or not twins:
            lines.append(line)
    return "\r\n".join(lines) + "\r\n"


def _public_twins(line: str, network: NetworkConfig) -> Iterator[str]:
    fields = line.split(" ")
    if not line.startswith("a=candidate:") or fields[7:8] != ["host"]:
        return
    own = ipaddress.ip_address(fields[4])
    for number, public in enumerate(network.public_address, start=1):
        if public.version == own.version and public != own:
            foundation = aioice.candidate.candidate_foundation("host", "udp", str(public))
            priority = str(int(fields[3]) - number * _PREFERENCE_STEP)
            twin = [f"a=candidate:{foundation}", *fields[1:3], priority, str(public), *fields[5:]]
            yield " ".join(twin)


def _nowhere() -> ConflictError:
    message = "The bridge has no network address to receive on. Ask whoever runs it."
    return ConflictError(message, code="udp_address")


def _open_socket(address: str, ports: tuple[int, int]) -> socket.socket:
    """Bind `address` to a free port of a range, both ends in it.

    Begins anywhere in it, so that a browser that is not told yet does not meet a new connection on
    its old port. Raises OSError, and ConflictError when every port is taken.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    opened = socket.socket(family, socket.SOCK_DGRAM)
    try:
        opened.setblocking(False)  # noqa: FBT003 - the standard library's way
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, aioice.turn.UDP_SOCKET_BUFFER_SIZE)
        for port in _from_anywhere(ports):
            try:
                opened.bind((address, port))
            except OSError as error:
                if error.errno not in {errno.EADDRINUSE, errno.EACCES}:
                    raise
            else:
                return opened
    except BaseException:
        opened.close()
        raise
    opened.close()
    message = (
        f"No free UDP port from {ports[0]} to {ports[1]} on the bridge: too many connections at "
        "once, or something else uses them. Try again soon."
    )
    raise ConflictError(message, code="udp_ports")


def _from_anywhere(ports: tuple[int, int]) -> Iterable[int]:
    first, last = ports
    count = last - first + 1
    begin = secrets.randbelow(count)
    return (first + (begin + step) % count for step in range(count))


def _interface_addresses() -> Iterator[tuple[str, str]]:
    """Names of interfaces with each of their addresses; link-local IPv6 is left out."""
    for adapter in ifaddr.get_adapters():
        for item in adapter.ips:
            if isinstance(item.ip, str):
                yield adapter.nice_name, item.ip
            elif item.ip[2] == 0:
                yield adapter.nice_name, item.ip[0]
