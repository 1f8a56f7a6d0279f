"""The Socket.IO door, met by real clients."""

import asyncio
import json
import logging
import time
from typing import Any

import aiohttp
import pytest
import socketio

from bridge.protocol.messages import BroadcastReport, JoinAck, RoomView
from bridge.rooms.model import Role, Side
from tests.helpers import until
from tests.server import DEBATE, Server, stand_in

REPORT = {
    "programme": {"ticks": 30, "skipped": 0, "late": 0},
    "ingests": {"proposition": {"state": "receiving"}, "opposition": {"state": "absent"}},
    "hls": "live",
}
OFFER = {"type": "offer", "sdp": "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n"}

WANTED_CAMERA = {"width": 618, "height": 466, "fit": "cover", "frameRate": 30, "bitRate": 1_294_000}


class Peer:
    """A Socket.IO client and everything it was told."""

    def __init__(self, url: str, token: str) -> None:
        self._url = url
        self._auth = {"token": token}
        self.socket = socketio.AsyncClient(reconnection=False, handle_sigint=False)
        self.rooms: list[RoomView] = []
        self.signals: list[dict] = []
        self.replaced: list[dict] = []
        self.levels: list[dict] = []
        self.refusal: dict[str, Any] = {}
        self.you: dict = {}
        self.socket.on("room", lambda room: self.rooms.append(RoomView.model_validate(room)))
        self.socket.on("signal", self.signals.append)
        self.socket.on("replaced", self.replaced.append)
        self.socket.on("levels", self.levels.append)
        self.socket.on("connect_error", self._take_refusal)

    def _take_refusal(self, content: dict[str, Any]) -> None:
        self.refusal = content

    @property
    def room(self) -> RoomView:
        return self.rooms[-1]

    async def connect(self) -> "Peer":
        await self.socket.connect(self._url, auth=self._auth, transports=["websocket"])
        return self

    async def join(self, **join: object) -> Any:
        answer = await self.call("join", join)
        if answer["ok"]:
            JoinAck.model_validate(answer)
            self.you = answer["you"]
        return answer

    async def call(self, event: str, content: object = None) -> Any:
        return await self.socket.call(event, content, timeout=5)

    async def signal(self, to: "Peer", *, seat: str | None = None, **more: object) -> Any:
        content = {
            "to": seat or to.you["seat"],
            "session": to.you["session"],
            "link": "a~b.1",
            "description": OFFER,
            **more,
        }
        return await self.call("signal", {k: v for k, v in content.items() if v is not None})


class Hall:
    """A server with one debate, and peers who come and go."""

    def __init__(self, server: Server, room: str) -> None:
        self.server = server
        self.room = room
        self.peers: list[Peer] = []

    def peer(self, role: Role, *, token: str | None = None) -> Peer:
        signed = self.server.parts.signer.sign(self.room, role)
        peer = Peer(self.server.url, signed if token is None else token)
        self.peers.append(peer)
        return peer

    async def seat(self, role: Role, **join: object) -> Peer:
        peer = await self.peer(role).connect()
        answer = await peer.join(**join)
        assert answer["ok"], answer
        return peer

    async def create(self) -> str:
        debates = self.server.parts.debates
        room = await debates.create(**DEBATE, destinations=("rtmp://live.example.com/app/key-1",))
        return room.id


@pytest.fixture
async def hall(tmp_path):
    async with Server(tmp_path / "data", stand_in(tmp_path / "notes")) as server:
        made = Hall(server, "")
        made.room = await made.create()
        yield made
        for peer in made.peers:
            await peer.socket.disconnect()


async def refusal_of(peer: Peer) -> Any:
    with pytest.raises(socketio.exceptions.ConnectionError):
        await peer.connect()
    return peer.refusal.get("data", peer.refusal)


@pytest.mark.parametrize("token", ["", "rubbish", "x" * 600])
async def test_a_bad_token_is_refused_at_the_door(hall, token):
    refusal = await refusal_of(hall.peer(Role.HOST, token=token))
    assert refusal["code"] == "token"
    assert refusal["message"]


