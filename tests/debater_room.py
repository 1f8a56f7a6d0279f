"""A room server of one room and a bridge of stock aiortc, for headless debaters to be tested on."""

import asyncio
from typing import Any

import socketio
from aiohttp import web
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError

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
        self.talks_nonsense = False
        self._room = room
        self._tasks: set[asyncio.Task[None]] = set()
        self.peers: list[RTCPeerConnection] = []

    def take(self, _seat: str, sid: str, signal: dict[str, Any]) -> None:
        self.links.append(signal["link"])
        if self.talks_nonsense:
            self._keep(self._room.answer_as_bridge(sid, signal["link"], "v=0\r\nnonsense\r\n"))
        else:
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
