"""The Socket.IO door: checks every event, seats people, passes signals on, tells what changed."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final

import socketio
from pydantic import ValidationError

from bridge.clock import Clock
from bridge.errors import BridgeError, ConflictError, InputError
from bridge.protocol.message import Message
from bridge.protocol.messages import (
    BRIDGE_SEAT,
    Ack,
    BroadcastReport,
    ConnectAuth,
    ErrorAck,
    ErrorBody,
    Health,
    Join,
    JoinAck,
    Leave,
    MediaState,
    Replaced,
    RoomView,
    Signal,
    SignalFrom,
    dump,
)
from bridge.protocol.show import Levels
from bridge.protocol.tokens import Grant, TokenSigner
from bridge.rooms.model import Role
from bridge.server.door import Door
from bridge.server.ice_servers import IceServers
from bridge.server.presence import Occupant, Presence
from bridge.server.problems import explain
from bridge.server.rate import TokenBucket

logger = logging.getLogger(__name__)

_MAX_M_LINES: Final = 4
_MAX_CANDIDATES_PER_M_LINE: Final = 30
_EVENTS_PER_SECOND: Final = 30.0
_EVENTS_AT_ONCE: Final = 120.0
"""A browser with many interfaces trickles some forty candidates on each of two connections."""


class Signalling:
    """Socket.IO events of all rooms. Loop-side only.

    `view(room, host)` gives the current state of a room; call `changed(room)` whenever it differs.
    """

    def __init__(
        self,
        presence: Presence,
        signer: TokenSigner,
        *,
        view: Callable[[str, bool], RoomView],
        admit: Callable[[Grant], Awaitable[None]],
        ice_servers: IceServers,
        public_url: str | None,
        clock: Clock,
    ) -> None:
        self._presence = presence
        self._signer = signer
        self._view = view
        self._admit = admit
        self._ice_servers = ice_servers
        self._clock = clock
        self._grants: dict[str, Grant] = {}
        self._buckets: dict[str, TokenBucket] = {}
        self._flooding: set[str] = set()
        self._changed: set[str] = set()
        self._telling: dict[str, asyncio.Task[None]] = {}
        self.server = Door(public_url)
        self.server.on("connect", self._connect)
        self.server.on("disconnect", self._disconnect)
        self._on("join", Join, self._join)
        self._on("signal", Signal, self._signal)
        self._on("media", MediaState, self._media)
        self._on("health", Health, self._health)
        self._on("leave", Leave, self._leave)
        self._on("report", BroadcastReport, self._report)
        self._on("levels", Levels, self._levels)
        self.server.on("*", self._refuse_unknown)

    def changed(self, room: str) -> None:
        """Tell everybody in a room its state, once per turn of the loop."""
        self._changed.add(room)
        if room not in self._telling:
            # One task per room: nobody gets an older state after a newer one.
            task = asyncio.create_task(self._tell(room), name=f"tell-{room}")
            self._telling[room] = task
            task.add_done_callback(lambda _task: self._telling.pop(room, None))

    async def stop(self) -> None:
        """Close all connections. Idempotent."""
        await self.server.close()
        telling = list(self._telling.values())
        for task in telling:
            task.cancel()
        await asyncio.gather(*telling, return_exceptions=True)

    def _on(self, event: str, model: type[Message], take: Callable[[str, Any], Any]) -> None:
        async def handler(connection: str, content: object = None, *_extra: object) -> object:
            try:
                self._check_rate(connection)
                message = model.model_validate({} if content is None else content)
                return dump(await take(connection, message))
            except ValidationError as error:
                refusal = ErrorBody(code="invalid", message=explain(error))
            except BridgeError as error:
                refusal = ErrorBody(code=error.code, message=error.message)
            return self._refuse(connection, event, refusal)

        self.server.on(event, handler)

    async def _refuse_unknown(self, _event: str, connection: str, *_content: object) -> object:
        # The name is the sender's own text: it stays out of the log.
        refusal = ErrorBody(code="unknown_event", message="There is no such event.")
        try:
            self._check_rate(connection)
        except InputError as error:
            refusal = ErrorBody(code=error.code, message=error.message)
        return self._refuse(connection, "an unknown event", refusal)

    def _refuse(self, connection: str, event: str, refusal: ErrorBody) -> object:
        # A flood is logged once when it begins, not once an event.
        if refusal.code != "rate" or connection not in self._flooding:
            logger.info("x %s from %s: %s", event, self._who(connection), refusal.code)
        if refusal.code == "rate":
            self._flooding.add(connection)
        else:
            self._flooding.discard(connection)
        return dump(ErrorAck(error=refusal))

    def _check_rate(self, connection: str) -> None:
        bucket = self._buckets.get(connection)
        if bucket is not None and not bucket.take():
            message = "Too many events; slow down."
            raise InputError(message, code="rate")

    async def _connect(self, connection: str, _environ: object, auth: object = None) -> None:
        try:
            token = ConnectAuth.model_validate(auth).token
            grant = self._signer.read(token)
            await self._admit(grant)
        except ValidationError:
            refusal = ErrorBody(code="token", message="A token is needed to enter.")
        except BridgeError as error:
            refusal = ErrorBody(code=error.code, message=error.message)
        else:
            self._grants[connection] = grant
            self._buckets[connection] = TokenBucket(
                self._clock, _EVENTS_PER_SECOND, _EVENTS_AT_ONCE
            )
            return
        logger.info("x connection refused: %s", refusal.code)
        raise socketio.exceptions.ConnectionRefusedError(refusal.message, dump(refusal))

    async def _disconnect(self, connection: str, *_reason: object) -> None:
        self._grants.pop(connection, None)
        self._buckets.pop(connection, None)
        self._flooding.discard(connection)
        self._vacate(connection)

    async def _join(self, connection: str, join: Join) -> JoinAck:
        grant = self._grants[connection]
        await self._admit(grant)
        occupant, replaced = self._presence.join(connection, grant, join)
        logger.info("room %s: %s joins (%d)", grant.room, occupant.seat, occupant.generation)
        if replaced is not None:
            await self._dismiss(replaced)
        self.changed(grant.room)
        side = grant.role.side
        return JoinAck(
            you=occupant.you,
            polite=side.polite if side else False,
            ice_servers=self._ice_servers.of(grant.room, side) if side else (),
            room=self._view(grant.room, grant.role is Role.HOST),
        )

    async def _signal(self, connection: str, signal: Signal) -> Ack:
        sender = self._presence.find(connection)
        if (signal.rejoin or signal.refusal or signal.wanted) and sender.seat != BRIDGE_SEAT:
            words = "Only the bridge refuses offers, tells others to rejoin and what it wants."
            raise InputError(words, code="token_role")
        if signal.description is not None:
            check_sdp(signal.description.sdp)
        receiver = self._presence.address(sender, signal.to, signal.session)
        message = SignalFrom.model_validate(
            {
                "from": sender.seat,
                "session": sender.session,
                "link": signal.link,
                "description": signal.description,
                "candidate": signal.candidate,
                "rejoin": signal.rejoin,
                "refusal": signal.refusal,
                "wanted": signal.wanted,
            }
        )
        await self.server.emit("signal", dump(message), to=receiver.connection)
        return Ack()

    async def _media(self, connection: str, media: MediaState) -> Ack:
        self.changed(self._presence.set_media(connection, media).room)
        return Ack()

    async def _health(self, connection: str, health: Health) -> Ack:
        self.changed(self._presence.set_health(connection, health).room)
        return Ack()

    async def _leave(self, connection: str, _leave: Leave) -> Ack:
        self._presence.find(connection)
        self._vacate(connection)
        return Ack()

    async def _report(self, connection: str, report: BroadcastReport) -> Ack:
        self.changed(self._presence.set_report(connection, report).room)
        return Ack()

    async def _levels(self, connection: str, levels: Levels) -> Ack:
        sender = self._presence.find(connection)
        if sender.seat != BRIDGE_SEAT:
            message = "Only the broadcast tells levels."
            raise InputError(message, code="token_role")
        for host, occupant in self._presence.connections(sender.room).items():
            if occupant.seat == "host":
                await self.server.emit("levels", dump(levels), to=host)
        return Ack()

    def _vacate(self, connection: str) -> None:
        occupant = self._presence.leave(connection)
        if occupant is not None:
            logger.info("room %s: %s leaves", occupant.room, occupant.seat)
            self.changed(occupant.room)

    async def _dismiss(self, connection: str) -> None:
        words = Replaced(message="You have joined from here or another window anew.")
        await self.server.emit("replaced", dump(words), to=connection)
        await self.server.disconnect(connection)

    async def _tell(self, room: str) -> None:
        while room in self._changed:
            # One turn later: everything that changes together is told together.
            await asyncio.sleep(0)
            self._changed.discard(room)
            people = self._presence.connections(room)
            views: dict[bool, dict[str, Any]] = {}
            for connection, occupant in people.items():
                host = occupant.seat == "host"
                if host not in views:
                    views[host] = dump(self._view(room, host))
                await self.server.emit("room", views[host], to=connection)

    def _who(self, connection: str) -> str:
        try:
            occupant: Occupant = self._presence.find(connection)
        except ConflictError:
            return "somebody"
        return f"{occupant.seat} of {occupant.room}"


def check_sdp(sdp: str) -> None:
    """Refuse what would cost the other side dear. Raises InputError.

    aiortc parses 2000 candidates in half a second, on its loop.
    """
    lines = sdp.splitlines()
    media = sum(line.startswith("m=") for line in lines)
    candidates = sum(line.startswith("a=candidate:") for line in lines)
    if not lines or not lines[0].startswith("v=0"):
        message = "This is not a session description."
    elif media > _MAX_M_LINES:
        message = f"At most {_MAX_M_LINES} media lines."
    elif candidates > _MAX_CANDIDATES_PER_M_LINE * media:
        message = "Too many candidates."
    else:
        return
    raise InputError(message)
