"""What a tick finds in a debater's picture slot."""

import av
import pytest

from bridge.broadcast.media.sources import SourceStatus, SourceView, VideoSource
from bridge.clock import FakeClock


@pytest.fixture
def source() -> VideoSource:
    return VideoSource("proposition")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def picture() -> av.VideoFrame:
    return av.VideoFrame(16, 16, "yuv420p")


def test_who_never_sent_anything_is_absent(source, clock):
    assert source.current(clock.monotonic()) == SourceView(SourceStatus.ABSENT)


def test_only_the_newest_picture_is_kept(source, clock):
    old, new = picture(), picture()
    source.put(old, clock.monotonic())
    source.put(new, clock.monotonic())
    view = source.current(clock.monotonic())
    assert view.status is SourceStatus.LIVE
    assert view.picture is new
    assert source.received == 2


def test_without_new_pictures_the_last_is_held_from_one_second_and_gone_after_three(source, clock):
    held = picture()
    source.put(held, clock.monotonic())
    seen = []
    for _ in range(35):
        view = source.current(clock.monotonic())
        seen.append((view.status, view.picture is held))
        clock.advance(0.1001)
    assert seen[:10] == [(SourceStatus.LIVE, True)] * 10
    assert seen[10:30] == [(SourceStatus.FROZEN, True)] * 20
    assert seen[30:] == [(SourceStatus.ABSENT, False)] * 5


def test_a_new_picture_ends_freeze_and_absence_at_once(source, clock):
    source.put(picture(), clock.monotonic())
    for wait in (1.5, 10.0):
        clock.advance(wait)
        source.put(picture(), clock.monotonic())
        assert source.current(clock.monotonic()).status is SourceStatus.LIVE


@pytest.mark.parametrize("status", [SourceStatus.ABSENT, SourceStatus.CAMERA_OFF])
def test_clearing_brings_the_slate_at_once(source, clock, status):
    source.put(picture(), clock.monotonic())
    source.clear(status)
    assert source.current(clock.monotonic()) == SourceView(status)


def test_black_pictures_sent_while_the_camera_is_off_are_not_shown(source, clock):
    source.set_status(SourceStatus.CAMERA_OFF)
    source.put(picture(), clock.monotonic())
    assert source.current(clock.monotonic()) == SourceView(SourceStatus.CAMERA_OFF)


def test_after_camera_on_the_slate_stays_until_the_first_picture(source, clock):
    source.set_status(SourceStatus.CAMERA_OFF)
    source.set_status(SourceStatus.LIVE)
    assert source.current(clock.monotonic()).status is SourceStatus.CAMERA_OFF
    source.put(picture(), clock.monotonic())
    assert source.current(clock.monotonic()).status is SourceStatus.LIVE


def test_saying_live_again_does_not_disturb_a_running_picture(source, clock):
    source.put(picture(), clock.monotonic())
    source.set_status(SourceStatus.LIVE)
    assert source.current(clock.monotonic()).picture is not None


def test_who_left_and_comes_back_is_shown_with_his_first_picture(source, clock):
    source.put(picture(), clock.monotonic())
    source.clear(SourceStatus.ABSENT)
    source.put(picture(), clock.monotonic())
    assert source.current(clock.monotonic()).status is SourceStatus.LIVE