async def test_a_token_of_a_debate_that_is_not_here_is_refused(hall):
    token = hall.server.parts.signer.sign("nosuchroom", Role.HOST)
    assert (await refusal_of(hall.peer(Role.HOST, token=token)))["code"] == "not_found"


async def test_a_debate_that_is_over_lets_only_the_host_in(hall):
    await hall.server.parts.debates.stop(hall.room)
    assert (await refusal_of(hall.peer(Role.PROPOSITION)))["code"] == "room_ended"
    host = await hall.seat(Role.HOST)
    assert host.socket.connected


async def test_everybody_sees_who_is_there_and_the_bridge_is_hidden(hall):
    host = await hall.seat(Role.HOST)
    proposition = await hall.seat(Role.PROPOSITION, media={"camera": False})
    bridge = await hall.seat(Role.BROADCAST)
    await until(lambda: host.room.bridge_session == bridge.you["session"], "the bridge is seen")
    await until(lambda: proposition.room.bridge_session is not None, "the debater knows it too")
    assert [one.seat for one in host.room.participants] == ["proposition"]
    assert not host.room.participants[0].media.camera
    assert host.room.host is not None
    assert proposition.room.host is None
    await proposition.socket.disconnect()
    await until(lambda: not host.room.participants, "he has left")


async def test_no_view_tells_a_destinations_key(hall):
    host = await hall.seat(Role.HOST)
    await hall.seat(Role.PROPOSITION)
    await until(lambda: host.rooms, "the host is told")
    view = host.room.host.destinations[0]
    assert (view.label, view.address) == ("live.example.com", "rtmp://live.example.com/•••")
    assert "key-1" not in host.room.model_dump_json()


async def test_the_polite_side_is_named_by_the_server(hall):
    proposition, opposition = hall.peer(Role.PROPOSITION), hall.peer(Role.OPPOSITION)
    await proposition.connect()
    await opposition.connect()
    assert (await proposition.join())["polite"] is True
    assert (await opposition.join())["polite"] is False


async def test_a_third_debater_is_told_what_to_do_and_nothing_changes(hall):
    first = await hall.seat(Role.PROPOSITION, seat_key="first-tab-key")
    for join in ({"seat_key": "other-tab-key"}, {}):
        third = await hall.peer(Role.PROPOSITION).connect()
        answer = await third.join(**join)
        assert answer["error"]["code"] == "seat_taken"
        assert "Close the other tab" in answer["error"]["message"]
    assert first.socket.connected
    assert not first.replaced


async def test_the_same_tab_takes_its_seat_back_in_a_new_session(hall):
    first = await hall.seat(Role.PROPOSITION, seat_key="first-tab-key")
    again = await hall.seat(Role.PROPOSITION, seat_key="first-tab-key")
    assert again.you["generation"] == first.you["generation"] + 1
    assert again.you["session"] != first.you["session"]
    await until(lambda: first.replaced and not first.socket.connected, "the old one is dismissed")
    await until(lambda: again.rooms, "the new one is told")
    assert [one.session for one in again.room.participants] == [again.you["session"]]


async def test_hosts_may_be_several(hall):
    first, second = await hall.seat(Role.HOST), await hall.seat(Role.HOST)
    await until(lambda: first.rooms and second.rooms, "both are told")
    assert first.socket.connected


