"""STUN and TURN servers that a debater's browser is told of, with credentials of its own."""

import base64
import hashlib
import hmac
from typing import Final

from bridge.clock import Clock
from bridge.protocol.messages import IceServer
from bridge.rooms.model import Side
from bridge.settings import Settings

_SECONDS_PER_HOUR: Final = 3600


def turn_credential(secret: str, username: str) -> str:
    """Password that belongs to `username`, which begins with its Unix time of expiry and a colon.

    As coturn has it with `use-auth-secret` (draft-uberti-behave-turn-rest-00, 2.2).
    """
    digest = hmac.digest(secret.encode(), username.encode(), hashlib.sha1)
    return base64.b64encode(digest).decode()


class IceServers:
    """Makes the list for each join; a browser has a new one only when it joins anew."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock

    def of(self, room: str, side: Side) -> tuple[IceServer, ...]:
        """W3C RTCIceServers for one debater; those of TURN hold `turn_lifetime_hours`."""
        settings = self._settings
        stun = tuple(IceServer(urls=url) for url in settings.stun_urls)
        if not settings.turn_urls:
            return stun
        username, credential = self._credentials(room, side)
        turn = tuple(
            IceServer(urls=url, username=username, credential=credential)
            for url in settings.turn_urls
        )
        return stun + turn

    def _credentials(self, room: str, side: Side) -> tuple[str | None, str | None]:
        settings = self._settings
        if settings.turn_secret is None:
            password = settings.turn_password
            return settings.turn_username, password.get_secret_value() if password else None
        lifetime = settings.turn_lifetime_hours * _SECONDS_PER_HOUR
        username = f"{round(self._clock.wall()) + lifetime}:{room}-{side}"
        return username, turn_credential(settings.turn_secret.get_secret_value(), username)
