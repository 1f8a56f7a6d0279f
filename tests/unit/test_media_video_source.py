"""What a tick finds in a debater's picture slot."""

from math import inf

import av
import pytest

from bridge.broadcast.media.sources import FROZEN_AFTER, SourceStatus, SourceView, VideoSource
from bridge.clock import FakeClock


@pytest.fixture
def source() -> VideoSource:
    made = VideoSource("proposition")
    made.expect()
    return made


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def picture() -> av.VideoFrame:
    return av.VideoFrame(16, 16, "yuv420p")


def test_who_is_not_in_the_room_is_absent_whatever_comes(clock):
    source = VideoSource("proposition")
    assert source.current(clock.monotonic()) == SourceView(SourceStatus.ABSENT)
    source.put(picture(), clock.monotonic())
    assert source.current(clock.monotonic()) == SourceView(SourceStatus.ABSENT)


def test_who_is_in_the_room_is_connecting_until_his_first_picture(source, clock):
    assert source.current(clock.monotonic()) == SourceView(SourceStatus.RECONNECTING)
    source.put(picture(), clock.monotonic())
    assert source.current(clock.monotonic()).status is SourceStatus.LIVE


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
    assert seen[30:] == [(SourceStatus.RECONNECTING, False)] * 5


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


@pytest.mark.parametrize("status", [SourceStatus.ABSENT, SourceStatus.CAMERA_OFF])
def test_pictures_that_come_after_clearing_are_not_shown(source, clock, status):
    source.clear(status)
    source.put(picture(), clock.monotonic())
    assert source.current(clock.monotonic()) == SourceView(status)


def test_after_camera_on_he_is_connecting_until_the_first_picture(source, clock):
    source.clear(SourceStatus.CAMERA_OFF)
    source.expect()
    assert source.current(clock.monotonic()).status is SourceStatus.RECONNECTING
    source.put(picture(), clock.monotonic())
    assert source.current(clock.monotonic()).status is SourceStatus.LIVE


def test_expecting_again_does_not_disturb_a_running_picture(source, clock):
    source.put(picture(), clock.monotonic())
    source.expect()
    assert source.current(clock.monotonic()).picture is not None


def test_muted_is_seen_with_and_without_a_picture_until_he_leaves(source, clock):
    source.mark_muted(muted=True)
    assert source.current(clock.monotonic()).muted
    source.put(picture(), clock.monotonic())
    assert source.current(clock.monotonic()).muted
    source.clear(SourceStatus.CAMERA_OFF)
    assert source.current(clock.monotonic()).muted
    source.clear(SourceStatus.ABSENT)
    assert not source.current(clock.monotonic()).muted


def test_a_screen_on_which_nothing_changes_stays_while_its_sender_is_heard(source, clock):
    source.put(picture(), clock.monotonic())
    source.keep_fresh(inf)
    clock.advance(600)
    assert source.current(clock.monotonic()).status is SourceStatus.LIVE
    source.keep_fresh(clock.monotonic() - FROZEN_AFTER)
    assert source.current(clock.monotonic()).status is SourceStatus.FROZEN
    clock.advance(2.1)
    assert source.current(clock.monotonic()).status is SourceStatus.RECONNECTING
