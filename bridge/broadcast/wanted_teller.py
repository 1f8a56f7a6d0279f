"""Tells one debater's browser what the programme can show of him."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from bridge.errors import InputError
from bridge.protocol.messages import Signal, Wanted
from bridge.rooms.model import Side

logger = logging.getLogger(__name__)

_PAUSE: Final = 0.25
"""Seconds between two messages: scenes may change faster than encoders should."""


class WantedTeller:
    """Sends the newest wish to the newest link, whichever of the two has changed.

    Loop-side only. What comes within the pause waits, and only the last of it is sent; what was
    told on that link already is not told again.
    """

    def __init__(self, side: Side, send: Callable[[Signal], Awaitable[None]]) -> None:
        self._side = side
        self._send = send
        self._wanted: Wanted | None = None
        self._address: tuple[str, str] | None = None
        self._told: tuple[tuple[str, str], Wanted] | None = None
        self._stirred = asyncio.Event()

    def want(self, wanted: Wanted) -> None:
        """Wish for `wanted` from now on, also on later links."""
        self._wanted = wanted
        self._stirred.set()

    def address(self, link: str, session: str) -> None:
        """Speak to `session` of `link` from now on: the bridge has just answered it."""
        self._address = (link, session)
        self._stirred.set()

    async def run(self) -> None:
        """Tell until cancelled."""
        while True:
            await self._stirred.wait()
            self._stirred.clear()
            if self._address is None or self._wanted is None:
                continue
            if self._told == (self._address, self._wanted):
                continue
            await self._tell(self._address, self._wanted)
            await asyncio.sleep(_PAUSE)

    async def _tell(self, address: tuple[str, str], wanted: Wanted) -> None:
        link, session = address
        self._told = (address, wanted)
        try:
            await self._send(Signal(to=self._side.value, session=session, link=link, wanted=wanted))
        except InputError as error:
            # Who has joined anew, or lost the server as we have, makes a new link and is told then.
            self._told = None
            logger.info("%s is not told what is wanted: %s", self._side, error.message)
        else:
            logger.info("> %s is asked for %s", self._side, _in_words(wanted))


def _in_words(wanted: Wanted) -> str:
    pictures = (("camera", wanted.camera), ("screen", wanted.screen))
    return ", ".join(
        f"{name} {one.width}x{one.height} at {one.bit_rate // 1000} kb/s"
        if one
        else f"little of the {name}"
        for name, one in pictures
    )
