"""Which part is uploaded next, and when a session is given up."""

from bridge.broadcast.outputs.backlog import Backlog
from bridge.broadcast.outputs.packager import Part
from tests import media


def _part(number: int) -> Part:
    return Part(number=number, data=b"", keyframe=number % 5 == 0, first_frame=number * 12)


def _backlog(*numbers: int) -> Backlog:
    backlog = Backlog(media.grid())
    for number in numbers:
        backlog.put(_part(number))
    return backlog


def _numbers(backlog: Backlog) -> list[int]:
    numbers = []
    while (head := backlog.head()) is not None:
        numbers.append(head.number)
        backlog.sent(head)
    return numbers


def test_parts_leave_in_order_and_only_once_sent() -> None:
    backlog = _backlog(0, 1, 2)
    assert backlog.head() is backlog.head()
    assert _numbers(backlog) == [0, 1, 2]
    assert (backlog.session, backlog.dropped) == (0, 0)


def test_a_session_opens_with_a_segment() -> None:
    backlog = _backlog(3, 4, 5, 6)
    assert _numbers(backlog) == [5, 6]
    assert (backlog.session, backlog.dropped) == (0, 2)


def test_a_hole_in_the_numbers_begins_a_new_session_at_the_next_segment() -> None:
    backlog = _backlog(0, 1, 3, 4, 5)
    assert _numbers(backlog) == [5]
    assert backlog.session == 1


def test_more_than_two_seconds_behind_keeps_the_newest_segment_only() -> None:
    backlog = _backlog(0, 1, 2, 3, 4)
    assert (len(backlog), backlog.session) == (5, 0)
    backlog.put(_part(5))
    assert backlog.session == 1
    assert _numbers(backlog) == [5]


def test_more_than_two_seconds_behind_within_a_segment_waits_for_the_next_one() -> None:
    backlog = _backlog(*range(1, 4))
    for number in range(5, 10):
        backlog.put(_part(number))
    first = backlog.head()
    assert first is not None
    backlog.sent(first)
    backlog.put(_part(10))
    # 6 7 8 9 10 wait; 11 is one too many, and the session goes on with what 10 opens.
    backlog.put(_part(11))
    assert _numbers(backlog) == [10, 11]


def test_an_origin_that_is_away_for_long_never_holds_more_than_two_seconds() -> None:
    backlog = Backlog(media.grid())
    for number in range(1000):
        backlog.put(_part(number))
        assert len(backlog) <= 5
    head = backlog.head()
    assert head is not None
    assert head.number == 995


def test_the_origin_may_ask_to_skip_what_it_has() -> None:
    backlog = _backlog(0, 1, 2, 3)
    backlog.skip_to(2)
    assert _numbers(backlog) == [2, 3]
    assert backlog.session == 0


def test_the_origin_asking_for_what_is_gone_begins_a_new_session() -> None:
    backlog = _backlog(5, 6)
    backlog.skip_to(3)
    assert (backlog.head(), backlog.session) == (None, 1)


def test_a_part_whose_upload_ends_after_a_restart_takes_nothing_else_away() -> None:
    backlog = _backlog(0)
    old = backlog.head()
    assert old is not None
    backlog.restart()
    backlog.put(_part(5))
    backlog.sent(old)
    assert _numbers(backlog) == [5]