async def test_signals_go_to_their_addressee_alone_and_name_the_sender(hall):
    proposition, opposition = await hall.seat(Role.PROPOSITION), await hall.seat(Role.OPPOSITION)
    bridge, host = await hall.seat(Role.BROADCAST), await hall.seat(Role.HOST)
    assert (await proposition.signal(opposition))["ok"]
    assert (await bridge.signal(opposition, description={**OFFER, "type": "answer"}))["ok"]
    candidate = {"candidate": "candidate:1 1 udp 1 192.0.2.1 9 typ host", "sdpMid": "0"}
    assert (await opposition.signal(bridge, description=None, candidate=candidate))["ok"]
    await until(lambda: len(opposition.signals) == 2 and bridge.signals, "they arrive")
    assert [one["from"] for one in opposition.signals] == ["proposition", "bridge"]
    assert opposition.signals[0]["session"] == proposition.you["session"]
    assert opposition.signals[0]["description"] == OFFER
    assert bridge.signals[0]["candidate"] == candidate
    assert not proposition.signals
    assert not host.signals


async def test_a_signal_for_an_earlier_session_goes_nowhere(hall):
    proposition = await hall.seat(Role.PROPOSITION)
    gone = await hall.seat(Role.OPPOSITION, seat_key="opposition-tab")
    here = await hall.seat(Role.OPPOSITION, seat_key="opposition-tab")
    assert (await proposition.signal(gone))["error"]["code"] == "not_there"
    assert (await proposition.signal(proposition))["error"]["code"] == "not_there"
    assert not here.signals


async def test_a_host_and_a_stranger_cannot_signal(hall):
    proposition = await hall.seat(Role.PROPOSITION)
    host = await hall.seat(Role.HOST)
    stranger = await hall.peer(Role.OPPOSITION).connect()
    assert (await host.signal(proposition))["error"]["code"] == "not_there"
    assert (await stranger.signal(proposition))["error"]["code"] == "not_joined"
    assert not proposition.signals


async def test_another_rooms_debaters_cannot_be_reached(hall):
    proposition = await hall.seat(Role.PROPOSITION)
    hall.room = await hall.create()
    stranger = await hall.seat(Role.OPPOSITION)
    assert (await stranger.signal(proposition))["error"]["code"] == "not_there"
    assert not proposition.signals


@pytest.mark.parametrize(
    ("event", "content"),
    [
        ("join", {"seat_key": "short"}),
        ("join", {"unknown": 1}),
        ("join", [1, 2]),
        ("join", "text"),
        ("media", {"microphone": "perhaps"}),
        ("media", 7),
        ("signal", None),
        ("signal", {}),
        ("signal", {"to": "nobody", "session": "12345678", "link": "x"}),
        ("signal", {"to": "opposition", "session": "12345678", "link": "x"}),
        ("signal", {"to": "opposition", "session": "12345678", "link": "x", "description": 3}),
        ("report", {}),
        ("nonsense", {"a": 1}),
        ("nonsense", None),
    ],
)
async def test_a_malformed_event_is_refused_in_words_and_changes_nothing(hall, event, content):
    peer = await hall.seat(Role.PROPOSITION)
    answer = await peer.call(event, content)
    assert answer["ok"] is False
    assert answer["error"]["code"] in {"invalid", "unknown_event"}
    assert answer["error"]["message"]
    assert (await peer.call("media", {}))["ok"]


@pytest.mark.parametrize(
    "sdp",
    [
        "hello",
        "v=0\r\n" + "m=audio 9 X 0\r\n" * 5,
        "v=0\r\nm=audio 9 X 0\r\n" + "a=candidate:1\r\n" * 31,
        "v=0\r\n" + "x" * 33_000,
    ],
)
async def test_a_costly_description_does_not_reach_the_other_side(hall, sdp):
    proposition, opposition = await hall.seat(Role.PROPOSITION), await hall.seat(Role.OPPOSITION)
    answer = await proposition.signal(opposition, description={"type": "offer", "sdp": sdp})
    assert answer["error"]["code"] == "invalid"
    assert not opposition.signals


async def test_arguments_that_are_missing_or_too_many_are_no_crash(hall, caplog):
    peer = await hall.seat(Role.PROPOSITION)
    assert (await peer.socket.call("media", timeout=5))["ok"]
    assert (await peer.socket.call("media", ({}, 1, 2, 3), timeout=5))["ok"]
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


