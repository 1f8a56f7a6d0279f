"""The origin over HTTP: directives, caching, compression, other sites, uploads."""

import asyncio
import gzip
import time

import aiohttp
import pytest
from aiohttp import web

from bridge.clock import FakeClock
from bridge.errors import NotFoundError, TokenError
from bridge.server.lane.lane import Lane
from bridge.server.origin.origin import Origin
from bridge.server.origin.routes import Routes
from bridge.server.origin.uploads import UploadViews
from bridge.server.problems import add_safe_headers, error_middleware
from tests.helpers import until
from tests.lane import serving
from tests.server import NEXT_SESSION, SESSION, box, description, init_bytes, part_bytes

PLAYLIST = "/live/room/source.m3u8"
PLAIN = {"Accept-Encoding": "identity"}


def no_page(_request: web.Request, _status: int, _detail: str) -> web.Response:
    raise AssertionError


class Door:
    """An origin behind a real socket, and a broadcast that may upload to "room"."""

    def __init__(
        self, client: aiohttp.ClientSession, base: str, origin: Origin, lane: Lane
    ) -> None:
        self.client = client
        self.base = base
        self.origin = origin
        self.lane = lane

    @property
    def programme(self):
        return self.origin.get("room")

    @property
    def first_msn(self) -> int:
        return int(self.programme.window.listed()[0].msn)

    async def put(self, rest: str, data: bytes = b"", *, token="broadcast", programme="room"):
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        url = f"{self.base}/ingest/{programme}/{rest}"
        return await self.client.put(url, data=data, headers=headers)

    async def begin(self, session: str = SESSION, described=None) -> None:
        body = (described or description()).model_dump_json().encode()
        assert (await self.put(session, body)).status == 200
        assert (await self.put(f"{session}/init", init_bytes())).status == 200

    async def feed(self, numbers: range, session: str = SESSION) -> None:
        for number in numbers:
            answer = await self.put(f"{session}/parts/{number}", part_bytes(number))
            assert answer.status == 200, await answer.text()

    async def get(self, path: str, **headers: str):
        return await self.client.get(self.base + path, headers=headers or PLAIN)

    async def ask(self, method: str, path: str):
        return await self.client.request(method, self.base + path)

    async def held(self, count: int) -> None:
        await until(lambda: self.lane.held == count, f"{count} requests are held")


@pytest.fixture
async def door():
    origin = Origin(FakeClock(), listed=6)
    lane = Lane(Routes(origin), max_held=3)

    def check(token: str, programme: str) -> None:
        if token != "broadcast" or programme != "room":
            raise TokenError("not yours", code="token_role")

    app = web.Application(middlewares=[error_middleware(no_page)])
    app.add_routes(UploadViews(origin, check).routes())
    app.router.add_route("*", "/live/{rest:.*}", lane.view)
    app.on_response_prepare.append(add_safe_headers)
    async with (
        serving(app, lane) as (host, port),
        aiohttp.ClientSession(auto_decompress=False) as client,
    ):
        yield Door(client, f"http://{host}:{port}", origin, lane)
        origin.close()


@pytest.mark.parametrize(
    "query",
    [
        "_HLS_part=1",
        "_HLS_msn=abc",
        "_HLS_msn=-1",
        "_HLS_msn=1e99",
        "_HLS_msn=",
        "_HLS_msn=1&_HLS_part=",
        "_HLS_msn=1&_HLS_part=x",
        "_HLS_msn=" + "9" * 5000,
        "_HLS_msn=%D9%A1",
    ],
)
async def test_malformed_directives_are_a_bad_request(door, query):
    await door.begin()
    await door.feed(range(3))
    assert (await door.get(f"{PLAYLIST}?{query}")).status == 400


async def test_what_is_too_far_ahead_is_refused_at_once(door):
    await door.begin()
    await door.feed(range(3))
    begin = time.monotonic()
    assert (await door.get(f"{PLAYLIST}?_HLS_msn={door.first_msn + 2}")).status == 400
    assert (await door.get(f"{PLAYLIST}?_HLS_msn={door.first_msn + 2}&_HLS_part=1")).status == 400
    assert time.monotonic() - begin < 0.5


