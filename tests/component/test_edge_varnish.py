"""The documented Varnish in front of a real lane: it collapses, keeps what it may, and no more."""

import asyncio
from collections import Counter

import aiohttp
import pytest
from aiohttp import web

from bridge.clock import FakeClock
from bridge.server.lane.lane import Lane
from bridge.server.origin.answers import Asked, Reply
from bridge.server.origin.origin import Origin
from bridge.server.origin.routes import Routes
from tests.helpers import until
from tests.lane import serving
from tests.server import NEXT_SESSION, SESSION, description, init_bytes, part_bytes
from tests.varnish import varnish

CLIENTS = 60
LIVE = "/live/room"


class Edge:
    """An origin that counts what reaches it, behind Varnish."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.origin = Origin(FakeClock(), listed=6)
        self.routes = Routes(self.origin)
        self.lane = Lane(self.ask, max_held=4)
        self.base = ""
        self.client: aiohttp.ClientSession | None = None

    def ask(self, asked: Asked) -> Reply:
        self.asked[asked.path + ("?" + asked.query if asked.query else "")] += 1
        return self.routes(asked)

    def put(self, numbers: range, session: str = SESSION) -> None:
        programme = self.origin.open("room", description())
        programme.open_session(session, description())
        programme.put_init(session, (init_bytes(),))
        for number in numbers:
            programme.put_part(session, number, (part_bytes(number),))

    async def get(self, path: str, **headers: str) -> tuple[int, bytes, dict[str, str]]:
        assert self.client is not None
        async with self.client.get(self.base + path, headers=headers) as answer:
            return answer.status, await answer.read(), dict(answer.headers)

    @property
    def first(self) -> int:
        programme = self.origin.get("room")
        assert programme is not None
        return programme.window.listed()[0].msn


@pytest.fixture
async def edge(tmp_path):
    made = Edge()

    async def healthy(_request: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    app = web.Application()
    app.router.add_get("/healthz", healthy)
    async with (
        serving(app, made.lane) as (_, port),
        varnish(tmp_path, port) as made.base,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as made.client,
    ):
        yield made
        made.origin.close()


async def test_everybody_who_waits_for_the_same_is_one_request(edge):
    edge.put(range(3))
    playlist = f"{LIVE}/source.m3u8?_HLS_msn={edge.first}&_HLS_part=3"
    part = f"{LIVE}/{SESSION}/source/p3.m4s"
    asked = [
        asyncio.create_task(edge.get(path)) for path in (playlist, part) for _ in range(CLIENTS)
    ]
    await until(lambda: edge.lane.held == 2, "one of each is held")
    await asyncio.sleep(0.2)  # the others reach Varnish; that they wait there cannot be seen
    assert (edge.asked[playlist], edge.asked[part]) == (1, 1)
    edge.put(range(3, 4))
    answers = await asyncio.gather(*asked)
    assert {status for status, _, _ in answers} == {200}
    assert {body for _, body, _ in answers[CLIENTS:]} == {part_bytes(3)}
    assert len({body for _, body, _ in answers[:CLIENTS]}) == 1
    assert (edge.asked[playlist], edge.asked[part]) == (1, 1)
    assert all("Age" in headers for _, _, headers in answers)


async def test_what_a_viewer_adds_to_an_address_does_not_count(edge):
    edge.put(range(3))
    status, _, _ = await edge.get(
        f"{LIVE}/source.m3u8?utm=1&_HLS_part=2&x=y&_HLS_msn={edge.first}", Cookie="a=b"
    )
    assert status == 200
    await edge.get(f"{LIVE}/source.m3u8?_HLS_msn={edge.first}&_HLS_part=2&viewer=7")
    assert edge.asked == {f"{LIVE}/source.m3u8?_HLS_msn={edge.first}&_HLS_part=2": 1}


async def test_a_refusal_is_forgotten_soon(edge):
    edge.put(range(3))
    path = f"{LIVE}/{SESSION}/source/p4.m4s"
    assert (await edge.get(path))[0] == 404
    edge.put(range(3, 5))

    async def there() -> bool:
        return bool((await edge.get(path))[0] == 200)

    await until(there, "the part is found once the refusal has been forgotten", seconds=4)
    assert edge.asked[path] == 2, "nobody came through in between"


async def test_the_plain_playlist_is_asked_again_after_a_second(edge):
    edge.put(range(3))
    first = await edge.get(f"{LIVE}/source.m3u8")
    edge.put(range(3, 4))

    async def newer() -> bool:
        return bool(b"p3.m4s" in (await edge.get(f"{LIVE}/source.m3u8"))[1])

    assert first[0] == 200
    await until(newer, "the newer playlist", seconds=4)


async def test_a_new_session_is_never_taken_for_the_old(edge):
    edge.put(range(7))
    old = await edge.get(f"{LIVE}/{SESSION}/source/p0.m4s")
    edge.put(range(2), NEXT_SESSION)
    new = await edge.get(f"{LIVE}/{NEXT_SESSION}/source/p0.m4s")
    assert (old[0], new[0]) == (200, 200)
    _, text, _ = await edge.get(f"{LIVE}/source.m3u8?_HLS_msn={edge.first + 2}&_HLS_part=1")
    assert b"#EXT-X-DISCONTINUITY\n" in text


async def test_playlists_come_compressed_or_not_as_asked(edge):
    edge.put(range(23))
    for coding in ("gzip", "identity"):
        _, text, headers = await edge.get(f"{LIVE}/source.m3u8", **{"Accept-Encoding": coding})
        assert headers.get("Content-Encoding", "identity") == coding
        assert text.startswith(b"#EXTM3U"), "decompressed by the client"


async def test_uploads_do_not_come_in_this_way(edge):
    assert (await edge.get("/ingest/room/aaaaaaaa"))[0] == 404
    assert (await edge.get("/healthz"))[0] == 200
