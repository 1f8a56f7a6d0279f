"""One room on air: puts receive path, programme and outputs together and ends them in order."""

import asyncio
import logging
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from pydantic import JsonValue

from bridge.aiortc_inside import receiving
from bridge.broadcast.event_log import EventLog
from bridge.broadcast.gallery import Gallery, Sources
from bridge.broadcast.isolated.recorder import IsolatedRecorder, Timeline
from bridge.broadcast.logo import read_logo
from bridge.broadcast.media.caption import Caption
from bridge.broadcast.media.encoder import EncoderSettings
from bridge.broadcast.media.encoders import choose
from bridge.broadcast.media.mixer import Mixer
from bridge.broadcast.media.packets import EncodedPacket, Grid
from bridge.broadcast.media.programme import Programme
from bridge.broadcast.media.scene import SceneKey
from bridge.broadcast.media.stage import Shot, Stage
from bridge.broadcast.media.studio_order import Commission
from bridge.broadcast.meters import Meters
from bridge.broadcast.outputs.rack import ProgrammeShape, Rack
from bridge.broadcast.reliever import Reliever
from bridge.broadcast.room_link import RoomLink
from bridge.broadcast.rtc.playout_delay import PlayoutDelay
from bridge.broadcast.seat import Seat, SeatEvents
from bridge.clock import Clock
from bridge.errors import SettingsError
from bridge.protocol.broadcast_config import BroadcastConfig, BroadcastOrder, CanvasConfig
from bridge.protocol.events import EventKind
from bridge.protocol.messages import (
    BroadcastReport,
    IngestReport,
    IngestState,
    ProgrammeReport,
    RoomView,
    Wanted,
)
from bridge.protocol.show import SceneShown
from bridge.rooms.model import Side
from bridge.settings import web_folder

logger = logging.getLogger(__name__)

_LEAD_SECONDS: Final = 0.05
"""From the decision to start to frame 0: the outputs are built in between."""
_OUTPUT_DEADLINE: Final = 5.0
"""For outputs to finalise; the server gives the whole broadcast eight seconds."""
_REPORT_SECONDS: Final = 1.0
_SETTLE_SECONDS: Final = 0.1
"""Changes of state within it go into one report."""


def encoder_settings(canvas: CanvasConfig) -> EncoderSettings:
    """Translate what the server told into what the encoders take.

    Blocks while hardware encoders are tried, if one was asked for; raises SetupError when it does
    not work.
    """
    settings = EncoderSettings(
        width=canvas.width,
        height=canvas.height,
        grid=Grid(
            fps=canvas.fps,
            part_frames=canvas.part_frames,
            segment_frames=canvas.segment_frames,
        ),
        video_kbps=canvas.video_kbps,
        audio_kbps=canvas.audio_kbps,
        preset=canvas.preset,
        threads=canvas.encoder_threads,
        ladder=canvas.ladder,
    )
    return replace(settings, encoder=choose(canvas.encoder, settings.shape))


@dataclass(frozen=True, slots=True)
class _OnAir:
    """What exists only while the programme runs."""

    programme: Programme
    rack: Rack
    reliever: Reliever
    helping: tuple[asyncio.Task[None], ...]
    """Scenes, meters and relief: the programme goes on without them."""


