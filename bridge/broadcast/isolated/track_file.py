"""One growing Matroska file of one debater. Writer thread only."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bridge.aiortc_inside.media import H264, VP8
from bridge.broadcast.isolated import matroska
from bridge.broadcast.isolated.picture_size import sps_size, vp8_size
from bridge.broadcast.media.nal import configuration_record, length_prefixed, units_of

_MOST_HELD: Final = 256 * 1024
"""Bytes of a cluster; a larger one is written before its time."""
_MOST_NOTES: Final = 1000
"""Holes and sizes kept of a track: the sidecar stays small whatever the network does."""
_HOLE: Final = {True: 0.5, False: 0.1}
"""Seconds without a picture, or without sound, that are worth telling."""
_SPS: Final = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class IsolatedFrame:
    """A frame with its place."""

    file: str
    """Name without number and suffix."""
    track: str
    codec: str
    data: bytes
    time: float
    """Seconds of the programme."""
    keyframe: bool


@dataclass(slots=True)
class _Track:
    """What is known of a track."""

    entry: matroska.Track
    name: str
    codec: str
    first: float
    last: float
    sizes: list[tuple[float, int, int]] = field(default_factory=list)
    holes: list[tuple[float, float]] = field(default_factory=list)

    def note(self, time: float, size: tuple[int, int] | None) -> None:
        if time - self.last > _HOLE[self.entry.size is not None] and len(self.holes) < _MOST_NOTES:
            self.holes.append((round(self.last, 4), round(time, 4)))
        self.last = time
        known = self.sizes[-1][1:] if self.sizes else None
        if size is not None and size != known and len(self.sizes) < _MOST_NOTES:
            self.sizes.append((round(time, 4), *size))

    def told(self) -> dict[str, object]:
        return {
            "number": self.entry.number,
            "track": self.name,
            "codec": self.codec,
            "first": round(self.first, 4),
            "last": round(self.last, 4),
            "sizes": [{"from": at, "width": w, "height": h} for at, w, h in self.sizes],
            "holes": [{"from": begin, "to": end} for begin, end in self.holes],
        }


class TrackFile:
    """Appends frames as whole clusters. Raises OSError when the disk does not take them.

    A track begins with a keyframe; one whose codec changes goes on as another track.
    """

    def __init__(self, path: Path) -> None:
        self.name = path.name
        self._tracks: dict[tuple[str, str], _Track] = {}
        self._blocks: list[bytes] = []
        self._held = 0
        self._cluster = 0
        # Exclusive: two broadcasts of one debate must never write into each other's file.
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        self._tracks_at = len(matroska.head())
        self._append(matroska.head() + matroska.tracks([]))

    def put(self, frame: IsolatedFrame) -> None:
        """Append a frame; frames of a track that has not begun are left out until a keyframe."""
        size = _size(frame) if frame.keyframe else None
        track = self._tracks.get((frame.track, frame.codec)) or self._begin(frame, size)
        if track is None:
            return
        track.note(frame.time, size)
        ticks = matroska.in_ticks(frame.time)
        if self._blocks and (
            abs(ticks - self._cluster) >= matroska.CLUSTER_TICKS or self._held > _MOST_HELD
        ):
            self.flush()
        if not self._blocks:
            self._cluster = ticks
        data = length_prefixed(frame.data) if frame.codec == H264 else frame.data
        offset = ticks - self._cluster
        self._blocks.append(
            matroska.block(track.entry.number, offset, data, keyframe=frame.keyframe)
        )
        self._held += len(data)

    def flush(self) -> None:
        """Write what is held as a cluster."""
        blocks, self._blocks, self._held = self._blocks, [], 0
        if blocks:
            self._append(matroska.cluster(self._cluster, blocks))

    def sync(self) -> None:
        """Have the disk keep what was written."""
        os.fdatasync(self._file)

    def close(self) -> None:
        """Write the rest and close. Call once."""
        try:
            self.flush()
            self.sync()
        finally:
            os.close(self._file)

    def told(self) -> dict[str, object]:
        """Return what the sidecar tells of this file."""
        return {"file": self.name, "tracks": [track.told() for track in self._tracks.values()]}

    def _begin(self, frame: IsolatedFrame, size: tuple[int, int] | None) -> _Track | None:
        entry = _entry(frame, len(self._tracks) + 1, size)
        if entry is None:
            return None
        track = _Track(entry, frame.track, frame.codec, frame.time, frame.time)
        self._tracks[frame.track, frame.codec] = track
        field_of_tracks = matroska.tracks([one.entry for one in self._tracks.values()])
        # In one call, and before its first block: a reader never meets a track it does not know.
        os.pwrite(self._file, field_of_tracks, self._tracks_at)
        return track

    def _append(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(self._file, rest) :]


def _size(frame: IsolatedFrame) -> tuple[int, int] | None:
    """Of a keyframe of a picture, if it tells."""
    if frame.codec == VP8:
        return vp8_size(frame.data)
    if frame.codec == H264:
        for unit in units_of(frame.data):
            if unit[0] & 0x1F == _SPS:
                try:
                    return sps_size(unit)
                except ValueError:
                    return None  # It came from outside; a later keyframe may be whole.
    return None


def _entry(
    frame: IsolatedFrame, number: int, size: tuple[int, int] | None
) -> matroska.Track | None:
    """How the track is told of; None when this frame cannot be its first."""
    if frame.codec not in {VP8, H264}:
        private = matroska.opus_head()
        return matroska.Track(number=number, name=frame.track, codec="A_OPUS", private=private)
    if not frame.keyframe or size is None:
        return None
    if frame.codec == VP8:
        return matroska.Track(number=number, name=frame.track, codec="V_VP8", size=size)
    private = configuration_record(frame.data)
    if not private:
        return None
    return matroska.Track(
        number=number, name=frame.track, codec="V_MPEG4/ISO/AVC", private=private, size=size
    )
