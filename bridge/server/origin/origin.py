"""All programmes that this server holds, by name."""

import asyncio
import logging
from typing import Final

from bridge.clock import Clock
from bridge.errors import NotFoundError
from bridge.protocol.upload import ProgrammeDescription
from bridge.server.origin.live import HeldRequests, LiveProgramme

logger = logging.getLogger(__name__)

_KEPT_AFTER_END: Final = 300.0
"""Seconds for which the last window of an ended programme stays, for players that come late."""


class Origin:
    """Finds, makes, ends and forgets programmes. Loop-side only."""

    def __init__(self, clock: Clock, *, listed: int, max_held: int) -> None:
        self._clock = clock
        self._listed = listed
        self._programmes: dict[str, LiveProgramme] = {}
        self._held = HeldRequests(max_held)
        self._forgetting: dict[str, asyncio.TimerHandle] = {}

    @property
    def held(self) -> int:
        """Requests that wait right now."""
        return self._held.count

    def find(self, name: str) -> LiveProgramme:
        """Raise NotFoundError unless there is such a programme with something to play."""
        programme = self._programmes.get(name)
        if programme is None or not programme.ready:
            message = "There is no such programme on air."
            raise NotFoundError(message)
        return programme

    def get(self, name: str) -> LiveProgramme | None:
        """Return the programme, also before its first part."""
        return self._programmes.get(name)

    def open(self, name: str, description: ProgrammeDescription) -> LiveProgramme:
        """Return the programme, made if need be; one that has ended is begun anew.

        Media sequence numbers start from the wall clock, so that they go on upwards over a restart
        of the server, and never at 0, which old players take for "none".
        """
        known = self._programmes.get(name)
        if known is not None and not known.window.ended:
            return known
        first = int(self._clock.wall() / description.segment_duration)
        if known is not None:
            first = max(first, known.window.next_msn)
            self._cancel_forgetting(name)
        programme = LiveProgramme(first_msn=first, listed=self._listed, held=self._held)
        self._programmes[name] = programme
        return programme

    def end(self, name: str) -> None:
        """End a programme that may have been left without an end; idempotent."""
        programme = self._programmes.get(name)
        if programme is None:
            return
        if not programme.window.ended:
            logger.info("programme %s ends", name)
        programme.end()
        if name not in self._forgetting:
            loop = asyncio.get_running_loop()
            self._forgetting[name] = loop.call_later(_KEPT_AFTER_END, self._forget, name)

    def close(self) -> None:
        """Answer all held requests; for the server's own end."""
        for programme in self._programmes.values():
            programme.release()
        for name in list(self._forgetting):
            self._cancel_forgetting(name)

    def _forget(self, name: str) -> None:
        self._forgetting.pop(name, None)
        self._programmes.pop(name, None)

    def _cancel_forgetting(self, name: str) -> None:
        handle = self._forgetting.pop(name, None)
        if handle is not None:
            handle.cancel()
