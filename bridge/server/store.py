"""Rooms on disk: SQLite through SQLAlchemy. The only module that knows the database."""

from dataclasses import replace
from pathlib import Path

from sqlalchemy import URL, Connection, ForeignKey, String, event, false, inspect, select, text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import AsyncEngine, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship
from sqlalchemy.pool import ConnectionPoolEntry

from bridge.errors import NotFoundError
from bridge.rooms.model import Destination, Phase, Room
from bridge.server.secrets import Vault


class _Base(DeclarativeBase):
    pass


class _DestinationRow(_Base):
    __tablename__ = "destinations"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    room_id: Mapped[str] = mapped_column(ForeignKey("rooms.id"), index=True)
    place: Mapped[int]
    sealed_url: Mapped[str]


class _RoomRow(_Base):
    __tablename__ = "rooms"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    motion: Mapped[str]
    proposition: Mapped[str]
    opposition: Mapped[str]
    phase: Mapped[str] = mapped_column(String(16), index=True)
    created_at: Mapped[float]
    started_at: Mapped[float | None]
    ended_at: Mapped[float | None]
    isolated: Mapped[bool] = mapped_column(server_default=false())
    destinations: Mapped[list[_DestinationRow]] = relationship(
        order_by=_DestinationRow.place, lazy="selectin", cascade="all, delete-orphan"
    )


class Store:
    """Keeps rooms. Loop-side; the database works on a thread of its own."""

    def __init__(self, path: Path, vault: Vault) -> None:
        self._vault = vault
        self._engine: AsyncEngine = create_async_engine(
            # Not as text: a path may have signs that mean something in a URL.
            URL.create("sqlite+aiosqlite", database=str(path))
        )
        self._sessions = async_sessionmaker(self._engine, expire_on_commit=False)
        event.listen(self._engine.sync_engine, "connect", _prepare_connection)

    async def start(self) -> None:
        """Make the tables where there are none, and what older ones lack."""
        async with self._engine.begin() as connection:
            await connection.run_sync(_Base.metadata.create_all)
            await connection.run_sync(_add_missing_columns)

    async def stop(self) -> None:
        """Close the database."""
        await self._engine.dispose()

    async def add(self, room: Room) -> None:
        """Keep a new room."""
        row = _RoomRow(
            id=room.id,
            motion=room.motion,
            proposition=room.proposition,
            opposition=room.opposition,
            phase=room.phase.value,
            created_at=room.created_at,
            isolated=room.isolated,
            destinations=[
                _DestinationRow(id=item.id, place=place, sealed_url=self._vault.seal(item.url))
                for place, item in enumerate(room.destinations)
            ],
        )
        async with self._sessions.begin() as session:
            session.add(row)

    async def add_destination(self, room_id: str, destination: Destination, *, place: int) -> None:
        """Keep one more destination of a room."""
        row = _DestinationRow(
            id=destination.id,
            room_id=room_id,
            place=place,
            sealed_url=self._vault.seal(destination.url),
        )
        async with self._sessions.begin() as session:
            session.add(row)

    async def remove_destination(self, destination: str) -> None:
        """Forget a destination; nothing happens when there is none."""
        async with self._sessions.begin() as session:
            row = await session.get(_DestinationRow, destination)
            if row is not None:
                await session.delete(row)

    async def find(self, room_id: str) -> Room:
        """Return a room. Raises NotFoundError."""
        async with self._sessions() as session:
            row = await session.get(_RoomRow, room_id)
        if row is None:
            message = "There is no such debate. Check the link."
            raise NotFoundError(message)
        return self._room(row)

    async def in_phase(self, phase: Phase) -> list[Room]:
        """Return all rooms of a phase, oldest first."""
        query = select(_RoomRow).where(_RoomRow.phase == phase.value).order_by(_RoomRow.created_at)
        async with self._sessions() as session:
            return [self._room(row) for row in await session.scalars(query)]

    async def step(self, room_id: str, phase: Phase, at: float) -> Room:
        """Take a room on to `phase`. Raises NotFoundError, ConflictError."""
        async with self._sessions.begin() as session:
            row = await session.get(_RoomRow, room_id)
            if row is None:
                message = "There is no such debate. Check the link."
                raise NotFoundError(message)
            room = self._room(row)
            room.check_step(phase)
            row.phase = phase.value
            if phase is Phase.LIVE:
                row.started_at = at
                return replace(room, phase=phase, started_at=at)
            row.ended_at = at
            return replace(room, phase=phase, ended_at=at)

    def _room(self, row: _RoomRow) -> Room:
        return Room(
            id=row.id,
            motion=row.motion,
            proposition=row.proposition,
            opposition=row.opposition,
            phase=Phase(row.phase),
            created_at=row.created_at,
            started_at=row.started_at,
            ended_at=row.ended_at,
            isolated=row.isolated,
            destinations=tuple(
                Destination(item.id, self._vault.open(item.sealed_url)) for item in row.destinations
            ),
        )


def _add_missing_columns(connection: Connection) -> None:
    """Bring a database of an earlier version up to this one; what it holds stays."""
    if "isolated" not in {column["name"] for column in inspect(connection).get_columns("rooms")}:
        connection.execute(text("ALTER TABLE rooms ADD COLUMN isolated BOOLEAN NOT NULL DEFAULT 0"))


def _prepare_connection(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    cursor = connection.cursor()
    # Write-ahead: a reader never waits for a writer, and a crash loses no finished transaction.
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()
