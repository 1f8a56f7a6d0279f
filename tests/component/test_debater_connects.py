"""Headless debaters against a small room server: signalling, P2P, the bridge leg, endings."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any
from unittest.mock import ANY

import pytest
import pytest_asyncio
import socketio
from aiohttp import web
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError

from bridge.debater.aiortc_inside import Received
from bridge.debater.debater import Debater, Pattern
from bridge.errors import ConflictError, InputError, TokenError
from tests.helpers import until

ROOM = "room234567"
NAMES = {"proposition": "Ada", "opposition": "Charles"}


class SmallRoom:
    """The server's half of the Socket.IO protocol for one room, and a stand-in for the bridge."""

    def __init__(self) -> None:
        self.seats: dict[str, dict[str, Any]] = {}
        self.bridge_session: str | None = None
        self.phase = "waiting"
        self.signals: list[dict[str, Any]] = []
        self.left: list[str] = []
        self.url = ""
        self.bridge: BridgeStandIn | None = None
        self._sessions = 0
        self._sio = socketio.AsyncServer(async_mode="aiohttp", cors_allowed_origins=[])
        for name in ("connect", "disconnect", "join", "signal", "leave"):
            self._sio.on(name, getattr(self, f"_{name}"))
        app = web.Application()
        self._sio.attach(app)
        self._runner = web.AppRunner(app, shutdown_timeout=1)

    async def start(self) -> None:
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        port = self._runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{port}"

    async def stop(self) -> None:
        await self._sio.shutdown()
        await self._runner.cleanup()

    def invite(self, seat: str) -> str:
        return f"{self.url}/debate/{ROOM}#token-of-{seat}"

    async def set_bridge(self, session: str | None) -> None:
        self.bridge_session = session
        await self.announce()

    async def announce(self) -> None:
        for sid in [seat["sid"] for seat in self.seats.values()]:
            await self._sio.emit("room", self._view(), to=sid)

    async def kick(self, seat: str) -> None:
        await self._sio.disconnect(self.seats[seat]["sid"])

    async def _connect(self, sid: str, _environ: object, auth: dict[str, str]) -> None:
        if not auth["token"].startswith("token-of-"):
            error = {"code": "token", "message": "This link is not valid."}
            raise socketio.exceptions.ConnectionRefusedError("refused", error)
        await self._sio.save_session(sid, {"seat": auth["token"].removeprefix("token-of-")})

    async def _disconnect(self, sid: str, _reason: str) -> None:
        for name, seat in list(self.seats.items()):
            if seat["sid"] == sid:
                del self.seats[name]
                await self.announce()

    async def _join(self, sid: str, message: dict[str, Any]) -> dict[str, Any]:
        name = await self._seat_of(sid)
        taken = self.seats.get(name)
        if taken is not None and taken["key"] != message["seat_key"]:
            body = {"code": "seat_taken", "message": "This seat is taken."}
            return {"ok": False, "error": body}
        self._sessions += 1
        session = f"session-{name}-{self._sessions}"
        self.seats[name] = {"sid": sid, "key": message["seat_key"], "session": session}
        await self.announce()
        you = {"seat": name, "session": session, "generation": self._sessions}
        return {
            "ok": True, "you": you, "polite": name == "proposition", "ice_servers": [],
            "room": self._view(),
        }  # fmt: skip

    async def _seat_of(self, sid: str) -> str:
        session = await self._sio.get_session(sid)
        return str(session["seat"])

    async def _signal(self, sid: str, message: dict[str, Any]) -> dict[str, Any]:
        name = await self._seat_of(sid)
        self.signals.append({"by": name, **message})
        relayed = {
            **{k: v for k, v in message.items() if k in {"link", "description", "candidate"}},
            "from": name,
            "session": self.seats[name]["session"],
        }
        if message["to"] == "bridge":
            if self.bridge is not None:
                self.bridge.take(name, sid, relayed)
            return {"ok": True}
        target = self.seats.get(message["to"])
        if target is None or target["session"] != message["session"]:
            return {"ok": False, "error": {"code": "not_there", "message": "Nobody is there."}}
        await self._sio.emit("signal", relayed, to=target["sid"])
        return {"ok": True}

    async def answer_as_bridge(self, sid: str, link: str, sdp: str) -> None:
        message = {
            "from": "bridge", "session": self.bridge_session, "link": link,
            "description": {"type": "answer", "sdp": sdp},
        }  # fmt: skip
        await self._sio.emit("signal", message, to=sid)

    async def _leave(self, sid: str, _message: object) -> dict[str, Any]:
        name = await self._seat_of(sid)
        self.left.append(name)
        self.seats.pop(name, None)
        await self.announce()
        return {"ok": True}

    def _view(self) -> dict[str, Any]:
        participants = [
            {"seat": name, "session": seat["session"], "generation": 1, "media": {}}
            for name, seat in self.seats.items()
            if name in NAMES
        ]
        return {
            "id": ROOM, "motion": "m", "names": NAMES, "phase": self.phase, "started_at": None,
            "participants": participants, "broadcast": "off", "rehearsal": False,
            "bridge_session": self.bridge_session,
        }  # fmt: skip


