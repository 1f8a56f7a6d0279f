"""The live window: what is listed, what can be fetched, and what is refused."""

import pytest

from bridge.errors import ConflictError, NotFoundError
from bridge.server.origin.segments import Position
from bridge.server.origin.window import MediaWindow, OutOfOrderError
from tests.server import (
    LADDER,
    NEXT_SESSION,
    PART,
    SESSION,
    START_WALL,
    begin,
    description,
    feed,
    init_bytes,
    part_bytes,
    window,
)


def hint(made: MediaWindow) -> tuple[str, int]:
    hinted = made.hinted()
    assert hinted is not None
    return hinted[0].name, hinted[1]


def test_a_segment_is_published_with_the_first_part_of_the_next():
    made = window()
    feed(made, range(5))
    assert made.listed()[-1].full
    assert made.last_published_msn == 99
    feed(made, range(5, 6))
    assert made.last_published_msn == 100
    assert made.find_segment(SESSION, "source", 0) == b"".join(part_bytes(n) for n in range(5))


def test_the_end_publishes_what_there_is_of_the_last_segment():
    made = window()
    feed(made, range(7))
    made.end()
    made.end()
    last = made.listed()[-1]
    assert made.last_published_msn == last.msn == 101
    assert last.duration == 2 * PART
    assert made.hinted() is None


def test_the_end_before_the_first_part_leaves_nothing_to_play():
    made = window()
    made.end()
    assert made.listed() == []
    assert made.has(Position(100, 0))


def test_complete_segments_are_listed_beside_the_open_one():
    made = window(listed=10)
    feed(made, range(13 * 5 + 1))
    assert [segment.msn for segment in made.listed()] == list(range(103, 114))


def test_what_has_left_the_playlist_stays_for_the_window_and_its_own_duration():
    made = window(listed=6)
    feed(made, range(5 * 13 + 1))
    assert made.listed()[0].number == 7
    # Delisted five segments ago, and a window plus one segment is seven.
    assert made.find_segment(SESSION, "source", 1) is not None
    assert made.find_part(SESSION, "source", 5) == part_bytes(5)
    feed(made, range(5 * 13 + 1, 5 * 16 + 1))
    assert made.find_segment(SESSION, "source", 1) is None
    assert made.find_part(SESSION, "source", 5) is None


def test_the_same_part_again_changes_nothing():
    made = window()
    feed(made, range(3))
    assert not made.put_part(SESSION, 1, (b"other bytes",))
    assert made.find_part(SESSION, "source", 1) == part_bytes(1)
    assert hint(made)[1] == 3


def test_a_part_ahead_of_its_turn_is_refused_with_the_one_that_is_wanted():
    made = window()
    feed(made, range(3))
    with pytest.raises(OutOfOrderError) as refusal:
        made.put_part(SESSION, 4, (part_bytes(4),))
    assert refusal.value.next == 3
    assert hint(made)[1] == 3


def test_a_session_that_begins_in_the_middle_of_a_segment_waits_for_the_next():
    made = window()
    with pytest.raises(OutOfOrderError) as refusal:
        made.put_part(SESSION, 12, (part_bytes(12),))
    assert refusal.value.next == 15
    feed(made, range(15, 16))
    segment = made.listed()[0]
    assert (segment.msn, segment.number, segment.first_part) == (100, 3, 15)
    assert segment.start_wall == START_WALL + 6.0


def test_a_part_before_the_init_section_is_refused():
    made = window()
    made.open_session(NEXT_SESSION, description())
    with pytest.raises(ConflictError) as refusal:
        made.put_part(NEXT_SESSION, 0, (part_bytes(0),))
    assert refusal.value.code == "init_missing"


def test_an_init_section_never_changes():
    made = window()
    made.put_init(SESSION, (init_bytes(),))
    with pytest.raises(ConflictError):
        made.put_init(SESSION, (init_bytes(7),))


def test_a_killed_broadcast_leaves_a_short_segment_before_the_discontinuity():
    made = window()
    feed(made, range(7))
    begin(made, NEXT_SESSION)
    feed(made, range(1), NEXT_SESSION)
    old, new = made.listed()[-2:]
    assert (old.msn, old.duration, old.discontinuity) == (101, 2 * PART, False)
    assert (new.msn, new.number, new.discontinuity) == (102, 0, True)
    assert made.find_segment(SESSION, "source", 1) == part_bytes(5) + part_bytes(6)
    assert made.has(Position(101, 4)), "the old segment gets no more parts"


def test_the_old_hint_stays_until_the_new_session_has_a_part():
    made = window()
    feed(made, range(3))
    begin(made, NEXT_SESSION)
    assert hint(made) == (SESSION, 3)
    feed(made, range(1), NEXT_SESSION)
    assert hint(made) == (NEXT_SESSION, 1)