async def test_what_has_left_the_window_gets_the_current_playlist(door):
    await door.begin()
    await door.feed(range(50))
    answer = await door.get(f"{PLAYLIST}?_HLS_msn=1&_HLS_part=3")
    assert answer.status == 200
    assert b"EXT-X-PRELOAD-HINT" in await answer.read()


async def test_blocking_reload_answers_when_the_part_is_there(door):
    await door.begin()
    await door.feed(range(3))
    asked = [
        asyncio.create_task(door.get(f"{PLAYLIST}?_HLS_msn={door.first_msn}&_HLS_part=3"))
        for _ in range(3)
    ]
    await door.held(3)
    begin = time.monotonic()
    await door.feed(range(3, 4))
    bodies = [await (await one).read() for one in asked]
    assert time.monotonic() - begin < 0.2
    assert len(set(bodies)) == 1
    assert b"aaaaaaaa/source/p3.m4s" in bodies[0]
    assert door.lane.held == 0


async def test_what_a_playlist_names_can_be_fetched(door):
    await door.begin()
    await door.feed(range(23))
    lines = (await (await door.get(PLAYLIST)).text()).splitlines()
    parts = [
        line.split('"')[1] for line in lines if line.startswith(("#EXT-X-PART:", "#EXT-X-MAP"))
    ]
    segments = [line for line in lines if line.endswith(".m4s")]
    assert len(segments) == 4
    for uri in parts + segments:
        answer = await door.get(f"/live/room/{uri}")
        assert answer.status == 200
        assert answer.content_type == "video/mp4"
        assert answer.headers["Content-Length"] == str(len(await answer.read()))
    last = await (await door.get(f"/live/room/{segments[-1]}")).read()
    assert last == b"".join(part_bytes(number) for number in range(15, 20))


async def test_the_hinted_part_is_held_until_it_is_whole(door):
    await door.begin()
    await door.feed(range(3))
    asked = asyncio.create_task(door.get("/live/room/aaaaaaaa/source/p3.m4s"))
    await door.held(1)
    assert not asked.done()
    await door.feed(range(3, 4))
    answer = await asked
    assert await answer.read() == part_bytes(3)
    assert answer.headers["Content-Length"] == str(len(part_bytes(3)))


@pytest.mark.parametrize(
    "name",
    [
        "aaaaaaaa/source/p9.m4s",
        "aaaaaaaa/source/s9.m4s",
        "aaaaaaaa/source/p" + "9" * 5000 + ".m4s",
        "cccccccc/source/init.mp4",
        "cccccccc/source/p0.m4s",
        "index.html",
    ],
)
async def test_what_is_not_there_is_not_found_and_forgotten_soon(door, name):
    await door.begin()
    await door.feed(range(3))
    answer = await door.get(f"/live/room/{name}")
    assert answer.status == 404
    assert "86400" not in answer.headers.get("Cache-Control", "")
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


async def test_a_frozen_producer_is_503_after_three_target_durations(door):
    await door.begin(described=description(part_frames=3, segment_frames=6))
    await door.feed(range(1))
    begin = time.monotonic()
    answer = await door.get(f"{PLAYLIST}?_HLS_msn={door.first_msn}&_HLS_part=1")
    assert 2.8 < time.monotonic() - begin < 3.4
    assert answer.status == 503
    assert answer.headers["Retry-After"] == "1"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Access-Control-Expose-Headers"] == "Age, Date"
    assert door.lane.held == 0


async def test_more_held_requests_than_the_limit_are_503(door):
    await door.begin()
    await door.feed(range(3))
    url = f"{PLAYLIST}?_HLS_msn={door.first_msn}&_HLS_part=3"
    asked = [asyncio.create_task(door.get(url)) for _ in range(3)]
    await door.held(3)
    refused = await door.get(url)
    assert (refused.status, refused.headers["Retry-After"]) == (503, "1")
    await door.feed(range(3, 4))
    assert [(await one).status for one in asked] == [200] * 3


