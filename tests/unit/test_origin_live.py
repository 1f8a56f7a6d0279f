"""Requests that wait for parts and playlists, without sockets."""

import asyncio
import gzip

import pytest

from bridge.clock import FakeClock
from bridge.errors import InputError, NotFoundError, StreamEndedError
from bridge.server.origin.live import BusyError, HeldRequests, LiveProgramme
from bridge.server.origin.origin import Origin
from bridge.server.origin.window import Position
from tests.helpers import until
from tests.server import NEXT_SESSION, SESSION, description, init_bytes, part_bytes


def on_air(parts: int, *, limit: int = 100) -> LiveProgramme:
    programme = LiveProgramme(first_msn=100, listed=10, held=HeldRequests(limit))
    programme.open_session(SESSION, description())
    programme.put_init(SESSION, init_bytes())
    put(programme, range(parts))
    return programme


def put(programme: LiveProgramme, numbers: range) -> None:
    for number in numbers:
        programme.put_part(SESSION, number, part_bytes(number))


async def held(programme: LiveProgramme, count: int) -> None:
    await until(lambda: programme.waiters == count, f"{count} requests are held")


async def test_all_who_wait_for_a_part_get_the_same_rendered_playlist():
    programme = on_air(3)
    asked = [asyncio.create_task(programme.playlist(Position(100, 3))) for _ in range(5)]
    await held(programme, 5)
    put(programme, range(3, 4))
    answers = await asyncio.gather(*asked)
    assert all(answer is answers[0] for answer in answers)
    assert b'URI="aaaaaaaa/p3.m4s"' in answers[0].text
    assert gzip.decompress(answers[0].gzipped) == answers[0].text
    assert programme.waiters == 0


async def test_a_bare_msn_waits_until_the_segment_is_published():
    programme = on_air(3)
    asked = asyncio.create_task(programme.playlist(Position(100, None)))
    await held(programme, 1)
    put(programme, range(3, 5))
    await asyncio.sleep(0)
    assert programme.waiters == 1, "complete, but not published"
    put(programme, range(5, 6))
    assert b"aaaaaaaa/s0.m4s" in (await asked).text


async def test_the_part_after_a_segments_last_is_the_next_segments_first():
    programme = on_air(5)
    asked = asyncio.create_task(programme.playlist(Position(100, 5)))
    await held(programme, 1)
    put(programme, range(5, 6))
    assert b"aaaaaaaa/p5.m4s" in (await asked).text


async def test_what_is_past_is_answered_at_once():
    programme = on_air(8)
    for position in (Position(1, 0), Position(100, None), Position(100, 2), Position(101, 2)):
        assert (await programme.playlist(position)).text


async def test_only_just_too_far_ahead_is_refused():
    programme = on_air(2)
    # The newest is part 1 of 100; eight parts of 0.4 s are three seconds, rounded up.
    asked = asyncio.create_task(programme.playlist(Position(101, 4)))
    await held(programme, 1)
    for position in (Position(101, 5), Position(102, 0), Position(102, None)):
        with pytest.raises(InputError) as refusal:
            await programme.playlist(position)
        assert refusal.value.code == "too_far"
    programme.end()
    assert b"#EXT-X-ENDLIST" in (await asked).text


async def test_the_end_answers_everybody_and_later_directives_are_ignored():
    programme = on_air(3)
    asked = asyncio.create_task(programme.playlist(Position(100, 3)))
    part = asyncio.create_task(programme.part(SESSION, 3))
    await held(programme, 2)
    programme.end()
    assert b"#EXT-X-ENDLIST" in (await asked).text
    with pytest.raises(NotFoundError):
        await part
    assert (await programme.playlist(Position(10_000, 3))).text == (await asked).text


async def test_the_end_of_a_programme_that_never_began():
    programme = on_air(0)
    asked = asyncio.create_task(programme.playlist(Position(100, 0)))
    await held(programme, 1)
    programme.end()
    with pytest.raises(NotFoundError):
        await asked


async def test_the_hinted_part_is_held_and_any_other_future_one_refused():
    programme = on_air(3)
    asked = asyncio.create_task(programme.part(SESSION, 3))
    await held(programme, 1)
    with pytest.raises(NotFoundError):
        await programme.part(SESSION, 4)
    put(programme, range(3, 4))
    assert await asked == part_bytes(3)


async def test_a_hint_that_another_session_made_void_is_not_found():
    programme = on_air(3)
    asked = asyncio.create_task(programme.part(SESSION, 3))
    await held(programme, 1)
    programme.open_session(NEXT_SESSION, description())
    programme.put_init(NEXT_SESSION, init_bytes(1))
    programme.put_part(NEXT_SESSION, 0, part_bytes(0))
    with pytest.raises(NotFoundError):
        await asked


async def test_a_request_that_is_given_up_frees_its_place():
    programme = on_air(3)
    staying, leaving = (asyncio.create_task(programme.playlist(Position(100, 3))) for _ in range(2))
    await held(programme, 2)
    leaving.cancel()
    await asyncio.gather(leaving, return_exceptions=True)
    assert programme.waiters == 1
    put(programme, range(3, 4))
    assert (await staying).text


async def test_more_than_may_be_held_are_refused_and_the_others_stay():
    programme = on_air(3, limit=2)
    asked = [asyncio.create_task(programme.playlist(Position(100, 3))) for _ in range(2)]
    await held(programme, 2)
    with pytest.raises(BusyError):
        await programme.playlist(Position(100, 3))
    assert programme.waiters == 2
    put(programme, range(3, 4))
    assert all(await asyncio.gather(*asked))


async def test_the_servers_end_answers_all_held_requests():
    clock = FakeClock()
    origin = Origin(clock, listed=10, max_held=10)
    programme = origin.open("room", description())
    programme.open_session(SESSION, description())
    programme.put_init(SESSION, init_bytes())
    put(programme, range(1))
    first = programme.window.listed()[0].msn
    asked = asyncio.create_task(programme.playlist(Position(first, 1)))
    await held(programme, 1)
    assert origin.held == 1
    origin.close()
    with pytest.raises(StreamEndedError):
        await asked
    assert origin.held == programme.waiters == 0


async def test_sequence_numbers_go_on_upwards_over_every_restart():
    clock = FakeClock()
    origin = Origin(clock, listed=10, max_held=10)
    before = origin.open("room", description())
    assert before.window.next_msn == clock.wall() // 2
    before.open_session(SESSION, description())
    before.put_init(SESSION, init_bytes())
    put(before, range(50))
    origin.end("room")
    again = origin.open("room", description())
    assert again is not before
    assert again.window.next_msn == before.window.next_msn, "the clock is behind the numbers"
    clock.advance(60)
    restarted = Origin(clock, listed=10, max_held=10).open("room", description())
    assert restarted.window.next_msn > before.window.next_msn
    origin.close()


async def test_versions_of_two_runs_of_the_server_never_look_the_same():
    first, second = on_air(3), on_air(3)
    assert (await first.playlist(None)).etag != (await second.playlist(None)).etag
    assert (await first.playlist(None)) is (await first.playlist(None))


async def test_nothing_to_play_is_no_programme():
    origin = Origin(FakeClock(), listed=10, max_held=10)
    origin.open("room", description())
    with pytest.raises(NotFoundError):
        origin.find("room")
    with pytest.raises(NotFoundError):
        origin.find("elsewhere")
