"""The lane on real sockets: both sides of a connection, crowds, limits, and aiohttp's inside."""

import asyncio
import gc
import socket
import time

import pytest
from aiohttp import web

from bridge.server.lane.lane import Lane
from bridge.server.origin.answers import Answer, Asked, Held, Reply
from tests.helpers import until
from tests.lane import serving

OK = Answer(200, (("Content-Type", "text/plain"),), b"from the lane\n")
LATE = Answer(503, (("Retry-After", "1"),), b"late\n")
BIG = Answer(200, (), b"x" * 4_000_000)


class Desk:
    """An `Ask` whose held requests the test releases."""

    def __init__(self) -> None:
        self.until: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.seconds = 5.0
        self.asked: list[Asked] = []

    def __call__(self, asked: Asked) -> Reply:
        self.asked.append(asked)
        if asked.path.endswith("/held") and not self.until.done():
            return Held(self.until, lambda: OK, LATE, self.seconds)
        if asked.path.endswith("/big"):
            return BIG
        if asked.path.endswith("/disk"):
            return self._later()
        return OK

    async def _later(self) -> Answer:
        await self.until
        return OK


class Wire:
    """A client that writes what it likes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    def send(self, data: bytes) -> None:
        self._writer.write(data)

    async def answer(self) -> tuple[int, bytes]:
        async with asyncio.timeout(5):
            head = await self._reader.readuntil(b"\r\n\r\n")
            length = 0
            for line in head.split(b"\r\n"):
                if line.lower().startswith(b"content-length:"):
                    length = int(line[15:])
            return int(head[9:12]), await self._reader.readexactly(length)

    async def closed(self) -> bool:
        async with asyncio.timeout(5):
            return await self._reader.read() == b""

    def close(self) -> None:
        self._writer.close()


class Hall:
    """A server with a lane, and clients."""

    def __init__(self, desk: Desk, lane: Lane) -> None:
        self.desk = desk
        self.lane = lane
        self.address = ("", 0)
        self._wires: list[Wire] = []

    async def wire(self) -> Wire:
        self._wires.append(Wire(*await asyncio.open_connection(*self.address)))
        return self._wires[-1]

    def close(self) -> None:
        for wire in self._wires:
            wire.close()


@pytest.fixture
async def hall():
    async def page(request: web.Request) -> web.Response:
        return web.Response(text=f"from aiohttp, {len(await request.read())} bytes\n")

    desk = Desk()
    made = Hall(desk, Lane(desk, max_held=50))
    app = web.Application()
    app.router.add_route("*", "/page", page)
    app.router.add_route("*", "/live/{rest:.*}", made.lane.view)
    async with serving(app, made.lane) as made.address:
        yield made
        made.close()


def get(path: str, *fields: str, method: str = "GET") -> bytes:
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: x", *fields, "", ""]).encode()


async def test_one_connection_carries_both_sides_in_any_order(hall):
    wire = await hall.wire()
    for _ in range(3):
        wire.send(get("/live/x"))
        assert await wire.answer() == (200, b"from the lane\n")
        wire.send(get("/page", "Content-Length: 5", method="POST") + b"abcde")
        assert await wire.answer() == (200, b"from aiohttp, 5 bytes\n")
    wire.send(get("/live/x"))
    assert (await wire.answer())[0] == 200


async def test_pipelined_requests_are_answered_in_their_order(hall):
    wire = await hall.wire()
    wire.send(get("/live/a") + get("/live/b") + get("/page") + get("/live/c"))
    bodies = [(await wire.answer())[1] for _ in range(4)]
    assert bodies == [b"from the lane\n"] * 2 + [b"from aiohttp, 0 bytes\n"] + [b"from the lane\n"]


async def test_a_head_may_come_byte_by_byte(hall):
    wire = await hall.wire()
    for byte in get("/live/x"):
        wire.send(bytes([byte]))
        await asyncio.sleep(0.001)  # each a packet of its own
    assert await wire.answer() == (200, b"from the lane\n")


async def test_a_body_that_looks_like_a_request_is_a_body(hall):
    wire = await hall.wire()
    trap = get("/live/trap")
    wire.send(get("/page", f"Content-Length: {len(trap)}", method="POST"))
    await asyncio.sleep(0.05)  # so that the body comes by itself
    wire.send(trap)
    assert (await wire.answer())[1].startswith(b"from aiohttp")
    assert not hall.desk.asked


async def test_methods_and_heads(hall):
    wire = await hall.wire()
    wire.send(get("/live/x", method="HEAD") + get("/page"))
    status = await wire._reader.readuntil(b"\r\n\r\n")
    assert status.startswith(b"HTTP/1.1 200")
    assert b"Content-Length: 14" in status
    assert (await wire.answer())[1].startswith(b"from aiohttp"), "a HEAD has no body"


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (get("/live/x", method="DELETE"), 405),
        (get("/live/x", "Content-Length: 9") + b"123456789", 413),
        (get("/live/x", "Transfer-Encoding: chunked") + b"0\r\n\r\n", 413),
        (b"GET /live/x HTTP/1.1\r\n" + b"A: " + b"b" * 20_000, 431),
        (b"GET /live/x\r\n\r\n", 400),
    ],
)
async def test_what_cannot_be_answered_is_refused_and_hung_up(hall, request_, status):
    wire = await hall.wire()
    wire.send(request_)
    assert (await wire.answer())[0] == status
    assert await wire.closed()


async def test_a_connection_that_is_to_close_is_closed(hall):
    wire = await hall.wire()
    wire.send(get("/live/x", "Connection: close"))
    assert (await wire.answer())[0] == 200
    assert await wire.closed()


async def test_a_crowd_is_one_callback_and_everybody_is_answered(hall):
    wires = [await hall.wire() for _ in range(50)]
    for wire in wires:
        wire.send(get("/live/held"))
    await until(lambda: hall.lane.held == 50, "all are held")
    assert len(hall.desk.until._callbacks or ()) == 1
    refused = await hall.wire()
    refused.send(get("/live/held"))
    assert (await refused.answer())[0] == 503
    hall.desk.until.set_result(None)
    assert {await wire.answer() for wire in wires} == {(200, b"from the lane\n")}
    assert hall.lane.held == 0


async def test_who_leaves_while_held_frees_the_place(hall):
    wires = [await hall.wire() for _ in range(3)]
    for wire in wires:
        wire.send(get("/live/held"))
    await until(lambda: hall.lane.held == 3, "all are held")
    wires[0].close()
    await until(lambda: hall.lane.held == 2, "one less")
    hall.desk.until.set_result(None)
    assert (await wires[1].answer())[0] == 200


async def test_whoever_waits_too_long_is_told(hall):
    hall.desk.seconds = 0.3
    wire = await hall.wire()
    begin = time.monotonic()
    wire.send(get("/live/held"))
    assert await wire.answer() == (503, b"late\n")
    assert 0.29 < time.monotonic() - begin < 1
    assert hall.lane.held == 0
    hall.desk.until.set_result(None)
    wire.send(get("/live/held"))
    assert (await wire.answer())[0] == 200


async def test_what_comes_while_one_is_held_waits(hall):
    wire = await hall.wire()
    wire.send(get("/live/held") + get("/page"))
    await until(lambda: hall.lane.held == 1, "it is held")
    hall.desk.until.set_result(None)
    assert (await wire.answer())[1] == b"from the lane\n"
    assert (await wire.answer())[1].startswith(b"from aiohttp")


async def test_what_must_be_read_from_a_disk_is_bounded(hall):
    wires = [await hall.wire() for _ in range(65)]
    for wire in wires[:64]:
        wire.send(get("/live/disk"))
    await until(lambda: len(hall.desk.asked) == 64, "all are asked for")
    wires[64].send(get("/live/disk"))
    assert (await wires[64].answer())[0] == 503
    hall.desk.until.set_result(None)
    assert {(await wire.answer())[0] for wire in wires[:64]} == {200}


async def test_a_slow_reader_costs_no_copies_and_nothing_behind_it_is_read(hall):
    wire = await hall.wire()
    sock = wire._writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    wire._reader._transport.pause_reading()
    wire.send(get("/live/big") * 20)
    await until(lambda: len(hall.desk.asked) >= 1, "the first is asked for")
    await asyncio.sleep(0.2)  # time in which more would be asked for
    assert len(hall.desk.asked) < 4
    copies = [one for one in gc.get_objects() if isinstance(one, bytes) and len(one) > 3_000_000]
    assert all(one is BIG.body for one in copies)


async def test_what_the_lane_uses_of_aiohttp_means_what_it_meant(hall):
    wire = await hall.wire()
    wire.send(get("/live/held"))
    await until(lambda: hall.lane.held == 1, "it is held")
    (connection,) = hall.lane.crowds._crowds[hall.desk.until].waiting
    assert connection.is_idle, "aiohttp waits for a request meanwhile"
    before = connection._next_keepalive_close_time
    assert before > asyncio.get_running_loop().time() + 70
    connection.stay(1000)
    assert connection._next_keepalive_close_time > before + 900
    hall.desk.until.set_result(None)
    await wire.answer()
    wire.send(b"POST /page HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n")
    await until(lambda: not connection.is_idle, "aiohttp has a request to answer")
    wire.send(b"\r\n\r\n")
    assert (await wire.answer())[0] == 200
    await until(lambda: connection.is_idle, "aiohttp waits again")


@pytest.mark.parametrize("before", [b"", get("/page"), get("/live/x")])
async def test_a_head_that_aiohttp_has_half_of_stays_its_own(hall, before):
    wire = await hall.wire()
    wire.send(before + b"GET /page HTTP/1.1\r\nHost: x\r\nX: ")
    if before:
        assert (await wire.answer())[0] == 200
    else:
        await asyncio.sleep(0.05)  # so that the rest comes by itself
    asked = len(hall.desk.asked)
    # The rest of a field, which begins like a request.
    wire.send(b"GET /live/trap HTTP/1.1\r\n\r\n")
    assert (await wire.answer())[1].startswith(b"from aiohttp")
    assert len(hall.desk.asked) == asked
    wire.send(get("/live/x"))
    assert (await wire.answer())[1] == b"from the lane\n"


async def test_reading_goes_on_after_a_full_buffer(hall):
    wire = await hall.wire()
    wire.send(get("/live/held"))
    await until(lambda: hall.lane.held == 1, "it is held")
    (connection,) = hall.lane.crowds._crowds[hall.desk.until].waiting
    *whole, last = [get("/live/x", "X: " + "y" * 5000) for _ in range(4)]
    wire.send(b"".join(whole) + last[:2500])
    await until(lambda: len(connection._buffer) > 16 * 1024, "the buffer is full")
    hall.desk.until.set_result(None)
    for _ in range(4):
        assert (await wire.answer())[0] == 200
    wire.send(last[2500:])
    assert (await wire.answer())[0] == 200


async def test_a_request_that_came_by_way_of_aiohttp_counts_too(hall):
    wires = [await hall.wire() for _ in range(51)]
    for wire in wires[:50]:
        # Behind another's in the same packet.
        wire.send(get("/page") + get("/live/held"))
        assert (await wire.answer())[0] == 200
    await until(lambda: hall.lane.held == 50, "all are held")
    wires[50].send(get("/page") + get("/live/held"))
    assert [(await wires[50].answer())[0] for _ in range(2)] == [200, 503]
    hall.desk.until.set_result(None)
    assert {await wire.answer() for wire in wires[:50]} == {(200, b"from the lane\n")}


async def test_a_wrong_method_is_told_the_right_ones(hall):
    wire = await hall.wire()
    wire.send(get("/live/x", method="PUT"))
    head = await wire._reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 405")
    assert b"\r\nAllow: GET, HEAD, OPTIONS\r\n" in head
    assert b"\r\nAccess-Control-Allow-Origin: *\r\n" in head
