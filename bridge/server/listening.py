"""Where the server listens, and the addresses that follow from it."""

import asyncio
import ipaddress
from collections.abc import Callable
from dataclasses import dataclass, field
from ssl import SSLContext

from bridge.errors import SettingsError
from bridge.server.lan import in_url
from bridge.server.tls import Tls
from bridge.settings import Settings

_LOOPBACK = "127.0.0.1"
_BACKLOG = 4096
"""A crowd that comes at once must not wait for SYNs to be sent again."""


@dataclass(slots=True)
class Addresses:
    """Starts of links to this server; "" until it listens."""

    shown: str = ""
    """What people type."""
    local: str = ""
    """Where programs on this machine get in: always plain HTTP, since they trust no authority."""


Connections = Callable[[], asyncio.Protocol]
"""Makes the connection of one more client."""


@dataclass(slots=True)
class Listening:
    """The sockets that the server listens on. Loop-side only."""

    connections: Connections
    _servers: list[asyncio.Server] = field(default_factory=list)

    async def open(self, settings: Settings, tls: Tls | None, addresses: Addresses) -> None:
        """Listen as the settings say and fill in `addresses`.

        With TLS there is a second, plain socket on loopback for broadcasts. Raises SettingsError
        when the address is taken or not ours.
        """
        host, port = settings.listening_host, settings.port
        try:
            host, port = await self._open(host, port, tls.context if tls else None)
        except OSError as error:
            message = (
                f"Cannot listen on {host}:{port}: {error.strerror}. Stop what listens there, "
                "or choose another port with --port or BRIDGE_PORT."
            )
            raise SettingsError(message) from None
        addresses.shown = shown_address(settings, tls, host, port)
        if tls is None:
            addresses.local = f"http://{_reachable(host)}:{port}"
            return
        _, port = await self._open(_LOOPBACK, 0, None)
        addresses.local = f"http://{_LOOPBACK}:{port}"

    async def close(self) -> None:
        """Take no more connections; those that there are stay. Idempotent."""
        for server in self._servers:
            server.close()
        self._servers.clear()

    async def _open(self, host: str, port: int, context: SSLContext | None) -> tuple[str, int]:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            self.connections, host, port, backlog=_BACKLOG, ssl=context
        )
        self._servers.append(server)
        address, chosen, *_ = server.sockets[0].getsockname()
        return str(address), int(chosen)


def _reachable(host: str) -> str:
    """Return the address at which broadcasts on this machine reach a server listening on `host`."""
    address = ipaddress.ip_address(host)
    if address.is_unspecified:
        return _LOOPBACK if address.version == 4 else "[::1]"
    return in_url(host)


def shown_address(settings: Settings, tls: Tls | None, host: str, port: int) -> str:
    """Return what people type to reach a server that listens on the address `host`."""
    if settings.public_url:
        return settings.base_url
    address = ipaddress.ip_address(host)
    real = tls is not None and tls.authority is None
    if tls is not None and tls.name and (real or address.is_unspecified):
        return f"https://{in_url(tls.name)}:{port}"
    local = address.is_loopback or address.is_unspecified
    scheme = "http" if tls is None else "https"
    return f"{scheme}://{'localhost' if local else in_url(host)}:{port}"
