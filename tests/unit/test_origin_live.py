"""Requests that wait for parts and playlists, without sockets."""

import asyncio
import gzip

import pytest

from bridge.clock import FakeClock
from bridge.errors import NotFoundError
from bridge.server.origin.answers import Answer, Asked, Held
from bridge.server.origin.origin import Origin
from bridge.server.origin.routes import Routes
from tests.server import NEXT_SESSION, SESSION, description, init_bytes, part_bytes


class Room:
    """A programme of one rendition behind the routes."""

    def __init__(self, parts: int) -> None:
        self.clock = FakeClock()
        self.origin = Origin(self.clock, listed=10)
        self.routes = Routes(self.origin)
        self.programme = self.origin.open("room", description())
        self.programme.open_session(SESSION, description())
        self.programme.put_init(SESSION, (init_bytes(),))
        self.first = self.programme.window.next_msn
        self.put(range(parts))

    def put(self, numbers: range, session: str = SESSION) -> None:
        for number in numbers:
            self.programme.put_part(session, number, (part_bytes(number),))

    def ask(self, name: str, query: str = "", *, gzip: bool = False) -> Answer | Held:
        reply = self.routes(Asked("GET", f"/live/room/{name}", query, takes_gzip=gzip))
        assert isinstance(reply, Answer | Held)
        return reply

    def at(self, segment: int, part: int | None = None) -> Answer | Held:
        """Ask for the playlist at a segment counted from the first."""
        query = f"_HLS_msn={self.first + segment}"
        return self.ask("source.m3u8", query if part is None else f"{query}&_HLS_part={part}")


def status(reply: Answer | Held) -> int:
    assert isinstance(reply, Answer)
    return reply.status


def text(reply: Answer | Held) -> str:
    assert isinstance(reply, Answer)
    return bytes(reply.body).decode()


def held(reply: Answer | Held) -> Held:
    assert isinstance(reply, Held)
    assert not reply.until.done()
    return reply


async def test_all_who_wait_for_a_part_share_one_future_and_one_answer():
    room = Room(3)
    asked = [held(room.at(0, 3)) for _ in range(5)]
    assert len({one.until for one in asked}) == 1
    room.put(range(3, 4))
    answers = [one.answer() for one in asked]
    assert all(answer is answers[0] for answer in answers)
    assert 'URI="aaaaaaaa/source/p3.m4s"' in text(answers[0])
    assert room.programme.awaited == 0


async def test_a_bare_msn_waits_until_the_segment_is_published():
    room = Room(3)
    asked = held(room.at(0))
    room.put(range(3, 5))
    assert not asked.until.done(), "complete, but not published"
    room.put(range(5, 6))
    assert asked.until.done()
    assert "aaaaaaaa/source/s0.m4s" in text(asked.answer())


async def test_the_part_after_a_segments_last_is_the_next_segments_first():
    room = Room(5)
    asked = held(room.at(0, 5))
    room.put(range(5, 6))
    assert "aaaaaaaa/source/p5.m4s" in text(asked.answer())


async def test_what_is_past_is_answered_at_once():
    room = Room(8)
    for segment, part in ((-50, 0), (0, None), (0, 2), (1, 2)):
        assert status(room.at(segment, part)) == 200


async def test_only_just_too_far_ahead_is_refused():
    room = Room(2)
    # The newest is part 1 of the first; eight parts of 0.4 s are three seconds, rounded up.
    asked = held(room.at(1, 4))
    for segment, part in ((1, 5), (2, 0), (2, None)):
        assert status(room.at(segment, part)) == 400
    room.programme.end()
    assert "#EXT-X-ENDLIST" in text(asked.answer())


