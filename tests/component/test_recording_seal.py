"""A recording that was altered is found out, and from which second on."""

import asyncio
import json
import shutil
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from typer.testing import CliRunner

from bridge.broadcast.media.packets import EncodedPacket
from bridge.broadcast.outputs import fmp4
from bridge.broadcast.outputs.packager import Packager
from bridge.broadcast.outputs.part_file import PartFile
from bridge.cli import cli
from bridge.errors import InputError
from bridge.protocol.samples import file_extents
from bridge.server.recordings import finisher
from bridge.server.recordings.ffmpeg import find_ffmpeg
from bridge.server.recordings.journal import Journal
from bridge.server.recordings.manifest import Manifest
from bridge.server.recordings.seal import seal
from bridge.server.recordings.verify import verify
from tests import media

KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
ENTRY = Journal(
    id="a" * 26, room="room1", motion="Cars", names={}, started_at=1_700_000_000.0
)  # fmt: skip


def record(folder: Path, number: int, packets: tuple[EncodedPacket, ...], init: bytes) -> None:
    packager = Packager(media.grid())
    with PartFile(folder, number, init) as file:
        for packet in packets:
            parts = packager.put(packet)
            event = [b'{"at": 1, "wall": 0, "kind": "marker"}\n']
            if parts:
                file.write([part.data for part in parts], event)
        file.write([part.data for part in packager.flush()], [])


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording of two parts, finished and sealed, with its parts still there."""
    folder = tmp_path_factory.mktemp("recording")
    parameters, packets = media.encode_programme(6)
    for number in (1, 2):
        record(folder, number, packets, fmp4.init_segment(parameters))
    asyncio.run(finisher.finish(folder, find_ffmpeg(None), on_progress=lambda _done: None))
    seal(folder, ENTRY, KEY)
    return folder


@pytest.fixture
def folder(recorded: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(recorded, tmp_path / "copy"))


def alter(path: Path, offset: int) -> None:
    data = bytearray(path.read_bytes())
    data[offset] ^= 1
    path.write_bytes(data)


def test_a_recording_that_nobody_touched_is_unaltered(folder: Path) -> None:
    finding = verify(folder / "programme.mp4")
    assert finding.unaltered, finding.words
    known = Manifest.load(folder / "manifest.json")
    assert [part.chain_whole for part in known.seal.parts] == [True, True]
    assert sum(len(part.fragments) for part in known.seal.parts) == 30
    assert verify(folder / "programme.mp4", signer=known.fingerprint).unaltered
    assert not verify(folder / "programme.mp4", signer="0000").unaltered


@pytest.mark.parametrize(("kind", "second"), [("vide", 0), ("vide", 7), ("soun", 10)])
def test_one_bit_of_a_picture_or_of_sound_is_found(folder: Path, kind: str, second: int) -> None:
    film = folder / "programme.mp4"
    samples = file_extents(film)[kind]
    offset, _ = samples[len(samples) * second // 12]
    alter(film, offset + 20)
    finding = verify(film)
    assert not finding.unaltered
    found = next(word for word in finding.words.split() if word.startswith("0:"))
    minutes, seconds = (int(field) for field in found.split(":")[1:])
    assert second - 1 <= minutes * 60 + seconds <= second


def test_a_film_that_was_cut_is_found(folder: Path) -> None:
    film = folder / "programme.mp4"
    film.write_bytes(film.read_bytes()[:-1000])
    assert not verify(film).unaltered


def test_a_manifest_that_was_altered_is_found(folder: Path) -> None:
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["seal"]["motion"] = "Bicycles"
    path.write_text(json.dumps(manifest))
    finding = verify(folder / "programme.mp4")
    assert not finding.unaltered
    assert "signature" in finding.words


def test_a_part_that_was_altered_before_the_end_is_found(folder: Path) -> None:
    part = folder / "programme-1.part.mp4"
    alter(part, part.stat().st_size // 2)
    seal(folder, ENTRY, KEY)
    finding = verify(folder / "programme.mp4")
    assert not finding.unaltered
    assert "parts [1]" in finding.words


def test_an_event_that_was_altered_before_the_end_is_found(folder: Path) -> None:
    alter(folder / "events-2.jsonl", 7)
    seal(folder, ENTRY, KEY)
    assert "parts [2]" in verify(folder / "programme.mp4").words


@pytest.mark.parametrize("left", [None, 3])
def test_a_chain_that_was_cut_off_hides_nothing(folder: Path, left: int | None) -> None:
    part, chain = folder / "programme-1.part.mp4", folder / "chain-1.jsonl"
    alter(part, part.stat().st_size // 2)
    if left is None:
        chain.unlink()
    else:
        chain.write_bytes(b"".join(chain.read_bytes().splitlines(keepends=True)[:left]))
    seal(folder, ENTRY, KEY)
    assert "parts [1]" in verify(folder / "programme.mp4").words


def test_events_that_were_added_are_found(folder: Path) -> None:
    with (folder / "events-1.jsonl").open("ab") as log:
        log.write(b'{"at": 1, "wall": 0, "kind": "marker"}\n' * 2)
    seal(folder, ENTRY, KEY)
    assert not verify(folder / "programme.mp4").unaltered


def test_what_a_crash_parted_at_the_end_is_no_alteration(folder: Path) -> None:
    chain = folder / "chain-1.jsonl"
    lines = chain.read_bytes().splitlines(keepends=True)
    chain.write_bytes(b"".join(lines[:-1]) + lines[-1][:20])
    seal(folder, ENTRY, KEY)
    assert verify(folder / "programme.mp4").unaltered


def test_another_sealed_file_under_its_name_is_found(folder: Path) -> None:
    (folder / "proposition-1.mkv").write_bytes(b"a track")
    seal(folder, ENTRY, KEY)
    assert verify(folder / "proposition-1.mkv").unaltered
    shutil.copy(folder / "proposition-1.mkv", folder / "programme.mp4")
    assert not verify(folder / "programme.mp4").unaltered


def test_another_signer_is_told(folder: Path) -> None:
    other = Ed25519PrivateKey.from_private_bytes(bytes(31) + b"\x01")
    before = verify(folder / "programme.mp4").signer
    seal(folder, ENTRY, other)
    finding = verify(folder / "programme.mp4", signer=before)
    assert not finding.unaltered
    assert before in finding.words


def test_what_is_no_recording_cannot_be_compared(tmp_path: Path) -> None:
    film = tmp_path / "film.mp4"
    with pytest.raises(InputError):
        verify(film)
    film.write_bytes(b"")
    with pytest.raises(InputError):
        verify(film)


def test_the_command_says_it_and_exits_with_it(folder: Path) -> None:
    film = folder / "programme.mp4"
    good = CliRunner().invoke(cli, ["verify", str(film)])
    assert (good.exit_code, "unaltered" in good.output) == (0, True)
    alter(film, film.stat().st_size - 1000)
    bad = CliRunner().invoke(cli, ["verify", str(film)])
    assert (bad.exit_code, "altered" in bad.output) == (1, True)
