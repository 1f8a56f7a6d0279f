"""What a connection is given, and what it loses when it is too slow."""

from bridge.broadcast.outputs.gop_queue import MAX_BYTES, GopQueue
from tests import media


def _frames(queue: GopQueue) -> list[int]:
    return [media.grid().frame(packet.pts) for packet in queue.take() if packet.kind == "video"]


def _feed(queue: GopQueue, frames: range, size: int = 20) -> None:
    for frame in frames:
        queue.put(media.picture(frame, keyframe=frame % 60 == 0, size=size))


def test_a_connection_begins_with_the_newest_keyframe() -> None:
    queue = GopQueue()
    _feed(queue, range(70))
    queue.connect()
    _feed(queue, range(70, 75))
    assert _frames(queue) == list(range(60, 75))
    assert queue.dropped == 0


def test_nothing_is_kept_for_a_connection_that_is_not_there() -> None:
    queue = GopQueue()
    assert not queue.ready
    _feed(queue, range(70))
    assert queue.ready
    assert queue.take() == []
    queue.connect()
    queue.disconnect()
    _feed(queue, range(70, 72))
    assert queue.take() == []


def test_sound_before_the_first_keyframe_is_nobodys() -> None:
    queue = GopQueue()
    queue.put(media.sound(0))
    queue.connect()
    queue.put(media.sound(1))
    queue.put(media.picture(0, keyframe=True))
    assert _frames(queue) == [0]


def test_eight_seconds_without_a_reader_clear_the_queue_up_to_a_keyframe() -> None:
    queue = GopQueue()
    queue.connect()
    _feed(queue, range(240))
    assert queue.dropped == 0
    _feed(queue, range(240, 290))
    # 0 to 240 went at the overflow, and 241 to 289 wait for a keyframe that has not come.
    assert queue.dropped == 241 + 49
    assert queue.take() == []
    _feed(queue, range(290, 310))
    assert _frames(queue) == list(range(300, 310))
    assert queue.dropped == 300


def test_four_mebibytes_clear_the_queue_too() -> None:
    queue = GopQueue()
    queue.connect()
    _feed(queue, range(5), size=MAX_BYTES // 4)
    assert queue.take() == []
    assert queue.dropped == 5


def test_a_gop_that_is_too_large_is_not_kept() -> None:
    queue = GopQueue()
    _feed(queue, range(5), size=MAX_BYTES // 4)
    assert not queue.ready
    _feed(queue, range(60, 62))
    queue.connect()
    assert _frames(queue) == [60, 61]