class Broadcast:
    """Owns everything of one room on air. Loop-side only; `run` once."""

    def __init__(self, config: BroadcastConfig, clock: Clock) -> None:
        self._config = config
        self._clock = clock
        self._changed = asyncio.Event()
        self._failed = asyncio.Event()
        self._ending = False
        self._rack: Rack | None = None
        self._events: EventLog | None = None
        self._noted_scene: SceneKey | None = None
        self._noted_here: set[Side] = set()
        delay = PlayoutDelay(config.playout_delay_ms / 1000, config.max_playout_delay_ms / 1000)
        recording = config.recording
        self._isolated = (
            IsolatedRecorder(recording, delay, clock) if recording and recording.isolated else None
        )
        events = SeatEvents(changed=self._changed.set, lost=self._ask_to_rejoin, wants=self._want)
        self._seats = {
            side: Seat(
                side,
                clock=clock,
                delay=delay,
                network=config.network,
                on=events,
                frame_rate=config.canvas.fps,
                tap=self._isolated.tap(side.value) if self._isolated else None,
            )
            for side in Side
        }
        self._link = RoomLink(config.server_url, config.token, self._seats, on_room=self._take_room)
        self._gallery = Gallery(
            Commission(
                theme=config.theme,
                web=web_folder(),
                width=config.canvas.width,
                height=config.canvas.height,
            ),
            _caption(config),
            sides=[side.value for side in Side],
            clock=clock,
            on_shot=self._fit,
        )

    async def run(self, asked_to_end: asyncio.Event) -> bool:
        """Be on air until `asked_to_end`; False when the programme failed by itself."""
        receiving.install()
        try:
            stage, settings = await asyncio.gather(
                self._gallery.open(),
                asyncio.to_thread(encoder_settings, self._config.canvas),
            )
            on_air = self._start(stage, settings)
            tasks = [
                asyncio.create_task(self._link.run(), name="room-link"),
                asyncio.create_task(self._report(on_air), name="reports"),
            ]
            try:
                await self._until_over(asked_to_end, tasks)
            finally:
                await self._end(on_air, tasks)
        finally:
            await self._gallery.close()
        return not self._failed.is_set()

    def order(self, order: BroadcastOrder) -> None:
        """Do what the server asks for in the middle of the programme."""
        if self._rack is None:
            # Not on air yet: the newest list of destinations counts then.
            if order.destinations is not None:
                update = {"destinations": order.destinations}
                self._config = self._config.model_copy(update=update)
            return
        if order.destinations is not None:
            self._rack.send_to(order.destinations)
        if order.retry is not None:
            self._rack.retry(order.retry)
        if order.mark is not None:
            self._note("marker", order.mark)

    def _ask_to_rejoin(self, side: Side, link: str, session: str) -> None:
        self._link.ask_to_rejoin(side, link, session)

    def _want(self, side: Side, wanted: Wanted) -> None:
        self._link.want(side, wanted)

    def _note(self, kind: EventKind, text: str = "", **data: JsonValue) -> None:
        if self._events is not None:
            self._events.note(kind, text, **data)

    def _fit(self, shot: Shot) -> None:
        if shot.key != self._noted_scene:
            self._noted_scene = shot.key
            self._note("scene", scene=shot.key.name, side=shot.key.subject or None)
        for seat in self._seats.values():
            seat.fit(shot.sizes)
        self._changed.set()

    def _take_room(self, room: RoomView) -> None:
        self._gallery.choose(room.scene)

    def _start(self, stage: Stage, settings: EncoderSettings) -> _OnAir:
        loop = asyncio.get_running_loop()
        seats = self._seats.values()
        mixer = Mixer([seat.microphone for seat in seats], placed=self._config.stereo)
        programme = Programme(
            settings,
            stage,
            mixer,
            {source.name: source for seat in seats for source in (seat.camera, seat.screen)},
            clock=self._clock,
            sink=self._put,
            on_failure=lambda _error: loop.call_soon_threadsafe(self._failed.set),
        )
        begin = self._clock.monotonic() + _LEAD_SECONDS
        shape = ProgrammeShape(
            renditions=programme.renditions,
            grid=settings.grid,
            start_wall=self._clock.wall() + _LEAD_SECONDS,
        )
        self._rack = Rack(self._config, shape, clock=self._clock, on_change=self._changed.set)
        self._rack.start()
        self._events = EventLog(self._clock, begin, self._rack.note)
        self._note("start", self._config.motion)
        programme.start(begin)
        if self._isolated is not None:
            self._isolated.start(
                Timeline(begin=begin, start_wall=shape.start_wall, fps=settings.grid.fps)
            )
        logger.info("programme %s starts", self._config.programme)
        reliever = Reliever(
            programme,
            self._gallery,
            seats,
            grid=settings.grid,
            clock=self._clock,
            on_change=self._changed.set,
        )
        helping = self._help(mixer, reliever, begin)
        return _OnAir(programme, self._rack, reliever, helping)

    def _help(
        self, mixer: Mixer, reliever: Reliever, begin: float
    ) -> tuple[asyncio.Task[None], ...]:
        """Start what the programme can do without."""
        screens = {side.value: seat.screen for side, seat in self._seats.items()}
        sources = Sources(screens=screens, levels=lambda: mixer.levels)
        meters = Meters(lambda: mixer.levels, self._link.tell_levels)
        tasks = (
            asyncio.create_task(self._gallery.run(sources, begin), name="gallery"),
            asyncio.create_task(meters.run(), name="meters"),
            asyncio.create_task(reliever.run(), name="relief"),
        )
        for task in tasks:
            task.add_done_callback(_log_failure)
        return tasks

    def _put(self, packet: EncodedPacket) -> None:
        """Hand a packet on. Encoder thread."""
        if self._rack is not None:
            self._rack.put(packet)

    async def _until_over(
        self, asked_to_end: asyncio.Event, tasks: list[asyncio.Task[None]]
    ) -> None:
        over = {
            asyncio.create_task(asked_to_end.wait()),
            asyncio.create_task(self._failed.wait()),
        }
        try:
            await asyncio.wait([*over, *tasks], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for waiting in over:
                waiting.cancel()
            await asyncio.gather(*over, return_exceptions=True)
        for task in tasks:
            if task.done():
                self._failed.set()
                if (error := task.exception()) is not None:
                    logger.error("%s ended: %s", task.get_name(), error)

    async def _end(self, on_air: _OnAir, tasks: list[asyncio.Task[None]]) -> None:
        """End the programme first: its last packets still reach every output."""
        self._ending = True
        self._note("end")
        ended = await asyncio.to_thread(on_air.programme.stop)
        if not ended:
            logger.error("the programme's threads did not end in time")
        await asyncio.gather(on_air.rack.stop(_OUTPUT_DEADLINE), self._stop_isolated())
        await self._link.report(self._state(on_air))
        await self._link.close()
        for task in (*tasks, *on_air.helping):
            task.cancel()
        await asyncio.gather(*tasks, *on_air.helping, return_exceptions=True)
        await asyncio.gather(*(seat.close() for seat in self._seats.values()))
        logger.info("programme %s has ended", self._config.programme)

    async def _stop_isolated(self) -> None:
        if self._isolated is not None:
            await self._isolated.stop(_OUTPUT_DEADLINE)

    async def _report(self, on_air: _OnAir) -> None:
        """Report once a second and at each change, never more often than ten times a second."""
        # A flag, not only cancellation: in Python 3.11 `wait_for`, which Socket.IO uses for acks,
        # swallows a cancellation that comes together with what it waits for (cpython #86296).
        while not self._ending:
            with suppress(TimeoutError):
                async with asyncio.timeout(_REPORT_SECONDS):
                    await self._changed.wait()
                    await asyncio.sleep(_SETTLE_SECONDS)
            self._changed.clear()
            await self._link.report(self._state(on_air))

    def _state(self, on_air: _OnAir) -> BroadcastReport:
        stats = on_air.programme.stats
        ingests = {side: seat.report() for side, seat in self._seats.items()}
        self._note_who_is_here(ingests)
        return BroadcastReport(
            programme=ProgrammeReport(ticks=stats.ticks, skipped=stats.skipped, late=stats.late),
            ingests=ingests,
            hls=on_air.rack.hls,
            destinations=on_air.rack.destinations,
            recording=on_air.rack.recording,
            shown=self._shown(),
            relief=int(on_air.reliever.level),
        )

    def _note_who_is_here(self, ingests: Mapping[Side, IngestReport]) -> None:
        for side, report in ingests.items():
            if report.state is IngestState.RECEIVING and side not in self._noted_here:
                self._noted_here.add(side)
                self._note("joined", self._config.names[side], side=side.value)
            elif report.state is IngestState.ABSENT and side in self._noted_here:
                self._noted_here.discard(side)
                self._note("left", self._config.names[side], side=side.value)

    def _shown(self) -> SceneShown | None:
        shot = self._gallery.shot
        if shot is None:
            return None
        return SceneShown(
            scene=shot.key.name, side=Side(shot.key.subject) if shot.key.subject else None
        )


def _caption(config: BroadcastConfig) -> Caption:
    return Caption(
        motion=config.motion,
        names={side.value: name for side, name in config.names.items()},
        on_air=config.programme == config.room,
        logo=_logo(config.logo),
    )


def _logo(path: Path | None) -> str:
    """Return it as themes take it; a debate goes on air without one that cannot be used."""
    if path is None:
        return ""
    try:
        return read_logo(path)
    except SettingsError as error:
        logger.warning("%s", error.message)
        return ""


def _log_failure(task: asyncio.Task[None]) -> None:
    """Tell whoever looks after it: the programme goes on as it is."""
    if not task.cancelled() and (error := task.exception()) is not None:
        logger.error("%s ended: %r", task.get_name(), error, exc_info=error)
