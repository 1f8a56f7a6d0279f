"""Where the server listens, and the addresses that follow from it."""

import ipaddress
from dataclasses import dataclass

from aiohttp import web

from bridge.errors import SettingsError
from bridge.server.lan import in_url
from bridge.server.tls import Tls
from bridge.settings import Settings

_LOOPBACK = "127.0.0.1"


@dataclass(slots=True)
class Addresses:
    """Starts of links to this server; "" until it listens."""

    shown: str = ""
    """What people type."""
    local: str = ""
    """Where programs on this machine get in: always plain HTTP, since they trust no authority."""


async def listen(
    runner: web.AppRunner, settings: Settings, tls: Tls | None, addresses: Addresses
) -> None:
    """Listen as the settings say and fill in `addresses`.

    With TLS there is a second, plain site on loopback for broadcasts. Raises SettingsError when
    the address is taken or not ours.
    """
    await _start(runner, settings, tls)
    host, port = _latest(runner, 0)
    addresses.shown = shown_address(settings, tls, host, port)
    if tls is None:
        addresses.local = f"http://{_reachable(host)}:{port}"
        return
    await web.TCPSite(runner, _LOOPBACK, 0).start()
    _, port = _latest(runner, -1)
    addresses.local = f"http://{_LOOPBACK}:{port}"


async def _start(runner: web.AppRunner, settings: Settings, tls: Tls | None) -> None:
    host, port = settings.listening_host, settings.port
    context = tls.context if tls else None
    try:
        await web.TCPSite(runner, host, port, backlog=4096, ssl_context=context).start()
    except OSError as error:
        message = (
            f"Cannot listen on {host}:{port}: {error.strerror}. "
            "Stop what listens there, or choose another port with --port or BRIDGE_PORT."
        )
        raise SettingsError(message) from None


def _latest(runner: web.AppRunner, position: int) -> tuple[str, int]:
    host, port, *_ = runner.addresses[position]
    return str(host), int(port)


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
