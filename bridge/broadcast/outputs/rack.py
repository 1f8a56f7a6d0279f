"""The outputs of one broadcast, side by side: what happens to one does not reach another.

Destinations come and go while the programme runs; HLS and the recording are there from its
beginning to its end.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from bridge.broadcast.media.packets import SOURCE, EncodedPacket, Grid, Rendition
from bridge.broadcast.outputs.connection import Target
from bridge.broadcast.outputs.hls import HlsOutput, OriginAddress
from bridge.broadcast.outputs.output import Output
from bridge.broadcast.outputs.recorder import RecordingOutput
from bridge.broadcast.outputs.restream import RestreamOutput
from bridge.clock import Clock
from bridge.protocol.broadcast_config import BroadcastConfig, DestinationConfig
from bridge.protocol.messages import DestinationReport, OutputState, RecordingReport

logger = logging.getLogger(__name__)

_LEAVE_SECONDS: Final = 3.0
"""For a destination that is taken away to get what is queued, and its goodbye."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgrammeShape:
    """What every output must know of the programme before its first packet."""

    renditions: tuple[Rendition, ...]
    """The programme itself comes first."""
    grid: Grid
    start_wall: float
    """Epoch seconds of frame 0."""


class Rack:
    """Builds outputs, feeds them, and keeps what each reports."""

    def __init__(
        self,
        config: BroadcastConfig,
        shape: ProgrammeShape,
        *,
        clock: Clock,
        on_change: Callable[[], None],
    ) -> None:
        self._on_change = on_change
        self._shape = shape
        self._clock = clock
        self._allow_private = config.allow_private_destinations
        self.hls = OutputState.PREPARING
        self.recording: RecordingReport | None = None
        self._reports: dict[str, DestinationReport] = {}
        self._leaving: set[asyncio.Task[None]] = set()
        self._hls: Output = self._build_hls(config, shape)
        self._recorder = self._build_recorder(config, shape)
        # Replaced as a whole on the loop, read by the encoder's thread.
        self._restreams: tuple[RestreamOutput, ...] = tuple(map(self._build, config.destinations))

    @property
    def destinations(self) -> tuple[DestinationReport, ...]:
        """What each destination last reported, in the order in which they were given."""
        return tuple(
            self._reports[output.destination]
            for output in self._restreams
            if output.destination in self._reports
        )

    def start(self) -> None:
        """Begin all. Loop-side only, once."""
        for output in self._outputs():
            output.start()

    def send_to(self, destinations: Sequence[DestinationConfig]) -> None:
        """Send to these and to no others from now on; who stays is not disturbed. Loop-side only.

        A destination that is new begins with the newest keyframe there is to come.
        """
        staying = {output.destination: output for output in self._restreams}
        outputs = []
        for destination in destinations:
            output = staying.pop(destination.id, None)
            if output is None:
                output = self._build(destination)
                output.start()
            outputs.append(output)
        self._restreams = tuple(outputs)
        for output in staying.values():
            task = asyncio.create_task(self._let_go(output), name=f"{output.name} leaves")
            self._leaving.add(task)
            task.add_done_callback(self._leaving.discard)
        self._on_change()

    def retry(self, destination: str) -> None:
        """Let a destination try again at once. Loop-side only."""
        for output in self._restreams:
            if output.destination == destination:
                output.retry()

    def note(self, line: bytes) -> None:
        """Let the recording, if there is one, have a line of the event log. Any thread."""
        if self._recorder is not None:
            self._recorder.note(line)

    def put(self, packet: EncodedPacket) -> None:
        """Hand a packet on. Encoder thread; never blocks.

        HLS takes every rendition, platforms and the recording take the programme itself.
        """
        self._hls.put(packet)
        if packet.rendition != SOURCE:
            return
        if self._recorder is not None:
            self._recorder.put(packet)
        for output in self._restreams:
            output.put(packet)

    async def stop(self, deadline: float) -> None:
        """End all at the same time. Loop-side only; idempotent."""
        outputs = self._outputs()
        leaving = tuple(self._leaving)
        ends = await asyncio.gather(
            *(output.stop(deadline) for output in outputs), return_exceptions=True
        )
        for output, end in zip(outputs, ends, strict=True):
            if isinstance(end, Exception):
                logger.error("%s did not end well", output.name, exc_info=end)
        await asyncio.gather(*leaving, return_exceptions=True)

    def _outputs(self) -> tuple[Output, ...]:
        recorder = () if self._recorder is None else (self._recorder,)
        return (self._hls, *recorder, *self._restreams)

    async def _let_go(self, output: RestreamOutput) -> None:
        await output.stop(_LEAVE_SECONDS)
        if all(staying.destination != output.destination for staying in self._restreams):
            self._reports.pop(output.destination, None)
        self._on_change()

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

    def _build_recorder(
        self, config: BroadcastConfig, shape: ProgrammeShape
    ) -> RecordingOutput | None:
        if config.recording is None:
            return None
        return RecordingOutput(
            config.recording.folder,
            config.recording.number,
            parameters=shape.renditions[0].parameters,
            grid=shape.grid,
            clock=self._clock,
            on_report=self._take_recording,
        )

    def _build(self, destination: DestinationConfig) -> RestreamOutput:
        return RestreamOutput(
            destination.id,
            Target(url=destination.url, allow_private=self._allow_private),
            parameters=self._shape.renditions[0].parameters,
            clock=self._clock,
            on_report=self._take_destination,
        )

    def _take_hls(self, state: OutputState, _detail: str) -> None:
        self.hls = state
        self._on_change()

    def _take_recording(self, report: RecordingReport) -> None:
        self.recording = report
        self._on_change()

    def _take_destination(self, report: DestinationReport) -> None:
        self._reports[report.id] = report
        self._on_change()
