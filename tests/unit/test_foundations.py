import logging
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import HttpUrl, ValidationError

from bridge.concurrency.backoff import Backoff
from bridge.concurrency.worker import Worker
from bridge.errors import ConflictError
from bridge.log import Redactor, mask_url
from bridge.rooms.model import Phase, Role, Room, Side, new_room_id
from bridge.settings import Settings


def test_a_worker_tells_its_owner_what_it_failed_of(caplog):
    failures: list[Exception] = []

    def fail():
        raise ValueError("no disk")

    worker = Worker("test", fail, on_failure=failures.append)
    with caplog.at_level(logging.CRITICAL):
        worker.start()
        assert worker.join(5)
    assert [str(error) for error in failures] == ["no disk"]


def test_joining_a_worker_that_never_started_is_no_error():
    assert Worker("test", lambda: None).join(0)


@given(attempt=st.integers(0, 10_000), seed=st.integers())
def test_backoff_stays_within_its_bounds(attempt, seed):
    backoff = Backoff(first=0.5, most=30)
    assert 0.05 <= backoff.pause(attempt, random.Random(seed)) <= 30


def record(message, *arguments, exc_info=None):
    return logging.LogRecord("test", logging.INFO, "", 0, message, arguments, exc_info)


def test_secrets_leave_messages_arguments_and_tracebacks():
    redactor = Redactor(["live_key_123", "live_key_123_and_more"])
    try:
        raise OSError("rtmp://host/app/live_key_123_and_more")
    except OSError as error:
        entry = record("push to %s", "live_key_123", exc_info=(OSError, error, error.__traceback__))
    assert redactor.filter(entry)
    text = logging.Formatter().format(entry)
    assert "live_key" not in text
    assert "_and_more" not in text
    assert "push to [hidden]" in text


@pytest.mark.parametrize(
    ("url", "masked"),
    [
        ("rtmp://live.example/app/key", "rtmp://live.example/•••"),
        ("rtmps://user:pass@a.example:443/app/key?x=1", "rtmps://a.example:443/•••"),
    ],
)
def test_a_masked_url_shows_scheme_and_host_only(url, masked):
    assert mask_url(url) == masked


def room(phase=Phase.WAITING):
    return Room(id="r", motion="m", proposition="p", opposition="o", phase=phase, created_at=0.0)


@pytest.mark.parametrize(
    ("phase", "step", "allowed"),
    [
        (Phase.WAITING, Phase.LIVE, True),
        (Phase.WAITING, Phase.ENDED, True),
        (Phase.LIVE, Phase.ENDED, True),
        (Phase.LIVE, Phase.LIVE, False),
        (Phase.ENDED, Phase.LIVE, False),
        (Phase.LIVE, Phase.WAITING, False),
    ],
)
def test_a_debate_only_goes_forward(phase, step, allowed):
    if allowed:
        room(phase).check_step(step)
    else:
        with pytest.raises(ConflictError):
            room(phase).check_step(step)


def test_exactly_one_side_is_polite():
    assert Side.PROPOSITION.polite
    assert not Side.OPPOSITION.polite
    assert Side.PROPOSITION.other is Side.OPPOSITION


def test_only_debaters_have_a_side():
    assert [role.side for role in Role] == [None, Side.PROPOSITION, Side.OPPOSITION, None]


def test_room_ids_are_short_readable_and_different():
    ids = {new_room_id() for _ in range(1000)}
    assert len(ids) == 1000
    assert all(len(one) == 10 and not set(one) & set("01aeiouly") for one in ids)


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({}, (1280, 720, 30, 12, 60, 4000)),
        ({"canvas": "1080p30"}, (1920, 1080, 30, 12, 60, 6000)),
        ({"canvas": "720p60"}, (1280, 720, 60, 24, 120, 6000)),
        ({"canvas": "540p30", "video_kbps": 1800}, (960, 540, 30, 12, 60, 1800)),
    ],
)
def test_a_canvas_in_one_word_sets_what_is_not_set_by_itself(given, found):
    made = Settings(**given)
    names = ("width", "height", "fps", "part_frames", "segment_frames", "video_kbps")
    assert tuple(getattr(made, name) for name in names) == found


def test_settings_refuse_a_grid_that_does_not_divide():
    with pytest.raises(ValidationError, match="whole number of part_frames"):
        Settings(part_frames=7, segment_frames=60)


def test_settings_come_from_options_over_environment_over_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bridge.toml").write_text("port = 1000\nfps = 25\nwidth = 640\n")
    monkeypatch.setenv("BRIDGE_PORT", "2000")
    monkeypatch.setenv("BRIDGE_FPS", "50")
    settings = Settings(port=3000)
    assert (settings.port, settings.fps, settings.width) == (3000, 50, 640)


def test_links_are_made_from_the_public_url_without_its_slash():
    assert (
        Settings(public_url=HttpUrl("https://debate.example/")).base_url == "https://debate.example"
    )
    assert Settings(host="0.0.0.0", port=9000).base_url == "http://localhost:9000"
