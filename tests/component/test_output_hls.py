"""Uploads against an origin of the test's own that keeps the rules and fails on demand."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from functools import partial

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bridge.broadcast.media.packets import EncodedPacket
from bridge.broadcast.outputs import fmp4
from bridge.broadcast.outputs.hls import HlsOutput, OriginAddress, describe
from bridge.protocol.messages import OutputState
from bridge.protocol.upload import ProgrammeDescription
from tests import media


@dataclass
class Session:
    description: ProgrammeDescription
    init: bytes = b""
    parts: dict[int, bytes] = field(default_factory=dict)
    ended: bool = False


class Origin:
    """Keeps what `bridge.protocol.upload` says; `fault` may answer instead."""

    def __init__(self) -> None:
        self.sessions: dict[str, Session] = {}
        self.fault: Callable[[web.Request], int | None] = lambda _: None
        self.requests = 0
        self._changed = asyncio.Condition()

    def app(self) -> web.Application:
        app = web.Application(client_max_size=8 << 20)
        base = "/ingest/room/{session}"
        app.router.add_put(base, self._guard(self._describe))
        app.router.add_put(base + "/init", self._guard(self._init))
        app.router.add_put(base + "/parts/{n}", self._guard(self._part))
        app.router.add_put(base + "/end", self._guard(self._end))
        return app

    async def until(self, condition: Callable[[], bool]) -> None:
        async with self._changed, asyncio.timeout(10):
            await self._changed.wait_for(condition)

    @property
    def last(self) -> Session:
        return list(self.sessions.values())[-1]

    def _guard(self, answer):
        async def guarded(request: web.Request) -> web.StreamResponse:
            assert request.headers["Authorization"] == "Bearer secret-token"
            self.requests += 1
            status = self.fault(request)
            response = web.Response(status=status) if status else await answer(request)
            async with self._changed:
                self._changed.notify_all()
            return response

        return guarded

    def _session(self, request: web.Request) -> Session:
        try:
            return self.sessions[request.match_info["session"]]
        except KeyError:
            raise web.HTTPNotFound from None

    async def _describe(self, request: web.Request) -> web.Response:
        description = ProgrammeDescription.model_validate_json(await request.read())
        self.sessions.setdefault(request.match_info["session"], Session(description))
        return web.Response()

    async def _init(self, request: web.Request) -> web.Response:
        self._session(request).init = await request.read()
        return web.Response()

    async def _part(self, request: web.Request) -> web.Response:
        session, number = self._session(request), int(request.match_info["n"])
        data = await request.read()
        if session.parts.get(number) == data:
            return web.Response()
        wanted = max(session.parts) + 1 if session.parts else -(-number // 5) * 5
        if number != wanted:
            return web.json_response({"next": wanted}, status=409)
        session.parts[number] = data
        return web.Response()

    async def _end(self, request: web.Request) -> web.Response:
        self._session(request).ended = True
        return web.Response()


@pytest.fixture
async def origin() -> Origin:
    return Origin()


@pytest.fixture
async def server(origin: Origin) -> AsyncIterator[TestServer]:
    server = TestServer(origin.app())
    await server.start_server()
    yield server
    await server.close()


class States:
    def __init__(self) -> None:
        self.seen: list[OutputState] = []

    def __call__(self, state: OutputState, detail: str) -> None:
        self.seen.append(state)


def _output(server: TestServer, states: States) -> HlsOutput:
    return HlsOutput(
        OriginAddress(server_url=str(server.make_url("/")), token="secret-token", programme="room"),
        renditions=(media.blank_rendition(),),
        grid=media.grid(),
        start_wall=1_700_000_000.0,
        on_state=states,
    )


def _feed(output: HlsOutput, packets: list[EncodedPacket]) -> None:
    for packet in packets:
        output.put(packet)


@dataclass
class Feeder:
    """Puts one programme into an output piece by piece, each within the channel's bound."""

    output: HlsOutput
    programme: list[EncodedPacket] = field(default_factory=lambda: media.blank_programme(900))

    async def until_part(self, number: int) -> None:
        """Everything up to the end of part `number`, at a pace that no bound notices."""
        end = media.grid().pts((number + 1) * 12)
        while self.programme and (self.programme[0].kind == "audio" or self.programme[0].pts < end):
            self.output.put(self.programme.pop(0))
            if len(self.programme) % 10 == 0:
                await asyncio.sleep(0.001)


def _arrived(origin: Origin, number: int) -> bool:
    return bool(origin.sessions) and number in origin.last.parts


async def test_a_programme_arrives_whole_and_ended(origin: Origin, server: TestServer) -> None:
    states = States()
    output = _output(server, states)
    output.start()
    feeder = Feeder(output)
    await feeder.until_part(11)
    await origin.until(lambda: 11 in origin.last.parts)
    await output.stop(5)
    assert list(origin.last.parts) == list(range(12))
    assert origin.last.init == fmp4.init_segment(media.blank_parameters())
    assert origin.last.ended
    assert origin.last.description.renditions[0].codecs == "avc1.64001f,mp4a.40.2"
    assert states.seen == [OutputState.PREPARING, OutputState.LIVE, OutputState.STOPPED]
    await output.stop(5)