async def test_the_end_releases_held_requests_and_directives_are_ignored_then(door):
    await door.begin()
    await door.feed(range(3))
    asked = asyncio.create_task(door.get(f"{PLAYLIST}?_HLS_msn={door.first_msn}&_HLS_part=3"))
    await door.held(1)
    assert (await door.put(f"{SESSION}/end")).status == 200
    assert (await door.put(f"{SESSION}/end")).status == 200
    assert (await (await asked).text()).endswith("#EXT-X-ENDLIST\n")
    for query in ("_HLS_msn=999999999999", "_HLS_part=3", "_HLS_msn=x"):
        assert (await door.get(f"{PLAYLIST}?{query}")).status == 200


async def test_cache_lifetimes(door):
    await door.begin()
    await door.feed(range(6))
    expected = {
        PLAYLIST: "public, max-age=1",
        f"{PLAYLIST}?_HLS_msn={door.first_msn}&_HLS_part=2": "public, max-age=12",
        "/live/room/index.m3u8": "public, max-age=1",
        "/live/room/aaaaaaaa/source/init.mp4": "public, max-age=86400, immutable",
        "/live/room/aaaaaaaa/source/p5.m4s": "public, max-age=86400, immutable",
        "/live/room/aaaaaaaa/source/s0.m4s": "public, max-age=86400, immutable",
        f"{PLAYLIST}?_HLS_part=2": "public, max-age=1",
    }
    found = {path: (await door.get(path)).headers["Cache-Control"] for path in expected}
    assert found == expected


@pytest.mark.parametrize("path", [PLAYLIST, "/live/room/index.m3u8"])
async def test_playlists_are_compressed_for_who_takes_it(door, path):
    await door.begin()
    await door.feed(range(23))
    plain, zipped = await door.get(path), await door.get(path, **{"Accept-Encoding": "br, gzip"})
    refused = await door.get(path, **{"Accept-Encoding": "gzip;q=0"})
    assert zipped.headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in plain.headers
    assert "Content-Encoding" not in refused.headers
    assert gzip.decompress(await zipped.read()) == await plain.read()
    assert plain.headers["Vary"] == zipped.headers["Vary"] == "Accept-Encoding"
    assert plain.content_type == "application/vnd.apple.mpegurl"


async def test_an_unchanged_playlist_is_not_sent_again(door):
    await door.begin()
    await door.feed(range(3))
    etag = (await door.get(PLAYLIST)).headers["ETag"]
    assert (await door.get(PLAYLIST, **{"If-None-Match": etag})).status == 304
    await door.feed(range(3, 4))
    changed = await door.get(PLAYLIST, **{"If-None-Match": etag})
    assert (changed.status, changed.headers["ETag"] != etag) == (200, True)


async def test_other_sites_may_play_and_read_age_and_head_and_options_are_answered(door):
    await door.begin()
    await door.feed(range(6))
    for path in (
        PLAYLIST,
        "/live/room/index.m3u8",
        "/live/room/aaaaaaaa/source/p5.m4s",
        "/live/no/x",
    ):
        for method in ("GET", "HEAD", "OPTIONS", "DELETE"):
            answer = await door.ask(method, path)
            assert answer.headers["Access-Control-Allow-Origin"] == "*", (method, path)
            assert "Age" in answer.headers["Access-Control-Expose-Headers"]
    head = await door.ask("HEAD", "/live/room/aaaaaaaa/source/p5.m4s")
    assert (head.status, head.headers["Content-Length"]) == (200, str(len(part_bytes(5))))
    preflight = await door.ask("OPTIONS", PLAYLIST)
    assert preflight.status == 204
    assert "GET" in preflight.headers["Access-Control-Allow-Methods"]


async def test_a_new_session_stands_behind_a_discontinuity(door):
    await door.begin()
    await door.feed(range(7))
    await door.begin(NEXT_SESSION)
    await door.feed(range(2), NEXT_SESSION)
    text = await (await door.get(PLAYLIST)).text()
    assert '#EXT-X-DISCONTINUITY\n#EXT-X-MAP:URI="bbbbbbbb/source/init.mp4"' in text
    assert text.count("#EXT-X-PRELOAD-HINT") == 1
    late = await door.put(f"{SESSION}/parts/7", part_bytes(7))
    assert (late.status, (await late.json())["code"]) == (409, "session_over")


