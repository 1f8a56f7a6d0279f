"""A database of an earlier version."""

import sqlite3
from pathlib import Path

import pytest

from bridge.rooms.model import Room
from bridge.server.secrets import InstallationKey, Vault
from bridge.server.store import Store


def room(room_id: str, *, isolated: bool) -> Room:
    return Room(
        id=room_id, motion="m", proposition="Ada", opposition="Ben", created_at=1.0,
        isolated=isolated,
    )  # fmt: skip


@pytest.mark.parametrize("isolated", [False, True])
async def test_the_option_is_kept(tmp_path: Path, isolated: bool) -> None:
    store = Store(tmp_path / "rooms.sqlite3", Vault(InstallationKey.load(tmp_path)))
    await store.start()
    await store.add(room("bcd", isolated=isolated))

    assert (await store.find("bcd")).isolated is isolated
    await store.stop()


async def test_rooms_of_an_older_database_have_no_isolated_tracks(tmp_path: Path) -> None:
    path, vault = tmp_path / "rooms.sqlite3", Vault(InstallationKey.load(tmp_path))
    store = Store(path, vault)
    await store.start()
    await store.add(room("bcd", isolated=False))
    await store.stop()
    database = sqlite3.connect(path)
    database.execute("ALTER TABLE rooms DROP COLUMN isolated")
    database.commit()
    database.close()

    store = Store(path, vault)
    await store.start()
    assert not (await store.find("bcd")).isolated
    await store.add(room("fgh", isolated=True))
    assert (await store.find("fgh")).isolated
    await store.stop()
