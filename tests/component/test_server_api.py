"""The HTTP API and the files of recordings, on the whole server."""

import json
import logging
from urllib.parse import urlsplit

import aiohttp
import pytest

from bridge.rooms.model import Role, Side
from tests.helpers import until
from tests.server import DEBATE, SESSION, Server, description, init_bytes, part_bytes, stand_in

ROOMS = "/api/v1/rooms"
SECRET = "rtmp://live.example.com/app/stream-key-0123456789"


class Caller:
    """Calls the API of a server."""

    def __init__(self, server: Server, http: aiohttp.ClientSession) -> None:
        self.server = server
        self.http = http

    async def __call__(self, method: str, path: str, *, token="", body=None, **options):
        headers = {**options.pop("headers", {})}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        data = body if isinstance(body, bytes) else None if body is None else json.dumps(body)
        async with self.http.request(
            method, self.server.url + path, data=data, headers=headers, **options
        ) as answer:
            text = await answer.text()
            kind = answer.content_type
            return answer, json.loads(text) if kind.endswith("json") else text

    async def create(self, **more):
        answer, room = await self("POST", ROOMS, body={**DEBATE, **more})
        assert answer.status == 201, room
        return room

    def go_on_air(self, room: str) -> None:
        """Put a programme into the origin, as a broadcast would."""
        programme = self.server.parts.origin.open(room, description())
        programme.open_session(SESSION, description())
        programme.put_init(SESSION, (init_bytes(),))
        programme.put_part(SESSION, 0, (part_bytes(0),))


@pytest.fixture
async def call(tmp_path):
    async with (
        Server(tmp_path / "data", stand_in(tmp_path / "notes")) as server,
        aiohttp.ClientSession() as http,
    ):
        yield Caller(server, http)


async def test_a_new_debate_comes_with_all_its_links(call):
    room = await call.create(destinations=[SECRET])
    assert set(room) == {"id", "host_token", "links"}
    base = call.server.url
    token = {role: call.server.parts.signer.sign(room["id"], role) for role in Role}
    assert room["host_token"] == token[Role.HOST]
    assert room["links"] == {
        "host": f"{base}/host/{room['id']}#{token[Role.HOST]}",
        "proposition": f"{base}/debate/{room['id']}#{token[Role.PROPOSITION]}",
        "opposition": f"{base}/debate/{room['id']}#{token[Role.OPPOSITION]}",
        "watch": f"{base}/watch/{room['id']}",
        "hls": f"{base}/live/{room['id']}/index.m3u8",
    }


async def test_links_have_the_name_that_people_typed(call):
    headers = {"Host": "debates.lan:8080"}
    _, room = await call("POST", ROOMS, body=DEBATE, headers=headers)
    assert room["links"]["watch"] == f"http://debates.lan:8080/watch/{room['id']}"


async def test_links_have_the_public_url_when_there_is_one(tmp_path):
    settings = {"public_url": "https://debates.example/"}
    async with (
        Server(tmp_path, stand_in(tmp_path / "notes"), **settings) as server,
        aiohttp.ClientSession() as http,
    ):
        room = await Caller(server, http).create()
    assert room["links"]["watch"] == f"https://debates.example/watch/{room['id']}"


