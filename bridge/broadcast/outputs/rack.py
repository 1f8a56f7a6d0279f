"""The outputs of one broadcast, side by side: what happens to one does not reach another."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass

from bridge.broadcast.media.packets import SOURCE, EncodedPacket, Grid, Rendition
from bridge.broadcast.outputs.connection import Target
from bridge.broadcast.outputs.hls import HlsOutput, OriginAddress
from bridge.broadcast.outputs.output import Output
from bridge.broadcast.outputs.recorder import RecordingOutput
from bridge.broadcast.outputs.restream import RestreamOutput
from bridge.clock import Clock
from bridge.protocol.broadcast_config import BroadcastConfig
from bridge.protocol.messages import DestinationReport, OutputState, RecordingReport

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgrammeShape:
    """What every output must know of the programme before its first packet."""

    renditions: tuple[Rendition, ...]
    """The programme itself comes first."""
    grid: Grid
    start_wall: float
    """Epoch seconds of frame 0."""


class Rack:
    """Builds the outputs that the configuration names, feeds them, and keeps what each reports."""

    def __init__(
        self,
        config: BroadcastConfig,
        shape: ProgrammeShape,
        *,
        clock: Clock,
        on_change: Callable[[], None],
    ) -> None:
        self._on_change = on_change
        self.hls = OutputState.PREPARING
        self.recording: RecordingReport | None = None
        self._destinations: dict[str, DestinationReport] = {}
        self._hls: Output = self._build_hls(config, shape)
        self._others: tuple[Output, ...] = tuple(self._build_others(config, shape, clock))

    @property
    def destinations(self) -> tuple[DestinationReport, ...]:
        """What each destination last reported, in the order of the configuration."""
        return tuple(self._destinations.values())

    def start(self) -> None:
        """Begin all. Loop-side only, once."""
        for output in (self._hls, *self._others):
            output.start()

    def put(self, packet: EncodedPacket) -> None:
        """Hand a packet on. Encoder thread; never blocks.

        HLS takes every rendition, platforms and the recording take the programme itself.
        """
        self._hls.put(packet)
        if packet.rendition == SOURCE:
            for output in self._others:
                output.put(packet)

    async def stop(self, deadline: float) -> None:
        """End all at the same time. Loop-side only; idempotent."""
        outputs = (self._hls, *self._others)
        ends = await asyncio.gather(
            *(output.stop(deadline) for output in outputs), return_exceptions=True
        )
        for output, end in zip(outputs, ends, strict=True):
            if isinstance(end, Exception):
                logger.error("%s did not end well", output.name, exc_info=end)

    def _build_hls(self, config: BroadcastConfig, shape: ProgrammeShape) -> Output:
        return HlsOutput(
            OriginAddress(
                server_url=config.server_url, token=config.token, programme=config.programme
            ),
            renditions=shape.renditions,
            grid=shape.grid,
            start_wall=shape.start_wall,
            on_state=self._take_hls,
        )

    def _build_others(
        self, config: BroadcastConfig, shape: ProgrammeShape, clock: Clock
    ) -> list[Output]:
        parameters = shape.renditions[0].parameters
        outputs: list[Output] = []
        if config.recording is not None:
            outputs.append(
                RecordingOutput(
                    config.recording.folder,
                    config.recording.number,
                    parameters=parameters,
                    grid=shape.grid,
                    on_report=self._take_recording,
                )
            )
        outputs += (
            RestreamOutput(
                destination.id,
                Target(url=destination.url, allow_private=config.allow_private_destinations),
                parameters=parameters,
                clock=clock,
                on_report=self._take_destination,
            )
            for destination in config.destinations
        )
        return outputs

    def _take_hls(self, state: OutputState, _detail: str) -> None:
        self.hls = state
        self._on_change()

    def _take_recording(self, report: RecordingReport) -> None:
        self.recording = report
        self._on_change()

    def _take_destination(self, report: DestinationReport) -> None:
        self._destinations[report.id] = report
        self._on_change()
