"""The spectators' count and the server's time over HTTP."""

import time

import aiohttp
import pytest

from tests.server import DEBATE, Server, stand_in


@pytest.fixture
async def server(tmp_path):
    async with Server(tmp_path / "data", stand_in(tmp_path / "notes")) as running:
        yield running


async def start(http: aiohttp.ClientSession, room: dict[str, str]) -> None:
    headers = {"Authorization": f"Bearer {room['host_token']}"}
    async with http.post(f"/api/v1/rooms/{room['id']}/start", headers=headers) as answer:
        assert answer.status == 200


async def test_the_count_needs_no_cookie_and_the_host_sees_it(server):
    async with aiohttp.ClientSession(server.url) as http:
        async with http.post("/api/v1/rooms", json=DEBATE) as answer:
            room = await answer.json()
        await start(http, room)
        path = f"/api/v1/rooms/{room['id']}/viewers"
        for number, latency in ((1, 1.2), (2, 1.6), (2, 1.4)):
            body = {"viewer": f"{number:016x}", "latency": latency}
            async with http.post(path, json=body) as answer:
                assert answer.status == 200
                assert "Set-Cookie" not in answer.headers
                assert (await answer.json())["viewers"] == number
        host = server.parts.debates.view(room["id"], True).host
        assert (host.viewers, host.viewers_latency) == (2, pytest.approx(1.3))
        async with http.post(path, json={"viewer": f"{1:016x}", "leaving": True}) as answer:
            assert (await answer.json())["viewers"] == 1
        async with http.post(path, json={"viewer": "me"}) as answer:
            assert answer.status == 422
        elsewhere = path.replace(room["id"], "nosuchroom")
        async with http.post(elsewhere, json={"viewer": f"{1:016x}"}) as answer:
            assert answer.status == 404


async def test_nobody_watches_what_is_not_on_air(server):
    async with aiohttp.ClientSession(server.url) as http:
        async with http.post("/api/v1/rooms", json=DEBATE) as answer:
            room = await answer.json()
        beat = {"viewer": f"{1:016x}"}
        async with http.post(f"/api/v1/rooms/{room['id']}/viewers", json=beat) as answer:
            assert await answer.json() == {"viewers": 0}


async def test_the_time(server):
    async with aiohttp.ClientSession(server.url) as http, http.get("/api/v1/time") as answer:
        assert abs((await answer.json())["now"] - time.time()) < 5
        assert answer.headers["Cache-Control"] == "no-store"