async def test_the_public_state_tells_no_secret(call):
    room = await call.create(destinations=[SECRET])
    answer, state = await call("GET", f"{ROOMS}/{room['id']}")
    assert answer.status == 200
    assert state == {
        "id": room["id"],
        "motion": DEBATE["motion"],
        "names": {"proposition": DEBATE["proposition"], "opposition": DEBATE["opposition"]},
        "phase": "waiting",
        "started_at": None,
        "hls": None,
        "dvr": None,
        "vod": None,
        "recordings": [],
    }


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"motion": ""}, "motion"),
        ({"motion": " \t\n "}, "motion"),
        ({"motion": "x" * 201}, "motion"),
        ({"motion": "one\u0000two"}, "motion"),
        ({"motion": 7}, "motion"),
        ({"motion": None}, "motion"),
        ({"proposition": "x" * 61}, "proposition"),
        ({"opposition": "\u001b[31mred"}, "opposition"),
        ({"destinations": "rtmp://live.example.com/app/key"}, "destinations"),
        ({"destinations": ["rtmp://live.example.com/app/key"] * 9}, "destinations"),
        ({"destinations": ["http://live.example.com/app/key"]}, "destinations.0.url"),
        ({"destinations": ["rtmp:///app/key"]}, "destinations.0.url"),
        ({"destinations": ["rtmp://live.example.com"]}, "destinations.0.url"),
        ({"destinations": ["rtmp://live.example.com/"]}, "destinations.0.url"),
        ({"destinations": ["rtmp://live.example.com:99999/app/key"]}, "destinations.0.url"),
        ({"destinations": ["rtmp://[::1/app/key"]}, "destinations.0.url"),
        ({"destinations": ["rtmp://live.example.com/a b/key"]}, "destinations.0.url"),
        ({"destinations": ["rtmp://x/" + "k" * 1000]}, "destinations.0.url"),
        ({"extra": 1}, "extra"),
    ],
)
async def test_a_field_that_is_wrong_is_named(call, change, field):
    answer, problem = await call("POST", ROOMS, body={**DEBATE, **change})
    assert answer.status == 422
    assert answer.content_type == "application/problem+json"
    assert problem["detail"].startswith(f"{field}: ")
    assert {"type", "title", "status", "detail", "code"} == set(problem)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff\xfe", b'"text"', b"[" * 30_000])
async def test_a_body_that_is_no_debate_is_refused(call, body):
    answer, problem = await call("POST", ROOMS, body=body)
    assert (answer.status, problem["code"]) == (422, "invalid")


async def test_a_body_that_is_too_large_is_refused(call):
    answer, _ = await call("POST", ROOMS, body=b" " * 70_000)
    assert answer.status == 413


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "10.1.2.3", "192.168.1.1", "169.254.169.254", "[::1]", "[fe80::1]", "0.0.0.0",
     "[::ffff:127.0.0.1]", "localhost", "localhost.", "printer.local", "127.1", "2130706433",
     "0x7f000001", "224.0.0.1", "[::ffff:10.0.0.1]"],
)  # fmt: skip
async def test_a_destination_inside_our_own_network_is_refused(call, host):
    answer, problem = await call(
        "POST", ROOMS, body={**DEBATE, "destinations": [f"rtmp://{host}/app/secret-key-1234"]}
    )
    assert (answer.status, problem["code"]) == (400, "private_destination")
    assert "secret-key-1234" not in problem["detail"]


async def test_the_operator_can_allow_private_destinations(tmp_path):
    settings = {"allow_private_destinations": True}
    async with (
        Server(tmp_path, stand_in(tmp_path / "notes"), **settings) as server,
        aiohttp.ClientSession() as http,
    ):
        assert await Caller(server, http).create(destinations=["rtmp://127.0.0.1:1935/live/key"])


async def test_public_names_and_addresses_are_taken(call):
    await call.create(destinations=["rtmps://live.example.com:443/app/key", "rtmp://8.8.8.8/a/b"])


@pytest.mark.parametrize("action", ["start", "stop", "rehearse", "links"])
async def test_only_the_host_of_this_debate_may(call, action):
    room, other = await call.create(), await call.create()
    signer = call.server.parts.signer
    path = f"{ROOMS}/{room['id']}/{action}"
    method = "GET" if action == "links" else "POST"
    for token, status, code in (
        ("", 401, "token"),
        ("rubbish", 401, "token"),
        (room["host_token"] + "x", 401, "token"),
        ("x" * 5000, 401, "token"),
        (other["host_token"], 403, "token_room"),
        (signer.sign(room["id"], Role.PROPOSITION), 403, "token_role"),
        (signer.sign(room["id"], Role.BROADCAST), 403, "token_role"),
    ):
        answer, problem = await call(method, path, token=token)
        assert (answer.status, problem["code"]) == (status, code)
    _, state = await call("GET", f"{ROOMS}/{room['id']}")
    assert state["phase"] == "waiting"