async def test_the_end_answers_everybody_and_later_directives_are_ignored():
    room = Room(3)
    asked, part = held(room.at(0, 3)), held(room.ask(f"{SESSION}/source/p3.m4s"))
    room.programme.end()
    assert "#EXT-X-ENDLIST" in text(asked.answer())
    assert part.answer().status == 404
    for query in ("_HLS_msn=10000000000", "_HLS_msn=x", "_HLS_part=1"):
        assert text(room.ask("source.m3u8", query)) == text(asked.answer())


async def test_the_hinted_part_is_held_and_any_other_future_one_refused():
    room = Room(3)
    asked = held(room.ask(f"{SESSION}/source/p3.m4s"))
    assert status(room.ask(f"{SESSION}/source/p4.m4s")) == 404
    room.put(range(3, 4))
    assert asked.answer().body == part_bytes(3)


async def test_a_hint_that_another_session_made_void_is_not_found():
    room = Room(3)
    asked = held(room.ask(f"{SESSION}/source/p3.m4s"))
    room.programme.open_session(NEXT_SESSION, description())
    room.programme.put_init(NEXT_SESSION, (init_bytes(1),))
    room.put(range(1), NEXT_SESSION)
    assert asked.until.done()
    assert asked.answer().status == 404


async def test_the_servers_end_answers_all_held_requests():
    room = Room(1)
    asked = held(room.at(0, 1))
    room.origin.close()
    assert asked.until.done()
    answer = asked.answer()
    assert answer.status == 503
    assert ("Retry-After", "1") in answer.fields


async def test_what_stalls_is_given_three_target_durations():
    asked = held(Room(1).at(0, 1))
    assert asked.seconds == 6
    assert asked.too_late.status == 503


async def test_a_rendition_that_is_not_there_is_not_waited_for():
    room = Room(3)
    assert status(room.ask("720p.m3u8", f"_HLS_msn={room.first}&_HLS_part=3")) == 404


async def test_compressed_text_is_made_once_and_the_same():
    room = Room(3)
    plain, zipped = room.ask("source.m3u8"), room.ask("source.m3u8", gzip=True)
    assert isinstance(plain, Answer)
    assert isinstance(zipped, Answer)
    assert gzip.decompress(zipped.body) == plain.body
    assert room.ask("source.m3u8", gzip=True) is zipped


async def test_an_unchanged_playlist_is_not_sent_again():
    room = Room(3)
    first = room.ask("source.m3u8")
    assert isinstance(first, Answer)
    tag = dict(first.fields)["ETag"].removeprefix("W/").strip('"')
    asked = Asked("GET", "/live/room/source.m3u8", "", etags=frozenset({tag}))
    assert status(room.routes(asked)) == 304  # type: ignore[arg-type]
    room.put(range(3, 4))
    assert status(room.routes(asked)) == 200  # type: ignore[arg-type]


async def test_sequence_numbers_go_on_upwards_over_every_restart():
    clock = FakeClock()
    origin = Origin(clock, listed=10)
    before = origin.open("room", description())
    for number in range(40):
        # The worst that can happen: every broadcast dies after its first part.
        name = f"session{number:04d}"
        before.open_session(name, description())
        before.put_init(name, (init_bytes(),))
        before.put_part(name, 0, (part_bytes(0),))
        clock.advance(0.4)
    clock.advance(0.4)
    restarted = Origin(clock, listed=10).open("room", description())
    assert restarted.window.next_msn >= before.window.next_msn
    origin.end("room")
    again = origin.open("room", description())
    assert again is not before
    assert again.window.next_msn >= before.window.next_msn
    origin.close()


async def test_versions_of_two_runs_of_the_server_never_look_the_same():
    first, second = Room(3).programme, Room(3).programme
    assert first.playlist("source").etag != second.playlist("source").etag
    assert first.playlist("source") is first.playlist("source")


async def test_nothing_to_play_is_no_programme():
    origin = Origin(FakeClock(), listed=10)
    origin.open("room", description())
    for name in ("room", "elsewhere"):
        with pytest.raises(NotFoundError):
            origin.find(name)
    await asyncio.sleep(0)
