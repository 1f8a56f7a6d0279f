"""Keeps each debater's tracks beside the recording, with one sidecar that tells their clock.

    receive path (loop) --take--> channel (8 MiB, REFUSE) --> thread: a file per side, one sidecar

What does not fit is left out up to the track's next keyframe. When the disk fails the isolated
tracks end, with a warning in the log; the programme knows nothing of it.
"""

import asyncio
import json
import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bridge.broadcast.isolated.placement import Placement
from bridge.broadcast.isolated.track_file import IsolatedFrame, TrackFile
from bridge.broadcast.rtc.frames import EncodedFrame
from bridge.broadcast.rtc.playout_delay import PlayoutDelay
from bridge.broadcast.rtc.sinks import FrameTap
from bridge.broadcast.rtc.tracks import MICROPHONE, SCREEN
from bridge.clock import Clock
from bridge.concurrency.channel import Channel, Overflow
from bridge.concurrency.worker import Worker
from bridge.errors import ChannelClosedError
from bridge.protocol.broadcast_config import RecordingConfig

logger = logging.getLogger(__name__)

_CAPACITY: Final = 8 * 1024 * 1024
_SYNC_SECONDS: Final = 1.0
_SIDECAR_SECONDS: Final = 5.0
_TAKE_SECONDS: Final = 0.5


def sidecar_name(number: int) -> str:
    """Name of the clock sidecar of broadcast `number` of a debate (1, 2, ...)."""
    return f"isolated-{number}.json"


def track_file_name(file: str, number: int) -> str:
    """Name of the file of a side, or of its screen (`proposition-screen`)."""
    return f"{file}-{number}.mkv"


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """The programme's clock."""

    begin: float
    """Monotonic seconds of frame 0."""
    start_wall: float
    """Epoch seconds of the same moment."""
    fps: int


class IsolatedRecorder:
    """Owns the files and their thread. Loop-side only; `start` and `stop` once.

    `stop` without `start` is allowed. Nothing is kept before `start`.
    """

    def __init__(self, config: RecordingConfig, delay: PlayoutDelay, clock: Clock) -> None:
        self.dropped = 0
        """Frames left out because the disk was too slow, or the tracks have ended."""
        self._folder = config.folder
        self._number = config.number
        self._delay = delay
        self._clock = clock
        self._timeline: Timeline | None = None
        self._placements: dict[tuple[str, str], Placement] = {}
        self._broken: set[tuple[str, str]] = set()
        self._channel = Channel[IsolatedFrame](
            _CAPACITY, Overflow.REFUSE, size=lambda frame: len(frame.data)
        )
        self._worker = Worker("isolated", self._write, on_failure=self._give_up)
        self._files: dict[str, TrackFile] = {}

    def tap(self, side: str) -> FrameTap:
        """Return what takes a side's frames; it stays the same when the debater joins again."""
        return _Tap(self, side)

    def start(self, timeline: Timeline) -> None:
        """Begin to keep frames that the programme shows from its frame 0 on."""
        self._timeline = timeline
        self._worker.start()

    async def stop(self, deadline: float) -> None:
        """Write what is queued and close, in `deadline` seconds. Idempotent."""
        self._channel.close()
        if not await asyncio.to_thread(self._worker.join, deadline):
            logger.error("isolated tracks: not closed after %.1f s", deadline)

    def take(self, side: str, track: str, frame: EncodedFrame, due: float) -> None:
        """Place a frame and queue it. Never blocks."""
        if self._timeline is None:
            return
        shown = due + self._delay.seconds - self._timeline.begin
        if shown < 0:
            return
        key = (side, track)
        if key in self._broken and not frame.keyframe:
            self.dropped += 1
            return
        if track != MICROPHONE:
            # The programme takes it up with its next frame: half a frame later on average.
            shown += 0.5 / self._timeline.fps
        placement = self._placements.get(key)
        if placement is None:
            placement = self._placements[key] = Placement(steps=track == MICROPHONE)
        taken = self._channel.put(
            IsolatedFrame(
                file=f"{side}-{SCREEN}" if track == SCREEN else side,
                track=track,
                codec=frame.codec,
                data=frame.data,
                time=placement.place(frame.timestamp, frame.clock_rate, shown),
                keyframe=frame.keyframe,
            )
        )
        if taken:
            self._broken.discard(key)
        else:
            self._broken.add(key)
            self.dropped += 1

    def _write(self) -> None:
        """Run on the writer's thread until the channel is closed."""
        try:
            try:
                self._write_all()
            finally:
                for file in self._files.values():
                    file.close()
            self._write_sidecar(ended=True)
        except OSError as error:
            self._give_up(error)

    def _write_all(self) -> None:
        synced = told = self._clock.monotonic()
        self._write_sidecar()
        while True:
            try:
                frame = self._channel.take(_TAKE_SECONDS)
            except ChannelClosedError:
                return
            if frame is not None:
                self._file(frame.file).put(frame)
            now = self._clock.monotonic()
            if now - synced >= _SYNC_SECONDS:
                synced = now
                for file in self._files.values():
                    file.flush()
                    file.sync()
            if now - told >= _SIDECAR_SECONDS:
                told = now
                self._write_sidecar()

    def _file(self, name: str) -> TrackFile:
        if name not in self._files:
            path = self._folder / track_file_name(name, self._number)
            self._files[name] = TrackFile(path)
        return self._files[name]

    def _write_sidecar(self, *, ended: bool = False) -> None:
        timeline = self._timeline
        content = {
            "broadcast": self._number,
            "start_wall": timeline.start_wall if timeline else None,
            "fps": timeline.fps if timeline else None,
            "ended": ended,
            "dropped": self.dropped,
            "files": [file.told() for file in self._files.values()],
        }
        _replace(self._folder / sidecar_name(self._number), json.dumps(content, indent=1))

    def _give_up(self, error: Exception) -> None:
        """End the isolated tracks; the files up to here can be read. Writer thread."""
        self._channel.close()
        logger.warning("the isolated tracks have ended: %s", error)


@dataclass(frozen=True, slots=True)
class _Tap:
    """Says whose frames these are."""

    recorder: IsolatedRecorder
    side: str

    def take(self, track: str, frame: EncodedFrame, due: float) -> None:
        self.recorder.take(self.side, track, frame, due)


def _replace(path: Path, text: str) -> None:
    """Write as a whole: a reader sees the old content or the new."""
    draft = path.with_suffix(".draft")
    with draft.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fdatasync(file.fileno())
    draft.replace(path)
