"""What broadcasts leave in a recording's folder, and judges of what became of it."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import imageio_ffmpeg
import numpy as np

from bridge.broadcast.outputs import fmp4
from bridge.broadcast.outputs.packager import Packager
from bridge.protocol.events import EventKind, RecordedEvent, events_file_name
from bridge.rooms.model import Room, Side
from bridge.server.recordings import finisher, journal
from bridge.server.recordings.journal import Journal
from tests import media

ROOM = Room(id="room1", motion="Cars should go", proposition="A", opposition="B", created_at=0.0)
BINARIES = ["ffmpeg", str(imageio_ffmpeg.get_ffmpeg_exe())]
"""Debian's, and a much newer one."""

Picture = tuple[Fraction, np.ndarray]
"""When it is shown, and its planes."""


def recorded(
    seconds: float, *, begin: float = 0, hole: tuple[float, float] | None = None, fps: int = 30
) -> bytes:
    """The bytes that a recorder writes from `begin` on, with nothing in `hole`."""
    parameters, packets = media.encode_programme(seconds, fps, 2 * fps)
    before, after = (0.0, 0.0) if hole is None else hole
    stretches = [
        [packet for packet in packets if begin - 0.025 <= packet.time < before],
        [packet for packet in packets if max(begin - 0.025, after) <= packet.time],
    ]
    data = fmp4.init_segment(parameters)
    for stretch in stretches:
        packager = Packager(media.grid(fps, 2 * fps // 5, 2 * fps))
        parts = [part for packet in stretch for part in packager.put(packet)] + packager.flush()
        data += b"".join(part.data for part in parts)
    return data


def write_part(folder: Path, number: int, data: bytes) -> Path:
    path = folder / f"programme-{number}.part.mp4"
    path.write_bytes(data)
    return path


def write_log(folder: Path, number: int, *events: tuple[float, EventKind, str]) -> None:
    lines = [
        RecordedEvent(at=at, wall=1.0, kind=kind, text=text).model_dump_json()
        for at, kind, text in events
    ]
    (folder / events_file_name(number)).write_text("\n".join(lines) + "\n", "utf-8")


def write_journal(folder: Path) -> None:
    names = {side: ROOM.name(side) for side in Side}
    entry = Journal(id="a" * 26, room=ROOM.id, motion=ROOM.motion, names=names, started_at=0.0)
    journal.save(folder, entry)


def ignore_progress(_done: float) -> None:
    """Of a finisher whose progress is not what is tested."""


async def finish(folder: Path) -> float:
    return await finisher.finish(folder, "ffmpeg", on_progress=ignore_progress)


def inodes(folder: Path) -> dict[str, int]:
    """Every file's name and which file it is: one that is made again is another."""
    return {path.name: path.stat().st_ino for path in folder.iterdir()}


def pictures(path: Path) -> list[Picture]:
    """All pictures of a file, decoded."""
    found = []
    with av.open(str(path)) as container:
        base = container.streams.video[0].time_base
        for frame in container.decode(video=0):
            assert frame.pts is not None
            assert base is not None
            found.append((frame.pts * base, frame.to_ndarray().astype(np.int16)))
    return found


def difference(one: np.ndarray, other: np.ndarray) -> float:
    """Mean difference of two pictures, in steps of 8 bits."""
    return float(np.abs(one - other).mean())


def samples(path: Path, kind: str) -> list[bytes]:
    """The coded samples of a track, byte for byte."""
    with av.open(str(path)) as container:
        stream = next(stream for stream in container.streams if stream.type == kind)
        return [bytes(packet) for packet in container.demux(stream) if packet.size]


def chapter_titles(path: Path) -> list[tuple[float, str]]:
    """Where the chapters that ffprobe sees begin, and what they are called."""
    chapters: Sequence[dict] = media.probe(path, "-show_chapters")["chapters"]
    return [(float(chapter["start_time"]), chapter["tags"]["title"]) for chapter in chapters]
