"""Where debates are pushed to: added, removed, tried again and tested, also while live."""

import logging
import secrets
from typing import Final

from bridge.errors import ConflictError, NotFoundError
from bridge.log import mask_url
from bridge.protocol.broadcast_config import BroadcastOrder, TrialReport
from bridge.protocol.messages import OutputState
from bridge.rooms.model import Destination, Phase, Room
from bridge.rooms.platforms import trial_url
from bridge.server.debates import Debates
from bridge.server.store import Store
from bridge.server.trials import Trials

logger = logging.getLogger(__name__)

MOST: Final = 8
"""Destinations of one room: each is a child process and a copy of the programme on the line."""
_ON_AIR: Final = {OutputState.LIVE, OutputState.DEGRADED, OutputState.PREPARING}


class Destinations:
    """Changes the destinations of rooms. Loop-side only."""

    def __init__(self, debates: Debates, store: Store, trials: Trials) -> None:
        self._debates = debates
        self._store = store
        self._trials = trials

    async def add(self, room_id: str, url: str) -> Destination:
        """Push there too, from now on if the debate is on air.

        Raises ConflictError when the debate is over, has it already, or has `MOST`.
        """
        async with self._debates.lock(room_id):
            room = await self._open(room_id)
            if any(item.url == url for item in room.destinations):
                message = "This destination is there already."
                raise ConflictError(message, code="destination_twice")
            if len(room.destinations) >= MOST:
                message = f"A debate has {MOST} destinations at most. Remove one first."
                raise ConflictError(message, code="destination_limit")
            added = Destination(id=secrets.token_hex(8), url=url)
            await self._store.add_destination(room_id, added, place=len(room.destinations))
            await self._debates.send_to(room_id, (*room.destinations, added))
        logger.info("room %s: destination %s added: %s", room_id, added.id, mask_url(url))
        return added

    async def remove(self, room_id: str, destination: str) -> None:
        """Push there no longer. Raises NotFoundError, ConflictError when the debate is over."""
        async with self._debates.lock(room_id):
            room = await self._open(room_id)
            removed = _find(room, destination)
            await self._store.remove_destination(removed.id)
            left = tuple(item for item in room.destinations if item.id != removed.id)
            await self._debates.send_to(room_id, left)
        logger.info("room %s: destination %s removed", room_id, removed.id)

    async def retry(self, room_id: str, destination: str) -> None:
        """End its pause. Raises NotFoundError, ConflictError when the debate is not on air."""
        room = await self._debates.find(room_id)
        found = _find(room, destination)
        if room.phase is not Phase.LIVE:
            message = "This debate is not on air."
            raise ConflictError(message, code="room_not_live")
        await self._debates.order(room_id, BroadcastOrder(retry=found.id))

    async def test(self, room_id: str, destination: str) -> TrialReport:
        """Send it a few seconds of a test card; Twitch is told to show nobody.

        Raises NotFoundError, ConflictError while it is on air there or is being tested.
        """
        found = _find(await self._debates.find(room_id), destination)
        state = self._debates.destination_state(room_id, found.id)
        if state in _ON_AIR:
            message = "The debate is on air there: a test would disturb it."
            raise ConflictError(message, code="destination_live")
        return await self._trials.run(found.id, trial_url(found.url))

    async def _open(self, room_id: str) -> Room:
        room = await self._debates.find(room_id)
        if room.phase is Phase.ENDED:
            message = "This debate has ended."
            raise ConflictError(message, code="room_ended")
        return room


def _find(room: Room, destination: str) -> Destination:
    for item in room.destinations:
        if item.id == destination:
            return item
    message = "There is no such destination."
    raise NotFoundError(message, code="destination_not_found")
