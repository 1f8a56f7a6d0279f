"""Headless debaters against a small room server: signalling, P2P, the bridge leg, endings."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import pytest
import pytest_asyncio

from bridge.aiortc_inside.sending import Received
from bridge.debater.debater import Debater, Pattern
from bridge.errors import ConflictError, InputError, TokenError
from tests.debater_room import ROOM, BridgeStandIn, SmallRoom
from tests.helpers import until


def has_come(received: Received, frames: int) -> bool:
    return received.frames > frames


@pytest_asyncio.fixture
async def room() -> AsyncIterator[SmallRoom]:
    room = SmallRoom()
    await room.start()
    yield room
    await room.stop()


@asynccontextmanager
async def seated(room: SmallRoom, seat: str) -> AsyncIterator[Debater]:
    debater = Debater(room.invite(seat), pattern=Pattern.SYNC)
    running = asyncio.create_task(debater.run())
    try:
        yield debater
    finally:
        debater.leave()
        await running


async def test_two_debaters_connect_peer_to_peer_and_count_each_other(room: SmallRoom) -> None:
    async with seated(room, "proposition") as ada, seated(room, "opposition") as charles:
        for one in (ada, charles):
            camera = one.received.camera
            await until(partial(has_come, camera, 30), "a second of pictures")
            assert one.received.microphone.frames > 30
            assert camera.bytes > 10_000
            assert one.received.screen.frames == 0
    offers = [s for s in room.signals if s["description"]["type"] == "offer"]
    assert [s["by"] for s in offers] == ["opposition"]
    assert offers[0]["link"] == "session-proposition-1~session-opposition-2.1"
    assert sorted(room.left) == ["opposition", "proposition"]


async def test_everything_is_closed_when_a_debater_leaves(room: SmallRoom) -> None:
    before = asyncio.all_tasks()
    async with seated(room, "proposition") as ada, seated(room, "opposition"):
        await until(lambda: ada.peer_connected, "they are connected")
    await until(
        lambda: not {t for t in asyncio.all_tasks() - before if "debater" in t.get_name()},
        "no task of a debater is left",
    )


async def test_opponent_who_comes_back_is_connected_again(room: SmallRoom) -> None:
    async with seated(room, "proposition") as ada:
        async with seated(room, "opposition"):
            await until(lambda: ada.peer_connected, "they are connected")
        await until(lambda: not ada.peer_connected, "the old connection is gone")
        async with seated(room, "opposition"):
            await until(lambda: ada.peer_connected, "they are connected again")


async def test_lost_signalling_takes_the_seat_back_and_connects_anew(room: SmallRoom) -> None:
    async with seated(room, "proposition") as ada, seated(room, "opposition") as charles:
        await until(lambda: ada.peer_connected and charles.peer_connected, "they are connected")
        await room.kick("opposition")
        await until(
            lambda: room.seats.get("opposition", {}).get("session") == "session-opposition-3",
            "the seat is taken back",
        )
        await until(
            lambda: room.signals[-1]["link"].startswith(
                "session-proposition-1~session-opposition-3."
            ),
            "a new link is offered",
        )
        await until(lambda: ada.peer_connected and charles.peer_connected, "connected again")


async def test_bridge_gets_both_media_from_the_first_keyframe_on(room: SmallRoom) -> None:
    room.bridge = BridgeStandIn(room)
    async with seated(room, "proposition") as ada:
        await until(lambda: ada.bridge_connected is False, "nobody is there to connect to")
        await room.set_bridge("bridge-session-1")
        await until(lambda: room.bridge.frames["video"] > 15, "pictures at the bridge")  # type: ignore[union-attr]
        assert room.bridge.frames["audio"] > 10
        assert room.bridge.keyframes >= 1
        await room.set_bridge(None)
        await until(lambda: not ada.bridge_connected, "the bridge has gone")
    assert room.bridge.links == ["session-proposition-1.1"]
    await room.bridge.close()


async def test_new_bridge_session_and_lost_connection_get_a_new_link_each(room: SmallRoom) -> None:
    room.bridge = BridgeStandIn(room)
    async with seated(room, "opposition") as charles:
        await until(lambda: "opposition" in room.seats, "he sits")
        await room.set_bridge("bridge-session-1")
        await until(lambda: charles.bridge_connected, "the first connection")
        await room.set_bridge("bridge-session-2")
        await until(lambda: len(room.bridge.links) == 2, "a second offer")  # type: ignore[union-attr]
        await until(lambda: charles.bridge_connected, "the second connection")
        second = room.bridge.peers[-1]
        await until(lambda: second.connectionState == "connected", "the other end agrees")
        await second.close()
        await until(lambda: len(room.bridge.links) == 3, "a third offer")  # type: ignore[union-attr]
        await until(lambda: charles.bridge_connected, "the third connection")
    assert room.bridge.links == [f"session-opposition-1.{n}" for n in (1, 2, 3)]
    await room.bridge.close()


async def test_answer_that_is_none_is_followed_by_the_next_link_at_once(room: SmallRoom) -> None:
    room.bridge = BridgeStandIn(room)
    room.bridge.talks_nonsense = True
    async with seated(room, "opposition") as charles:
        await until(lambda: "opposition" in room.seats, "he sits")
        await room.set_bridge("bridge-session-1")
        await until(lambda: len(room.bridge.links) == 2, "a second offer", seconds=5)  # type: ignore[union-attr]
        room.bridge.talks_nonsense = False
        await until(lambda: charles.bridge_connected, "a connection after all")
    await room.bridge.close()


async def test_forged_token_ends_with_words(room: SmallRoom) -> None:
    debater = Debater(f"{room.url}/debate/{ROOM}#forged", pattern=Pattern.SYNC)
    with pytest.raises(TokenError, match="not valid"):
        await debater.run()


async def test_taken_seat_ends_with_words_and_leaves_the_other_alone(room: SmallRoom) -> None:
    async with seated(room, "proposition") as ada, seated(room, "opposition"):
        await until(lambda: ada.peer_connected, "they are connected")
        with pytest.raises(ConflictError, match="taken"):
            await Debater(room.invite("opposition"), pattern=Pattern.SYNC).run()
        assert ada.peer_connected


async def test_film_that_is_none_is_refused_before_joining(room: SmallRoom, tmp_path) -> None:
    film = tmp_path / "notes.txt"
    film.write_text("not a film")
    with pytest.raises(InputError, match=r"Cannot show notes\.txt"):
        await Debater(room.invite("opposition"), media=film).run()
    assert room.seats == {}


async def test_hosts_link_is_no_seat(room: SmallRoom) -> None:
    debater = Debater(room.invite("host"), pattern=Pattern.SYNC)
    with pytest.raises(InputError, match="not a debater's invite"):
        await debater.run()


async def test_end_of_the_debate_ends_the_debater(room: SmallRoom) -> None:
    debater = Debater(room.invite("proposition"), pattern=Pattern.SYNC)
    running = asyncio.create_task(debater.run())
    await until(lambda: room.seats, "she sits")
    room.phase = "ended"
    await room.announce()
    async with asyncio.timeout(5):
        await running


async def test_cancelled_debater_leaves_politely(room: SmallRoom) -> None:
    running = asyncio.create_task(Debater(room.invite("proposition"), pattern=Pattern.SYNC).run())
    await until(lambda: room.seats, "she sits")
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert room.left == ["proposition"]