@pytest.mark.parametrize(
    "step",
    [
        {"rejoin": True},
        {"refusal": {"code": "udp_ports", "message": "No free UDP port."}},
        {"wanted": {"camera": WANTED_CAMERA}},
        {"wanted": {}},
    ],
)
async def test_only_the_bridge_refuses_offers_tells_others_to_rejoin_and_what_it_wants(hall, step):
    bridge, debater = await hall.seat(Role.BROADCAST), await hall.seat(Role.PROPOSITION)
    told = {"to": "proposition", "session": debater.you["session"], "link": "a.1", **step}
    assert (await bridge.call("signal", told))["ok"]
    await until(lambda: debater.signals, "the debater is told")
    assert debater.signals[-1].items() >= {"from": "bridge", "link": "a.1", **step}.items()
    wrong = {"to": "bridge", "session": bridge.you["session"], "link": "a.1", **step}
    assert (await debater.call("signal", wrong))["error"]["code"] == "token_role"
    assert (await bridge.call("signal", wrong))["error"]["code"] == "not_there", "to itself"
    opponent = await hall.seat(Role.OPPOSITION)
    wrong = {"to": "opposition", "session": opponent.you["session"], "link": "a~b.1", **step}
    assert (await debater.call("signal", wrong))["error"]["code"] == "token_role"
    assert not opponent.signals
    both = {**told, "candidate": {"candidate": ""}}
    assert (await bridge.call("signal", both))["error"]["code"] == "invalid"


async def test_debaters_tell_their_health_to_the_host_alone(hall):
    host, debater = await hall.seat(Role.HOST), await hall.seat(Role.OPPOSITION)
    health = {"bridge": {"health": "poor", "round_trip_ms": 310.0, "kbps": 220.0}}
    assert (await debater.call("health", health))["ok"]
    await until(lambda: host.room.host.health, "the host sees it")
    assert host.room.host.health[Side.OPPOSITION].bridge.health == "poor"
    assert debater.room.host is None
    bad = {"bridge": {"health": "fine", "kbps": -1}}
    assert (await debater.call("health", bad))["error"]["code"] == "invalid"


async def test_levels_go_from_the_broadcast_to_the_host_alone(hall):
    host, debater = await hall.seat(Role.HOST), await hall.seat(Role.PROPOSITION)
    level = {"peak": -9.1, "short_term": -23.4, "gain": 5.4, "voiced": True, "floor": "open"}
    levels = {"sides": {"proposition": level}}
    assert (await debater.call("levels", levels))["error"]["code"] == "token_role"
    bridge = await hall.seat(Role.BROADCAST)
    assert (await bridge.call("levels", levels))["ok"]
    await until(lambda: host.levels == [levels], "the host sees them")
    assert not debater.levels
    bad = {"sides": {"moderator": level}}
    assert (await bridge.call("levels", bad))["error"]["code"] == "invalid"


async def test_only_the_broadcast_reports(hall):
    host, debater = await hall.seat(Role.HOST), await hall.seat(Role.PROPOSITION)
    assert (await debater.call("report", REPORT))["error"]["code"] == "token_role"
    bridge = await hall.seat(Role.BROADCAST)
    assert (await bridge.call("report", REPORT))["ok"]
    await until(lambda: host.room.host.programme is not None, "the host sees the report")
    assert host.room.host.ingests == BroadcastReport.model_validate(REPORT).ingests
    await bridge.call("leave")
    await until(lambda: host.room.host.programme is None, "what has gone says nothing")


async def test_a_flood_is_refused_and_logged_once(hall, caplog):
    caplog.set_level(logging.INFO)
    peer = await hall.seat(Role.PROPOSITION)
    answers = await asyncio.gather(*(peer.call("media", {}) for _ in range(200)))
    codes = [answer["error"]["code"] for answer in answers if not answer["ok"]]
    assert len(codes) > 50
    assert set(codes) == {"rate"}
    assert len([one for one in caplog.records if "rate" in one.getMessage()]) == 1


