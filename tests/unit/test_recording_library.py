"""Opening, listing and finding recordings: files, but no ffmpeg."""

from pathlib import Path

import pytest

from bridge.clock import FakeClock
from bridge.errors import NotFoundError
from bridge.rooms.model import Room, Side
from bridge.server.recordings.ffmpeg import find_ffmpeg
from bridge.server.recordings.journal import JOURNAL_FILE, load
from bridge.server.recordings.library import RecordingLibrary
from bridge.server.recordings.model import (
    Access,
    RecordingEntry,
    RecordingFile,
    RecordingState,
    download_name,
)


def _room(name: str = "room1", motion: str = "Cars should go") -> Room:
    return Room(id=name, motion=motion, proposition="Ada", opposition="Ben", created_at=0.0)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def library(tmp_path: Path, clock: FakeClock) -> RecordingLibrary:
    return RecordingLibrary(tmp_path / "programmes", ffmpeg=None, clock=clock)


def test_a_new_recording_has_a_folder_a_journal_and_an_entry(
    library: RecordingLibrary, clock: FakeClock
) -> None:
    folder = library.open(_room())
    (entry,) = library.entries()
    assert folder.name == entry.id
    assert len(entry.id) == 26
    assert entry.motion == "Cars should go"
    assert entry.names == {Side.PROPOSITION: "Ada", Side.OPPOSITION: "Ben"}
    assert entry.started_at == clock.wall()
    assert (entry.state, entry.duration, entry.files) == (RecordingState.RECORDING, None, ())
    assert load(folder).room == "room1"
    assert folder.stat().st_mode & 0o077 == 0


def test_a_broadcast_that_starts_again_goes_on_with_the_next_number(
    library: RecordingLibrary,
) -> None:
    folder = library.open(_room())
    assert library.next_number(folder) == 1
    (folder / "programme-1.part.mp4").touch()
    (folder / "programme-10.part.mp4").touch()
    (folder / "programme-11.part.mp4.bak").touch()
    assert library.open(_room()) == folder
    assert library.next_number(folder) == 11
    assert library.open(_room("room2")) != folder


def test_entries_are_newest_first(library: RecordingLibrary, clock: FakeClock) -> None:
    library.open(_room("room1"))
    clock.advance(60)
    library.open(_room("room2"))
    assert [entry.room for entry in library.entries()] == ["room2", "room1"]


@pytest.mark.parametrize(
    "name",
    ["programme.mp4", "programme-1.part.mp4", JOURNAL_FILE, "..", "../x", "", "/etc/passwd"],
)
def test_only_listed_files_are_found(library: RecordingLibrary, name: str) -> None:
    folder = library.open(_room())
    (folder / "programme-1.part.mp4").write_bytes(b"growing")
    with pytest.raises(NotFoundError):
        library.find(folder.name, name)


@pytest.mark.parametrize("recording", ["..", "", ".", "nothere", "../programmes"])
def test_only_listed_recordings_are_found(library: RecordingLibrary, recording: str) -> None:
    library.open(_room())
    with pytest.raises(NotFoundError):
        library.find(recording, "programme.mp4")


async def test_an_empty_recording_fails_in_plain_words(library: RecordingLibrary) -> None:
    await library.start()
    folder = library.open(_room())
    library.finish("room1")
    assert library.entries()[0].state is RecordingState.FINISHING
    await library.wait_idle()
    (entry,) = library.entries()
    assert (entry.state, entry.reason) == (RecordingState.FAILED, "Nothing was recorded.")
    assert load(folder).state is RecordingState.FAILED
    assert library.open(_room()) != folder
    await library.stop()
    await library.stop()


async def test_a_folder_without_a_journal_is_left_alone(
    library: RecordingLibrary, tmp_path: Path
) -> None:
    stranger = tmp_path / "programmes" / "mine"
    stranger.mkdir(parents=True)
    (stranger / "programme-1.part.mp4").write_bytes(b"somebody's")
    (stranger / JOURNAL_FILE).write_text("{}")
    await library.start()
    await library.wait_idle()
    assert library.entries() == []
    assert (stranger / "programme-1.part.mp4").read_bytes() == b"somebody's"
    await library.stop()


async def test_a_debate_that_goes_on_after_a_restart_keeps_its_recording_open(
    library: RecordingLibrary, clock: FakeClock, tmp_path: Path
) -> None:
    going_on, over = library.open(_room("room1")), library.open(_room("room2"))
    again = RecordingLibrary(tmp_path / "programmes", ffmpeg=None, clock=clock)
    await again.start(on_air={"room1"})
    await again.wait_idle()
    states = {entry.id: entry.state for entry in again.entries()}
    assert states == {
        going_on.name: RecordingState.RECORDING,
        over.name: RecordingState.FAILED,
    }
    assert again.open(_room("room1")) == going_on
    await again.stop()


@pytest.mark.parametrize(
    ("motion", "file", "name"),
    [
        ("This House would ban cars!", "programme.mp4", "this-house-would-ban-cars-2023-11-14.mp4"),
        ("Été : à bas l'école ?", "programme.mp4", "ete-a-bas-l-ecole-2023-11-14.mp4"),
        ("汽车", "programme.mp4", "debate-2023-11-14.mp4"),
        ("Cars", "programme-2.part.mp4", "cars-2023-11-14-part-2.mp4"),
        ('a"\r\nSet-Cookie: x', "programme.mp4", "a-set-cookie-x-2023-11-14.mp4"),
    ],
)
def test_download_names(motion: str, file: str, name: str) -> None:
    entry = RecordingEntry(
        id="x",
        room="room1",
        motion="",
        title=motion,
        access=Access.PUBLIC,
        names={},
        started_at=1_700_000_000.0,
        duration=None,
        state=RecordingState.READY,
        progress=None,
        reason="",
        files=(),
        chapters=(),
    )
    listed = RecordingFile(kind="programme", name=file, path=Path(file), bytes=1)
    assert download_name(entry, listed) == name


def test_a_configured_ffmpeg_is_never_replaced_by_another(tmp_path: Path) -> None:
    assert find_ffmpeg(tmp_path / "missing") is None
    tool = tmp_path / "ffmpeg"
    tool.touch(mode=0o755)
    assert find_ffmpeg(tool) == str(tool)
    assert find_ffmpeg(None) is not None