def test_a_session_that_dies_before_its_first_part_leaves_no_trace():
    made = window()
    begin(made, NEXT_SESSION)
    feed(made, range(1), NEXT_SESSION)
    assert [(one.msn, one.discontinuity) for one in made.listed()] == [(100, False)]


def test_a_session_that_is_over_takes_nothing_and_does_not_come_back():
    made = window()
    feed(made, range(3))
    begin(made, NEXT_SESSION)
    with pytest.raises(ConflictError) as refusal:
        made.put_part(SESSION, 3, (part_bytes(3),))
    assert refusal.value.code == "session_over"
    with pytest.raises(ConflictError):
        made.open_session(SESSION, description())


def test_describing_the_current_session_again_changes_nothing():
    made = window()
    feed(made, range(3))
    made.open_session(SESSION, description())
    assert hint(made)[1] == 3


def test_discontinuities_are_counted_once_they_have_left_the_playlist():
    made = window(listed=6)
    feed(made, range(5))
    begin(made, NEXT_SESSION)
    feed(made, range(5 * 6), NEXT_SESSION)
    assert made.listed()[0].msn == 100
    assert made.discontinuity_sequence() == 0
    feed(made, range(5 * 6, 5 * 6 + 1), NEXT_SESSION)
    assert made.listed()[0].discontinuity, "listed itself, so not counted"
    assert made.discontinuity_sequence() == 0
    feed(made, range(5 * 6 + 1, 5 * 7 + 1), NEXT_SESSION)
    assert made.discontinuity_sequence() == 1
    feed(made, range(5 * 7 + 1, 5 * 40), NEXT_SESSION)
    assert made.discontinuity_sequence() == 1


def test_a_part_beyond_a_segments_last_is_the_next_segments_first():
    made = window()
    assert made.normalise(Position(100, 5)) == Position(101, 0)
    assert made.normalise(Position(100, 4)) == Position(100, 4)
    assert made.normalise(Position(100, None)) == Position(100, None)


def test_positions_are_there_from_their_part_on():
    made = window()
    feed(made, range(7))
    assert made.has(Position(3, None)), "long gone is there, too"
    assert made.has(Position(100, None))
    assert made.has(Position(101, 1))
    assert not made.has(Position(101, 2))
    assert not made.has(Position(101, None))
    assert made.parts_ahead(Position(101, 2)) == 1
    assert made.parts_ahead(Position(102, 0)) == 4


def test_nothing_is_taken_after_the_end():
    made = window()
    feed(made, range(3))
    made.end()
    for attempt in (
        lambda: made.put_part(SESSION, 3, (part_bytes(3),)),
        lambda: made.open_session(NEXT_SESSION, description()),
    ):
        with pytest.raises(ConflictError) as refusal:
            attempt()
        assert refusal.value.code == "ended"


def test_an_unknown_session_is_not_found():
    made = window()
    with pytest.raises(NotFoundError):
        made.put_part("cccccccc", 0, (part_bytes(0),))
    assert made.find_part("cccccccc", "source", 0) is None


def test_all_renditions_of_a_part_come_together():
    made = MediaWindow(100, 6)
    begin(made, SESSION, description(renditions=LADDER))
    feed(made, range(6))
    assert made.find_part(SESSION, "source", 5) == part_bytes(5, b"s")
    assert made.find_part(SESSION, "360p", 5) == part_bytes(5, b"3")
    assert made.find_segment(SESSION, "audio", 0) == b"".join(part_bytes(n, b"a") for n in range(5))
    assert made.find_part(SESSION, "1080p", 5) is None
    assert made.find_init(SESSION, "360p") == init_bytes(1)


def test_another_grid_begins_the_window_anew():
    made = window(listed=6)
    feed(made, range(12))
    begin(made, NEXT_SESSION, description(part_frames=10))
    feed(made, range(1), NEXT_SESSION)
    assert [one.msn for one in made.listed()] == [103]
    assert made.listed()[0].discontinuity
    assert made.find_part(SESSION, "source", 3) is None


def test_a_restored_window_goes_on_with_the_next_number():
    before = window(listed=6)
    feed(before, range(32))
    made = MediaWindow(9_000, 6)
    made.restore(list(before.listed()), 4)
    assert made.next_msn == 107
    assert made.discontinuity_sequence() == 4
    assert hint(made) == (SESSION, 32), "where players left it, until something new comes"
    begin(made, NEXT_SESSION)
    feed(made, range(1), NEXT_SESSION)
    newest = made.listed()[-1]
    assert (newest.msn, newest.discontinuity) == (107, True)
    assert made.find_segment(SESSION, "source", 6) == part_bytes(30) + part_bytes(31)
    with pytest.raises(ConflictError):
        made.open_session(SESSION, description())