async def test_a_change_is_told_once_however_many_there_were(hall):
    host = await hall.seat(Role.HOST)
    await until(lambda: host.rooms, "the host is told")
    before = len(host.rooms)
    for _ in range(20):
        hall.server.parts.signalling.changed(hall.room)
    await until(lambda: len(host.rooms) > before, "the change is told")
    await host.call("media", {})
    assert len(host.rooms) <= before + 2


async def test_leave_gives_the_seat_back(hall):
    peer = await hall.seat(Role.PROPOSITION, seat_key="first-tab-key")
    assert (await peer.call("leave", {}))["ok"]
    other = await hall.seat(Role.PROPOSITION, seat_key="other-tab-key")
    assert (await peer.call("leave", {}))["error"]["code"] == "not_joined"
    assert other.socket.connected


async def open_raw(hall: Hall, http: aiohttp.ClientSession, role: Role):
    """Speak Engine.IO by hand, as a client would that means no good."""
    token = hall.server.parts.signer.sign(hall.room, role)
    socket = await http.ws_connect(f"{hall.server.url}/socket.io/?EIO=4&transport=websocket")
    await socket.receive_str()
    await socket.send_str("40" + json.dumps({"token": token}))
    assert (await socket.receive_str()).startswith("40")
    return socket


@pytest.mark.parametrize(
    "packet",
    [
        '451999999-["media",{"_placeholder":true,"num":0}]',
        '451-["media",{"_placeholder":true,"num":0}]',
        b"binary",
        "42[",
        "42" + "[" * 30_000,
        "4",
        "49",
        "42[]",
        "42[7]",
        '42{"media":1}',
        '44"error"',
        '42["media",' + '"' + "x" * 70_000 + '"]',
    ],
)
async def test_a_packet_that_is_not_ours_costs_only_its_own_connection(hall, packet, caplog):
    good = await hall.seat(Role.OPPOSITION)
    async with aiohttp.ClientSession() as http:
        socket = await open_raw(hall, http, Role.PROPOSITION)
        if isinstance(packet, bytes):
            await socket.send_bytes(packet)
        else:
            await socket.send_str(packet)
        async for _ in socket:
            pass
        assert socket.closed
    assert (await good.call("media", {}))["ok"]
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


async def test_polling_is_not_offered(hall):
    async with (
        aiohttp.ClientSession() as http,
        http.get(f"{hall.server.url}/socket.io/?EIO=4&transport=polling") as answer,
    ):
        assert answer.status == 400


@pytest.mark.parametrize(
    ("origin", "admitted"),
    [(None, True), ("own", True), ("https-own", True), ("https://evil.example", False),
     ("null", False)],
)  # fmt: skip
async def test_pages_of_other_sites_cannot_connect(hall, origin, admitted):
    host = hall.server.url.partition("://")[2]
    own = {"own": f"http://{host}", "https-own": f"https://{host}"}
    headers = {"Origin": own.get(origin, origin)} if origin else {}
    url = f"{hall.server.url}/socket.io/?EIO=4&transport=websocket"
    async with aiohttp.ClientSession() as http:
        if admitted:
            async with http.ws_connect(url, headers=headers) as socket:
                assert (await socket.receive_str()).startswith("0")
        else:
            with pytest.raises(aiohttp.WSServerHandshakeError) as refusal:
                await http.ws_connect(url, headers=headers)
            assert refusal.value.status == 400


async def test_the_servers_end_closes_every_connection_at_once(tmp_path):
    async with Server(tmp_path / "data", stand_in(tmp_path / "notes")) as server:
        hall = Hall(server, "")
        hall.room = await hall.create()
        peers = [await hall.seat(role) for role in (Role.HOST, Role.PROPOSITION)]
        await server.parts.signalling.stop()
        begin = time.monotonic()
    assert time.monotonic() - begin < 2
    await until(lambda: not any(peer.socket.connected for peer in peers), "clients have noticed")
