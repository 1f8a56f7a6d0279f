"""Builders for tests of the server: a described programme, and parts that look like parts."""

import struct
import sys
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from aiohttp import web

from bridge.protocol.upload import ProgrammeDescription, RenditionDescription
from bridge.server.app import PARTS, Parts, connections, create_app
from bridge.server.listening import Listening
from bridge.server.origin.window import MediaWindow
from bridge.settings import Settings

START_WALL = 1_763_900_000.0
SESSION = "aaaaaaaa"
NEXT_SESSION = "bbbbbbbb"


SOURCE = RenditionDescription(
    name="source",
    codecs="avc1.64001f,mp4a.40.2",
    bandwidth=6_200_000,
    average_bandwidth=4_200_000,
    width=1280,
    height=720,
)
SMALL = RenditionDescription(
    name="360p",
    codecs="avc1.64001e,mp4a.40.2",
    bandwidth=1_300_000,
    average_bandwidth=900_000,
    width=640,
    height=360,
)
SOUND = RenditionDescription(
    name="audio", codecs="mp4a.40.2", bandwidth=160_000, average_bandwidth=150_000
)
LADDER = (SOURCE, SMALL, SOUND)


def description(
    *,
    part_frames: int = 12,
    segment_frames: int = 60,
    fps: int = 30,
    start_wall: float = START_WALL,
    renditions: tuple[RenditionDescription, ...] = (SOURCE,),
) -> ProgrammeDescription:
    """What the broadcast says of the usual programme: parts of 0.4 s, segments of 2 s."""
    return ProgrammeDescription(
        fps=fps,
        part_frames=part_frames,
        segment_frames=segment_frames,
        start_wall=start_wall,
        renditions=renditions,
    )


def box(kind: str, payload: bytes = b"") -> bytes:
    """One ISO box."""
    return struct.pack(">I4s", 8 + len(payload), kind.encode()) + payload


def init_bytes(mark: int = 0) -> bytes:
    """An init section that is whole, and tells whose it is."""
    return box("ftyp") + box("moov", bytes([mark]) * 4)


def part_bytes(number: int, mark: bytes = b"s") -> bytes:
    """A part that is whole, and tells which it is."""
    mfhd = box("mfhd", struct.pack(">II", 0, number + 1))
    return box("moof", mfhd) + box("mdat", mark * 16)


def init_set(described: ProgrammeDescription) -> tuple[bytes, ...]:
    """An init section for each rendition."""
    return tuple(init_bytes(mark) for mark in range(len(described.renditions)))


def part_set(number: int, described: ProgrammeDescription) -> tuple[bytes, ...]:
    """A part in each rendition."""
    return tuple(part_bytes(number, one.name[:1].encode()) for one in described.renditions)


def window(*, first_msn: int = 100, listed: int = 10) -> MediaWindow:
    """A window with a session that expects parts."""
    made = MediaWindow(first_msn, listed)
    begin(made, SESSION)
    return made


def begin(made: MediaWindow, session: str, described: ProgrammeDescription | None = None) -> None:
    """Open a session with its init sections."""
    described = described or description()
    made.open_session(session, described)
    made.put_init(session, init_set(described))


def feed(made: MediaWindow, numbers: range, session: str = SESSION) -> None:
    """Put parts in."""
    described = made.session(session).description
    for number in numbers:
        made.put_part(session, number, part_set(number, described))


PART = Fraction(2, 5)

DEBATE: dict[str, Any] = {
    "motion": "This house would rather be watched than read",
    "proposition": "Ada Lovelace",
    "opposition": "Éloïse Ångström",
}

_STAND_IN = """
import os, pathlib, signal, sys
folder = pathlib.Path({folder!r})
(folder / ("waiting-%d" % os.getpid())).touch()
if {stubborn}:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
line = sys.stdin.readline()
if not line:
    sys.exit(0)
new = folder / ("new-%d" % os.getpid())
new.write_text(line)
new.rename(folder / ("told-%d.json" % os.getpid()))
(folder / ("environment-%d" % os.getpid())).write_text(repr((sys.argv, dict(os.environ))))
if {dies}:
    sys.exit(3)
while {stubborn} or sys.stdin.readline():
    signal.pause() if {stubborn} else None
(folder / ("ended-%d" % os.getpid())).touch()
"""


def stand_in(folder: Path, *, dies: bool = False, stubborn: bool = False) -> tuple[str, ...]:
    """Command of a broadcast that only notes in `folder` what it is told, and when it ends."""
    folder.mkdir(exist_ok=True)
    script = _STAND_IN.format(folder=str(folder), dies=dies, stubborn=stubborn)
    return (sys.executable, "-c", script)


class Server:
    """The whole server on a real socket, with stand-ins for broadcasts."""

    def __init__(self, data: Path, command: Sequence[str], **settings: object) -> None:
        self.settings = Settings.model_validate({"data_dir": data, "port": 0, **settings})
        self.app: web.Application = create_app(self.settings, command=command)
        self._runner = web.AppRunner(self.app, shutdown_timeout=1)
        self._listening: Listening | None = None

    async def __aenter__(self) -> "Server":
        await self._runner.setup()
        self._listening = Listening(connections(self._runner, self.parts.lane))
        await self._listening.open(self.settings, None, self.parts.addresses)
        self.parts.debates.server_url = self.url
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._listening is not None:
            await self._listening.close()
        await self._runner.cleanup()

    @property
    def url(self) -> str:
        """Where it listens."""
        return self.parts.addresses.local

    @property
    def parts(self) -> Parts:
        """What it is made of."""
        return self.app[PARTS]