async def test_uploads_are_idempotent_and_in_order(door):
    await door.begin()
    await door.begin()
    await door.feed(range(3))
    again = await door.put(f"{SESSION}/parts/1", part_bytes(1))
    assert (again.status, await again.json()) == (200, {"ok": True, "new": False})
    ahead = await door.put(f"{SESSION}/parts/7", part_bytes(7))
    assert (ahead.status, (await ahead.json())["next"]) == (409, 3)
    other_init = await door.put(f"{SESSION}/init", init_bytes(9))
    assert other_init.status == 409
    assert b"p3.m4s" in await (await door.get(PLAYLIST)).read()


async def test_a_server_that_has_forgotten_the_session_says_so(door):
    for rest in (f"{SESSION}/parts/12", f"{SESSION}/init", f"{SESSION}/end"):
        assert (await door.put(rest, init_bytes())).status in {400, 404}
    assert (await door.put(f"{SESSION}/parts/12", part_bytes(12))).status == 404
    await door.begin()
    wanted = await door.put(f"{SESSION}/parts/12", part_bytes(12))
    assert (wanted.status, (await wanted.json())["next"]) == (409, 15)


@pytest.mark.parametrize("token", ["", "debater"])
async def test_uploads_without_the_broadcasts_token_change_nothing(door, token):
    await door.begin()
    await door.feed(range(2))
    for rest, body in (
        (f"{SESSION}/parts/2", part_bytes(2)),
        (f"{SESSION}/end", b""),
        (NEXT_SESSION, description().model_dump_json().encode()),
    ):
        answer = await door.put(rest, body, token=token)
        assert answer.status == (403 if token else 401)
    assert door.programme.window.hinted()[1] == 2
    assert not door.programme.window.ended


async def test_another_rooms_programme_is_refused(door):
    body = description().model_dump_json().encode()
    assert (await door.put(SESSION, body, programme="elsewhere")).status == 403
    with pytest.raises(NotFoundError):
        door.origin.find("elsewhere")


@pytest.mark.parametrize(
    ("rest", "body", "status"),
    [
        (SESSION, b"{}", 400),
        (SESSION, b"not json", 400),
        (SESSION, b"x" * 20_000, 413),
        ("NOT-A-SESSION", b"{}", 400),
        (f"{SESSION}/init", box("ftyp"), 400),
        (f"{SESSION}/init", b"", 400),
        (f"{SESSION}/init", box("ftyp") + box("moov", b"x" * 70_000), 413),
        (f"{SESSION}/parts/3", box("moof"), 400),
        (f"{SESSION}/parts/3", part_bytes(3)[:-1], 400),
        (f"{SESSION}/parts/3", part_bytes(3) + b"tail", 400),
        (f"{SESSION}/parts/-3", part_bytes(3), 404),
        (f"{SESSION}/parts/{'9' * 400}", part_bytes(3), 404),
    ],
)
async def test_torn_or_malformed_uploads_change_nothing(door, rest, body, status):
    await door.begin()
    await door.feed(range(3))
    before = await (await door.get(PLAYLIST)).read()
    assert (await door.put(rest, body)).status == status
    assert await (await door.get(PLAYLIST)).read() == before


async def test_a_part_in_chunks_is_as_good_as_one_with_a_length(door):
    await door.begin()

    async def chunks():
        data = part_bytes(0)
        yield data[:10]
        yield data[10:]

    assert (await door.put(f"{SESSION}/parts/0", chunks())).status == 200
    assert await (await door.get("/live/room/aaaaaaaa/source/p0.m4s")).read() == part_bytes(0)


async def test_a_player_that_goes_away_does_not_keep_its_place_beyond_the_next_part(door):
    await door.begin()
    await door.feed(range(3))
    asked = asyncio.create_task(door.get(f"{PLAYLIST}?_HLS_msn={door.first_msn}&_HLS_part=3"))
    await door.held(1)
    asked.cancel()
    await asyncio.gather(asked, return_exceptions=True)
    await door.feed(range(3, 4))
    await door.held(0)
    assert door.lane.held == 0