async def test_what_the_host_wants_to_be_shown_is_in_the_room_and_only_he_may(call):
    room = await call.create()
    path, token = f"{ROOMS}/{room['id']}/scene", room["host_token"]
    choice = {"scene": "speaker", "side": "opposition", "transition": "cut", "note": "x"}
    answer, problem = await call("PUT", path, body=choice)
    assert (answer.status, problem["code"]) == (401, "token")
    answer, chosen = await call("PUT", path, token=token, body=choice)
    assert (answer.status, chosen) == (200, choice)
    debates = call.server.parts.debates
    assert debates.view(room["id"], host=False).scene.side is Side.OPPOSITION
    for wrong, field in (
        ({"scene": "sideways"}, "scene"),
        ({"scene": "speaker", "side": "moderator"}, "side"),
        ({"scene": "title", "note": "x" * 121}, "note"),
        ({"scene": "title", "more": 1}, "more"),
    ):
        answer, problem = await call("PUT", path, token=token, body=wrong)
        assert answer.status == 422
        assert field in problem["detail"]
    assert debates.view(room["id"], host=False).scene.scene == "speaker", "nothing has changed"
    await call("POST", f"{ROOMS}/{room['id']}/stop", token=token)
    answer, problem = await call("PUT", path, token=token, body=choice)
    assert (answer.status, problem["code"]) == (409, "room_ended")


async def test_the_host_gets_the_links_again(call):
    room = await call.create()
    path = f"{ROOMS}/{room['id']}/links"
    answer, links = await call("GET", path, token=room["host_token"])
    codes = links.pop("qr")
    assert (answer.status, links) == (200, room["links"])
    assert answer.headers["Cache-Control"] == "no-store"
    assert set(codes) == {"proposition", "opposition", "watch"}
    assert all(set(code) == {"size", "path"} for code in codes.values())


async def test_an_unknown_debate_is_not_found(call):
    for path in (f"{ROOMS}/nosuchroom", f"{ROOMS}/..%2f..", f"{ROOMS}/{'x' * 3000}"):
        answer, problem = await call("GET", path)
        assert (answer.status, problem["code"]) == (404, "not_found")


async def test_a_debate_goes_on_air_once_and_ends_once(call):
    room = await call.create()
    path, token = f"{ROOMS}/{room['id']}", room["host_token"]
    answer, state = await call("POST", f"{path}/start", token=token)
    assert (answer.status, state["phase"], state["hls"]) == (200, "live", None)
    assert state["started_at"] > 0
    answer, problem = await call("POST", f"{path}/start", token=token)
    assert (answer.status, problem["code"]) == (409, "room_live")
    answer, problem = await call("POST", f"{path}/rehearse", token=token)
    assert answer.status == 409
    call.go_on_air(room["id"])
    _, state = await call("GET", path)
    assert state["hls"] == room["links"]["hls"]
    answer, state = await call("POST", f"{path}/stop", token=token)
    assert (answer.status, state["phase"]) == (200, "ended")
    assert state["hls"] == room["links"]["hls"], "the last window is there for a while"
    _, playlist = await call("GET", f"/live/{room['id']}/source.m3u8")
    assert playlist.endswith("#EXT-X-ENDLIST\n")
    for action in ("stop", "start", "rehearse"):
        answer, problem = await call("POST", f"{path}/{action}", token=token)
        assert (answer.status, problem["code"]) == (409, "room_ended")


async def test_stop_in_a_rehearsal_ends_only_the_rehearsal(call):
    room = await call.create(destinations=[SECRET])
    path, token = f"{ROOMS}/{room['id']}", room["host_token"]
    for _ in range(2):
        answer, state = await call("POST", f"{path}/rehearse", token=token)
        assert (answer.status, state["phase"], state["recordings"]) == (200, "waiting", [])
    answer, state = await call("POST", f"{path}/stop", token=token)
    assert (answer.status, state["phase"]) == (200, "waiting")
    answer, state = await call("POST", f"{path}/start", token=token)
    assert state["phase"] == "live"
    await call("POST", f"{path}/stop", token=token)


