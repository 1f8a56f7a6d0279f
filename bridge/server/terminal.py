"""What the server prints for the person who started it. Never logged: invites are secret."""

import sys
from collections.abc import Callable, Mapping
from typing import Final

from bridge.rooms.model import Room
from bridge.server.qr import for_terminal
from bridge.server.tls import Tls
from bridge.settings import SELF_SIGNED, Settings

PrintInvites = Callable[[Room, Mapping[str, str]], None]
"""Prints the links of a new debate: room, links by name."""

WITH_CODE: Final = ("proposition", "opposition", "watch")
"""Links that people open on a phone; the host's and the player's are for the desk."""


def greet(address: str, tls: Tls | None, *, code: bool) -> None:
    """Say where the server is and, with an authority of our own, how devices come to trust it."""
    lines = [f"Debate bridge on {address}\n"]
    if tls is not None and tls.authority is not None:
        lines += [
            f"It answers to {', '.join(tls.names)}.\n"
            "Each device must trust its authority once:\n"
            f"  how          {address}/trust\n"
            f"  certificate  {address}/ca.crt\n"
            f"  SHA-256      {tls.authority.fingerprint}\n"
        ]
        if code:
            lines += ["Create a debate:\n", for_terminal(address)]
    _print("".join(lines))


def print_invites(room: Room, links: Mapping[str, str]) -> None:
    """Print the links of a new debate with their QR codes."""
    lines = [f"\n{room.motion}\n"]
    for name, url in links.items():
        lines.append(f"  {name:<12} {url}\n")
        if name in WITH_CODE:
            lines.append(for_terminal(url))
    _print("".join(lines))


def shows_invites(settings: Settings) -> bool:
    """Whether invites are printed: as settings say, or where only their owner reads them."""
    if settings.show_invites is not None:
        return settings.show_invites
    return settings.tls == SELF_SIGNED and sys.stdout.isatty()


def _print(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
