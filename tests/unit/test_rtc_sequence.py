from hypothesis import given
from hypothesis import strategies as st

from bridge.broadcast.rtc.sequence import Unwrapper

BITS = st.sampled_from([16, 32])


@given(BITS, st.integers(0, 2**40), st.lists(st.integers(-1000, 5000), max_size=200))
def test_any_walk_shorter_than_half_a_turn_is_followed_exactly(
    bits: int, start: int, steps: list[int]
) -> None:
    unwrapper = Unwrapper(bits)
    turn = 1 << bits
    offset = start - unwrapper.unwrap(start % turn)
    highest = position = start
    for step in steps:
        position = max(highest - 20_000, position + step)
        assert unwrapper.unwrap(position % turn) + offset == position
        highest = max(highest, position)


def test_a_wrap_goes_on_counting() -> None:
    unwrapper = Unwrapper(32)
    assert unwrapper.unwrap(2**32 - 1000) == 2**32 - 1000
    assert unwrapper.unwrap(2000) == 2**32 + 2000
    assert unwrapper.unwrap(2**32 - 500) == 2**32 - 500


def test_looking_changes_nothing() -> None:
    unwrapper = Unwrapper(16)
    unwrapper.unwrap(10)
    assert unwrapper.peek(20_000) == 20_000
    assert unwrapper.highest == 10