async def test_the_last_unfinished_part_is_sent_at_the_end(
    origin: Origin, server: TestServer
) -> None:
    output = _output(server, States())
    output.start()
    _feed(output, media.blank_programme(17))
    await output.stop(5)
    assert list(origin.last.parts) == [0, 1]
    assert origin.last.ended


async def test_a_fault_of_the_server_is_retried_and_nothing_is_lost(
    origin: Origin, server: TestServer
) -> None:
    states = States()
    output = _output(server, states)
    faults = {"3": 2, "7": 1}

    def fault(request: web.Request) -> int | None:
        number = request.match_info.get("n", "")
        faults[number] = faults.get(number, 0) - 1
        return 503 if faults[number] >= 0 else None

    origin.fault = fault
    output.start()
    feeder = Feeder(output)
    for number in range(10):
        await feeder.until_part(number)
        await origin.until(partial(_arrived, origin, number))
    await output.stop(5)
    assert len(origin.sessions) == 1
    assert list(origin.last.parts) == list(range(10))
    assert states.seen.count(OutputState.RETRYING) == 2
    assert states.seen[-2:] == [OutputState.LIVE, OutputState.STOPPED]


async def test_a_server_that_forgot_the_session_is_told_again_and_names_the_next_part(
    origin: Origin, server: TestServer
) -> None:
    output = _output(server, States())
    output.start()
    feeder = Feeder(output)
    await feeder.until_part(6)
    await origin.until(lambda: 6 in origin.last.parts)
    origin.sessions.clear()
    await feeder.until_part(8)
    # 7, 8 and 9 cannot open a playlist; the origin answers 409 with the next segment's first.
    await origin.until(lambda: bool(origin.sessions) and bool(origin.last.init))
    for number in range(9, 13):
        await feeder.until_part(number)
    await origin.until(lambda: 12 in origin.last.parts)
    await output.stop(5)
    assert next(iter(origin.last.parts)) == 10
    assert origin.last.init


async def test_a_server_that_is_away_too_long_gets_a_new_session_at_a_segment(
    origin: Origin, server: TestServer
) -> None:
    states = States()
    output = _output(server, states)
    output.start()
    feeder = Feeder(output)
    await feeder.until_part(2)
    await origin.until(lambda: 2 in origin.last.parts)
    origin.fault = lambda _: 500
    for number in range(3, 12):
        await feeder.until_part(number)
    before = origin.requests
    await origin.until(lambda: origin.requests > before)
    origin.fault = lambda _: None
    await origin.until(lambda: len(origin.sessions) == 2 and 11 in origin.last.parts)
    await output.stop(5)
    assert list(origin.last.parts) == [10, 11]
    assert OutputState.DEGRADED in states.seen
    assert states.seen[-2:] == [OutputState.LIVE, OutputState.STOPPED]
    assert output.dropped == 7


async def test_a_channel_that_overflows_restarts_behind_a_discontinuity(
    origin: Origin, server: TestServer
) -> None:
    output = _output(server, States())
    # Before start nobody takes, so that seven seconds do not fit into the two there are.
    _feed(output, media.blank_programme(210))
    output.start()
    feeder = Feeder(
        output, media.blank_programme(420)[sum(1 for _ in media.blank_programme(210)) :]
    )
    await feeder.until_part(27)
    await origin.until(lambda: bool(origin.sessions) and 27 in origin.last.parts)
    await output.stop(5)
    numbers = list(origin.last.parts)
    assert numbers[0] % 5 == 0
    assert numbers == list(range(numbers[0], 28))


async def test_a_refused_token_is_told_and_does_not_end_the_output(
    origin: Origin, server: TestServer
) -> None:
    states = States()
    output = _output(server, states)
    origin.fault = lambda _: 403
    output.start()
    feeder = Feeder(output)
    await feeder.until_part(0)
    await origin.until(lambda: origin.requests > 0)
    origin.fault = lambda _: None
    for number in range(1, 8):
        await feeder.until_part(number)
    await origin.until(lambda: bool(origin.sessions) and 7 in origin.last.parts)
    await output.stop(5)
    assert OutputState.REJECTED in states.seen
    assert states.seen[-2:] == [OutputState.LIVE, OutputState.STOPPED]


async def test_stop_keeps_its_deadline_when_the_server_is_gone(
    origin: Origin, server: TestServer
) -> None:
    output = _output(server, States())
    origin.fault = lambda _: 500
    output.start()
    _feed(output, media.blank_programme(30))
    await origin.until(lambda: origin.requests > 0)
    async with asyncio.timeout(2):
        await output.stop(0.3)


def test_bandwidth_is_never_below_what_a_segment_may_hold() -> None:
    (source,) = describe((media.blank_rendition(),), media.grid(), 0.0).renditions
    assert source.average_bandwidth == 4_000_000 + 140_800 + 16_000
    assert source.bandwidth == 6_000_000 + 140_800 + 16_000