class BridgeStandIn:
    """Answers every offer with a stock peer connection and counts what comes."""

    def __init__(self, room: SmallRoom) -> None:
        self.links: list[str] = []
        self.frames = {"audio": 0, "video": 0}
        self.keyframes = 0
        self.deaf = False
        self._room = room
        self._tasks: set[asyncio.Task[None]] = set()
        self.peers: list[RTCPeerConnection] = []

    def take(self, _seat: str, sid: str, signal: dict[str, Any]) -> None:
        self.links.append(signal["link"])
        if not self.deaf:
            self._keep(self._answer(sid, signal))

    async def close(self) -> None:
        await asyncio.gather(*(peer.close() for peer in self.peers))
        # A stock track whose connection has closed may leave its reader waiting for ever.
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _keep(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, sid: str, signal: dict[str, Any]) -> None:
        peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.peers.append(peer)

        def on_track(track: Any) -> None:
            self._keep(self._consume(track))

        peer.on("track", on_track)
        await peer.setRemoteDescription(
            RTCSessionDescription(signal["description"]["sdp"], "offer")
        )
        await peer.setLocalDescription()
        await self._room.answer_as_bridge(sid, signal["link"], peer.localDescription.sdp)

    async def _consume(self, track: Any) -> None:
        while True:
            try:
                frame = await track.recv()
            except MediaStreamError:
                return
            self.frames[track.kind] += 1
            self.keyframes += bool(getattr(frame, "key_frame", False))


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
        await room.bridge.peers[-1].close()
        await until(lambda: len(room.bridge.links) == 3, "a third offer")  # type: ignore[union-attr]
        await until(lambda: charles.bridge_connected, "the third connection")
    assert room.bridge.links == [f"session-opposition-1.{n}" for n in (1, 2, 3)]
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


async def debater_process(line: bytes) -> asyncio.subprocess.Process:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bridge.debater",
        stdin=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin is not None
    process.stdin.write(line + b"\n")
    await process.stdin.drain()
    return process


async def ended(process: asyncio.subprocess.Process) -> tuple[int | None, str]:
    async with asyncio.timeout(30):
        _, said = await process.communicate()
    return process.returncode, said.decode()


async def test_process_leaves_politely_on_sigterm(room: SmallRoom) -> None:
    order = {"invite": room.invite("opposition"), "media": None, "name": "Zoë", "pattern": "sync"}
    process = await debater_process(json.dumps(order).encode())
    await until(lambda: room.seats, "he sits")
    process.terminate()
    assert await ended(process) == (0, ANY)
    assert room.left == ["opposition"]


async def test_process_says_why_it_may_not_sit_and_hides_the_token(room: SmallRoom) -> None:
    order = {"invite": f"{room.url}/debate/{ROOM}#forged-secret"}
    code, said = await ended(await debater_process(json.dumps(order).encode()))
    assert code == 1
    assert "not valid" in said
    assert "forged-secret" not in said
    assert "Traceback" not in said


async def test_process_refuses_a_malformed_order_without_repeating_it() -> None:
    line = b'{"invite": "http://x/debate/y#very-secret", "colour": "blue", "name": 5}'
    code, said = await ended(await debater_process(line))
    assert code == 2
    assert "colour" in said
    assert "very-secret" not in said