async def test_the_recording_of_a_debate_is_listed_while_it_runs(call):
    room = await call.create()
    path, token = f"{ROOMS}/{room['id']}", room["host_token"]
    await call("POST", f"{path}/start", token=token)
    _, recordings = await call("GET", "/api/v1/recordings")
    assert [(one["room"], one["state"], one["files"]) for one in recordings] == [
        (room["id"], "recording", [])
    ]
    assert set(recordings[0]) == {
        "id", "room", "motion", "title", "access", "names", "started_at", "duration", "state",
        "progress", "bytes", "files", "chapters", "mine", "reason",
    }  # fmt: skip
    _, state = await call("GET", path)
    assert [one["id"] for one in state["recordings"]] == [one["id"] for one in recordings]
    await call("POST", f"{path}/stop", token=token)


async def test_a_recorded_file_is_sent_in_ranges_and_under_a_readable_name(call):
    room = await call.create()
    path, token = f"{ROOMS}/{room['id']}", room["host_token"]
    await call("POST", f"{path}/start", token=token)
    recording = (await call("GET", "/api/v1/recordings"))[1][0]["id"]
    folder = call.server.settings.data_dir / "programmes" / recording
    # Not what a broadcast writes: finishing fails, and the file is offered as it is.
    (folder / "programme-1.part.mp4").write_bytes(bytes(range(256)))
    await call("POST", f"{path}/stop", token=token)

    async def failed():
        _, recordings = await call("GET", "/api/v1/recordings")
        return recordings[0] if recordings[0]["state"] == "failed" else None

    listed = await until(failed, "the recording has settled")
    file = listed["files"][0]
    assert (file["kind"], file["bytes"]) == ("programme", 256)
    local = urlsplit(file["url"]).path
    answer, _ = await call("GET", local, headers={"Range": "bytes=10-19"})
    assert (answer.status, answer.headers["Content-Range"]) == (206, "bytes 10-19/256")
    answer, _ = await call("HEAD", f"{local}?download=1")
    disposition = answer.headers["Content-Disposition"]
    assert disposition.startswith("attachment")
    assert disposition.isascii()
    for other in ("recording.json", "..%2frecording.json", "../recording.json", "programme.mp4"):
        answer, _ = await call("GET", f"/recordings/{recording}/{other}")
        assert answer.status == 404
    for elsewhere in ("..", "%2e%2e", "nosuchrecording"):
        answer, _ = await call("GET", f"/recordings/{elsewhere}/programme-1.part.mp4")
        assert answer.status == 404


async def test_health(call):
    answer, health = await call("GET", "/healthz")
    assert (answer.status, health["status"]) == (200, "ok")


async def test_every_answer_carries_the_safe_headers(call):
    for path in ("/", "/healthz", "/nowhere", f"{ROOMS}/nosuchroom"):
        answer, _ = await call("GET", path)
        assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert "camera=(self)" in answer.headers["Permissions-Policy"]


async def test_what_players_get_is_never_taken_for_a_page(call):
    for path in ("/live/none/index.m3u8", "/live/none/aaaaaaaa/source/p0.m4s", "/live/"):
        answer, _ = await call("GET", path)
        assert answer.status == 404
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.content_type == "text/plain"


async def test_no_secret_is_logged_or_kept_in_the_clear(call, caplog):
    caplog.set_level(logging.DEBUG)
    room = await call.create(destinations=[SECRET])
    await call("POST", f"{ROOMS}/{room['id']}/start", token=room["host_token"])
    await call("POST", f"{ROOMS}/{room['id']}/start", token=room["host_token"] + "x")
    await call("POST", f"{ROOMS}/{room['id']}/stop", token=room["host_token"])
    for record in caplog.records:
        assert room["host_token"] not in record.getMessage()
        assert "stream-key" not in record.getMessage()
    data = call.server.settings.data_dir
    for file in data.glob("bridge.sqlite3*"):
        assert b"stream-key" not in file.read_bytes()
    assert (data / "secret.key").stat().st_mode & 0o777 == 0o600
