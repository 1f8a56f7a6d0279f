"""Builders for tests of the server: a described programme, and parts that look like parts."""

import struct
import sys
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

from aiohttp import web
from aiohttp.test_utils import TestServer

from bridge.protocol.upload import ProgrammeDescription
from bridge.server.app import PARTS, Parts, create_app
from bridge.server.origin.window import MediaWindow
from bridge.settings import Settings

START_WALL = 1_763_900_000.0
SESSION = "aaaaaaaa"
NEXT_SESSION = "bbbbbbbb"


def description(*, part_frames: int = 12, segment_frames: int = 60, fps: int = 30):
    """What the broadcast says of the usual programme: parts of 0.4 s, segments of 2 s."""
    return ProgrammeDescription(
        width=1280,
        height=720,
        fps=fps,
        part_frames=part_frames,
        segment_frames=segment_frames,
        codecs="avc1.64001f,mp4a.40.2",
        bandwidth=6_200_000,
        average_bandwidth=4_200_000,
        start_wall=START_WALL,
    )


def box(kind: str, payload: bytes = b"") -> bytes:
    """One ISO box."""
    return struct.pack(">I4s", 8 + len(payload), kind.encode()) + payload


def init_bytes(mark: int = 0) -> bytes:
    """An init section that is whole, and tells whose it is."""
    return box("ftyp") + box("moov", bytes([mark]) * 4)


def part_bytes(number: int) -> bytes:
    """A part that is whole, and tells which it is."""
    return box("moof", struct.pack(">I", number)) + box("mdat", b"m" * 16)


def window(*, first_msn: int = 100, listed: int = 10) -> MediaWindow:
    """A window with a session that expects parts."""
    made = MediaWindow(first_msn, listed)
    begin(made, SESSION)
    return made


def begin(made: MediaWindow, session: str, described: ProgrammeDescription | None = None) -> None:
    """Open a session with its init section."""
    made.open_session(session, described or description())
    made.put_init(session, init_bytes())


def feed(made: MediaWindow, numbers: range, session: str = SESSION) -> None:
    """Put parts in."""
    for number in numbers:
        made.put_part(session, number, part_bytes(number))


PART = Fraction(2, 5)

DEBATE = {
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
        self._server = TestServer(self.app)

    async def __aenter__(self) -> "Server":
        await self._server.start_server()
        self.parts.debates.server_url = self.url
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._server.close()

    @property
    def url(self) -> str:
        """Where it listens."""
        return str(self._server.make_url("")).rstrip("/")

    @property
    def parts(self) -> Parts:
        """What it is made of."""
        return self.app[PARTS]
