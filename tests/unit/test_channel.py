from threading import Thread

import pytest

from bridge.concurrency.channel import Channel, Overflow
from bridge.errors import ChannelClosedError


def drain(channel):
    values = []
    while len(channel):
        values.append(channel.take(0))
    return values


def test_refuse_keeps_what_is_there():
    channel: Channel[str] = Channel(2, Overflow.REFUSE)
    assert [channel.put(value) for value in "abc"] == [True, True, False]
    assert drain(channel) == ["a", "b"]
    assert channel.dropped == 1


def test_drop_oldest_makes_room_for_the_newest():
    channel: Channel[str] = Channel(2, Overflow.DROP_OLDEST)
    for value in "abc":
        assert channel.put(value)
    assert drain(channel) == ["b", "c"]
    assert channel.dropped == 1


def test_clear_drops_everything_and_tells_the_reader_once():
    channel: Channel[str] = Channel(2, Overflow.CLEAR)
    for value in "abc":
        assert channel.put(value)
    assert channel.take_overflowed()
    assert not channel.take_overflowed()
    assert drain(channel) == ["c"]
    assert channel.dropped == 2


def test_capacity_is_in_the_unit_of_size():
    channel: Channel[str] = Channel(10, Overflow.REFUSE, size=len)
    assert channel.put("12345")
    assert channel.put("12345")
    assert not channel.put("1")
    channel.take()
    assert channel.put("12345")


def test_a_value_larger_than_the_capacity_passes_alone():
    channel: Channel[str] = Channel(3, Overflow.REFUSE, size=len)
    assert channel.put("12345")


def test_closing_lets_the_reader_drain_first():
    channel: Channel[str] = Channel(5, Overflow.REFUSE)
    channel.put("a")
    channel.close()
    assert not channel.put("b")
    assert channel.take() == "a"
    with pytest.raises(ChannelClosedError):
        channel.take()


def test_closing_wakes_a_waiting_reader():
    channel: Channel[str] = Channel(5, Overflow.REFUSE)
    seen = []

    def read():
        try:
            channel.take()
        except ChannelClosedError:
            seen.append("closed")

    reader = Thread(target=read)
    reader.start()
    channel.close()
    reader.join(5)
    assert seen == ["closed"]


def test_take_times_out_with_nothing():
    assert Channel(1, Overflow.REFUSE).take(timeout=0) is None
