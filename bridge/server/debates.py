"""The debates of this server: what a host asks for, carried out across all that it needs."""

import asyncio
import logging
import secrets
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

from bridge.clock import Clock
from bridge.errors import ConflictError
from bridge.log import mask_url
from bridge.protocol.broadcast_config import (
    BroadcastConfig,
    BroadcastOrder,
    CanvasConfig,
    DestinationConfig,
    NetworkConfig,
    RecordingConfig,
)
from bridge.protocol.messages import (
    BroadcastReport,
    BroadcastState,
    DestinationReport,
    DestinationView,
    HostView,
    OutputState,
    RecordingReport,
    RoomView,
)
from bridge.protocol.show import SceneChoice
from bridge.protocol.tokens import Grant, TokenSigner
from bridge.rooms.model import Destination, Phase, Role, Room, Side, new_room_id
from bridge.rooms.platforms import label, warning
from bridge.server.audience import Audience
from bridge.server.broadcasts import BroadcastRun, Spares
from bridge.server.origin.origin import Origin
from bridge.server.presence import Presence
from bridge.server.recordings.library import RecordingLibrary
from bridge.server.store import Store
from bridge.settings import Settings

logger = logging.getLogger(__name__)

_AUTO: Final = SceneChoice()


class Debates:
    """Creates, rehearses, starts and ends debates. Loop-side only.

    `server_url` is where broadcasts find us; `on_change(room)` is called whenever a view differs.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        store: Store,
        signer: TokenSigner,
        presence: Presence,
        origin: Origin,
        recordings: RecordingLibrary,
        spares: Spares,
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._store = store
        self._signer = signer
        self._presence = presence
        self._origin = origin
        self._recordings = recordings
        self._spares = spares
        self.audience = Audience(clock)
        """Who watches."""
        self._clock = clock
        self._rooms: dict[str, Room] = {}
        self._runs: dict[str, BroadcastRun] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        self._unrecorded: dict[str, str] = {}
        self._scenes: dict[str, SceneChoice] = {}
        """What hosts want to be shown, of debates that are not over."""
        self.server_url = ""
        self.on_change: Callable[[str], None] = lambda _room: None

    async def create(
        self,
        motion: str,
        proposition: str,
        opposition: str,
        destinations: tuple[str, ...],
        *,
        isolated: bool = False,
    ) -> Room:
        """Make a debate and keep it."""
        room = Room(
            id=new_room_id(),
            motion=motion,
            proposition=proposition,
            opposition=opposition,
            created_at=self._clock.wall(),
            isolated=isolated,
            destinations=tuple(
                Destination(id=secrets.token_hex(8), url=url) for url in destinations
            ),
        )
        await self._store.add(room)
        self._rooms[room.id] = room
        logger.info("room %s: created", room.id)
        return room

    async def find(self, room_id: str) -> Room:
        """Return a debate. Raises NotFoundError."""
        if room_id not in self._rooms:
            self._rooms[room_id] = await self._store.find(room_id)
        return self._rooms[room_id]

    async def admit(self, grant: Grant) -> None:
        """Raise NotFoundError or ConflictError unless the grant's room can be entered."""
        room = await self.find(grant.room)
        if room.phase is Phase.ENDED and grant.role is not Role.HOST:
            message = "This debate has ended."
            raise ConflictError(message, code="room_ended")

    def owns(self, room: str, programme: str) -> bool:
        """Whether a room's broadcast may upload under that programme name."""
        run = self._runs.get(room)
        return run is not None and run.name == programme

    async def resume(self) -> None:
        """Put on air again what was on air when the server went away."""
        for room in await self._store.in_phase(Phase.LIVE):
            self._rooms[room.id] = room
            logger.info("room %s: on air again", room.id)
            self._go_on_air(room)

    async def close_left(self) -> None:
        """Note as ended every debate that is on air by the store only."""
        for room in await self._store.in_phase(Phase.LIVE):
            self._rooms[room.id] = await self._store.step(room.id, Phase.ENDED, self._clock.wall())
            self._origin.end(room.id)

    async def rehearse(self, room_id: str) -> Room:
        """Start the programme for the host's eyes only. Raises ConflictError when not waiting."""
        async with self.lock(room_id):
            room = await self.find(room_id)
            if room.phase is not Phase.WAITING:
                room.check_step(Phase.LIVE)
            if room_id not in self._runs:
                # Nobody can guess the name, and only the host is told.
                self._run(room, f"{room.id}-{secrets.token_hex(8)}", folder=None)
        return room

    async def start(self, room_id: str) -> Room:
        """Go on air. Raises ConflictError when on air already or ended."""
        async with self.lock(room_id):
            (await self.find(room_id)).check_step(Phase.LIVE)
            await self._end_run(room_id)
            room = await self._store.step(room_id, Phase.LIVE, self._clock.wall())
            self._rooms[room_id] = room
            logger.info("room %s: on air", room_id)
            self._go_on_air(room)
        return room

    async def stop(self, room_id: str) -> Room:
        """End the rehearsal if there is one, or else the debate. Raises ConflictError."""
        async with self.lock(room_id):
            room = await self.find(room_id)
            if room.phase is Phase.WAITING and room_id in self._runs:
                await self._end_run(room_id)
            else:
                room = await self._store.step(room_id, Phase.ENDED, self._clock.wall())
                self._rooms[room_id] = room
                logger.info("room %s: ended", room_id)
                await self._end_run(room_id)
                self._scenes.pop(room_id, None)
            self.on_change(room_id)
        return room

    async def choose_scene(self, room_id: str, choice: SceneChoice) -> Room:
        """Let the programme show what the host wants. Raises ConflictError when it is over."""
        room = await self.find(room_id)
        if room.phase is Phase.ENDED:
            message = "This debate has ended."
            raise ConflictError(message, code="room_ended")
        self._scenes[room_id] = choice
        self.on_change(room_id)
        return room

    async def send_to(self, room_id: str, destinations: tuple[Destination, ...]) -> None:
        """Let a debate have these destinations from now on, also in the middle of it."""
        self._rooms[room_id] = replace(self._rooms[room_id], destinations=destinations)
        configs = tuple(DestinationConfig(id=item.id, url=item.url) for item in destinations)
        await self.order(room_id, BroadcastOrder(destinations=configs))
        self.on_change(room_id)

    async def order(self, room_id: str, order: BroadcastOrder) -> None:
        """Tell the broadcast of a debate on air; a rehearsal is not told."""
        run = self._runs.get(room_id)
        if run is not None and run.name == room_id:
            await run.order(order)

    async def mark(self, room_id: str, text: str) -> None:
        """Note a marker at this moment of the programme. Raises ConflictError when not on air."""
        if (await self.find(room_id)).phase is not Phase.LIVE:
            message = "This debate is not on air."
            raise ConflictError(message, code="room_not_live")
        await self.order(room_id, BroadcastOrder(mark=text))

    def destination_state(self, room_id: str, destination: str) -> OutputState:
        """Return how a destination was last said to be; STOPPED when nothing is pushed."""
        report = self._presence.report(room_id)
        run = self._runs.get(room_id)
        if run is None or run.name != room_id:
            return OutputState.STOPPED
        for one in report.destinations if report else ():
            if one.id == destination:
                return one.state
        return OutputState.PREPARING

    async def end_all(self) -> None:
        """End every broadcast in order, for the server's own end; debates stay as they are."""
        await asyncio.gather(*(self._end_run(room_id) for room_id in list(self._runs)))

    def view(self, room_id: str, host: bool) -> RoomView:
        """Return the state of a room that has been found before, as a host or a debater sees it."""
        room, run = self._rooms[room_id], self._runs.get(room_id)
        return RoomView(
            id=room.id,
            motion=room.motion,
            names={side: room.name(side) for side in Side},
            phase=room.phase,
            started_at=room.started_at,
            participants=self._presence.participants(room_id),
            broadcast=self._broadcast_state(room_id),
            rehearsal=run is not None and run.name != room.id,
            scene=self._scenes.get(room_id, _AUTO),
            bridge_session=self._presence.bridge_session(room_id),
            host=self._host_view(room, run) if host else None,
        )

    def _broadcast_state(self, room_id: str) -> BroadcastState:
        run = self._runs.get(room_id)
        if run is None:
            return BroadcastState.OFF
        if run.state is BroadcastState.ENDING:
            return run.state
        programme, report = self._origin.get(run.name), self._presence.report(room_id)
        playable = programme is not None and programme.ready
        fed = report is not None and report.hls is not OutputState.PREPARING
        return BroadcastState.ON if playable and fed else run.state

    def _host_view(self, room: Room, run: BroadcastRun | None) -> HostView:
        report = self._presence.report(room.id)
        reports = {one.id: one for one in report.destinations} if report else {}
        idle = OutputState.PREPARING if run else OutputState.STOPPED
        on = self._broadcast_state(room.id) is BroadcastState.ON
        return HostView(
            preview_url=f"/live/{run.name}/index.m3u8" if run and on else None,
            destinations=tuple(
                DestinationView(
                    id=item.id,
                    label=label(item.url),
                    address=mask_url(item.url),
                    warning=warning(item.url, self._settings.video_kbps),
                    report=reports.get(item.id, DestinationReport(id=item.id, state=idle)),
                )
                for item in room.destinations
            ),
            ingests=report.ingests if report else {},
            health=self._presence.health(room.id),
            programme=report.programme if report else None,
            recording=self._recording_report(room.id, report),
            shown=report.shown if report else None,
            relief=report.relief if report else 0,
            restarts=run.restarts if run else 0,
            viewers=self.audience.count(room.id),
            viewers_latency=self.audience.latency(room.id),
        )

    def _recording_report(
        self, room_id: str, report: BroadcastReport | None
    ) -> RecordingReport | None:
        if room_id in self._unrecorded:
            detail = self._unrecorded[room_id]
            return RecordingReport(state=OutputState.REJECTED, detail=detail)
        return report.recording if report else None

    def _go_on_air(self, room: Room) -> None:
        """Be on air, and be recorded if the disk allows: the debate does not wait for it."""
        try:
            folder = self._recordings.open(room)
        except OSError as error:
            logger.exception("room %s: is not recorded", room.id)
            self._unrecorded[room.id] = f"The disk does not take it: {error.strerror}."
            folder = None
        self._run(room, room.id, folder)

    def _run(self, room: Room, programme: str, folder: Path | None) -> None:
        def changed() -> None:
            if self._runs[room.id].state is BroadcastState.RESTARTING:
                # What the dead one said last is no longer so.
                self._presence.forget_report(room.id)
            self.on_change(room.id)

        def configure() -> BroadcastConfig:
            recording = None
            if folder is not None:
                number = self._recordings.next_number(folder)
                recording = RecordingConfig(folder=folder, number=number, isolated=room.isolated)
            # As it is now: destinations may have come and gone since.
            return self._configure(self._rooms[room.id], programme, recording)

        self._runs[room.id] = BroadcastRun(
            programme,
            self._spares,
            configure=configure,
            on_change=changed,
            clock=self._clock,
        )
        self.on_change(room.id)

    def _configure(
        self, room: Room, programme: str, recording: RecordingConfig | None
    ) -> BroadcastConfig:
        settings = self._settings
        on_air = programme == room.id
        return BroadcastConfig(
            server_url=self.server_url,
            token=self._signer.sign(room.id, Role.BROADCAST),
            room=room.id,
            programme=programme,
            motion=room.motion,
            names={side: room.name(side) for side in Side},
            theme=settings.theme,
            logo=settings.logo,
            stereo=settings.stereo,
            canvas=canvas_config(settings),
            network=NetworkConfig.model_validate(
                settings.model_dump(include=set(NetworkConfig.model_fields))
            ),
            playout_delay_ms=settings.playout_delay_ms,
            max_playout_delay_ms=settings.max_playout_delay_ms,
            destinations=tuple(
                DestinationConfig(id=item.id, url=item.url)
                for item in (room.destinations if on_air else ())
            ),
            recording=recording,
            allow_private_destinations=settings.allow_private_destinations,
            log_level=settings.log_level,
        )

    async def _end_run(self, room_id: str) -> None:
        run = self._runs.get(room_id)
        if run is None:
            return
        await run.stop()
        del self._runs[room_id]
        # A broadcast that was killed has not said that it is over.
        self._origin.end(run.name)
        if run.name == room_id:
            self._unrecorded.pop(room_id, None)
            self._recordings.finish(room_id)

    def lock(self, room_id: str) -> asyncio.Lock:
        """Return what makes changes of one debate wait for each other."""
        return self._locks.setdefault(room_id, asyncio.Lock())


def canvas_config(settings: Settings) -> CanvasConfig:
    """Return what the settings say of the picture."""
    return CanvasConfig.model_validate(settings.model_dump(include=set(CanvasConfig.model_fields)))
