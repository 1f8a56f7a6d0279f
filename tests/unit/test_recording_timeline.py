"""Events of several broadcasts on the timeline of one file."""

import logging
from pathlib import Path

import pytest

from bridge.errors import InputError
from bridge.protocol.events import RecordedEvent
from bridge.server.recordings.timeline import (
    EVENTS_FILE,
    PlacedPart,
    Timeline,
    line_up,
    load_timeline,
    read_logs,
    save_timeline,
)

PARTS = [
    PlacedPart(number=1, offset=0, start=0, duration=100),
    PlacedPart(number=2, offset=100, start=130, duration=50),
    PlacedPart(number=4, offset=150, start=0.5, duration=25),
]


def _event(at: float, text: str = "") -> RecordedEvent:
    return RecordedEvent(at=at, wall=1.0, kind="marker", text=text)


def test_each_event_goes_to_the_place_of_its_part() -> None:
    logs = {4: [_event(10.5)], 1: [_event(7), _event(99)], 2: [_event(140)]}
    timeline = line_up(PARTS, logs, 175)
    assert [(event.part, event.at) for event in timeline.events] == [
        (1, 7),
        (1, 99),
        (2, 110),
        (4, 160),
    ]


def test_what_was_not_recorded_is_at_the_edge_of_its_part() -> None:
    logs = {2: [_event(3), _event(500)], 3: [_event(9)], 9: [_event(9)]}
    timeline = line_up(PARTS, logs, 174.9)
    assert [(event.part, event.at) for event in timeline.events] == [
        (2, 100),
        (2, 150),
        (3, 150),
        (9, 174.9),
    ]


def test_a_torn_last_line_is_left_out_and_an_unreadable_one_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    good = b'{"at": 1.5, "wall": 2, "kind": "turn", "text": "Ada"}\n'
    log = good + b'{"at": "never"}\n\xff\xfe\n' + good.replace(b"1.5", b"NaN") + good[:-20]
    (tmp_path / "events-1.jsonl").write_bytes(log)
    (tmp_path / "events-3.jsonl").write_bytes(good[:9])
    (tmp_path / "events-0.jsonl").write_bytes(good)
    (tmp_path / "events-2.jsonl.bak").write_bytes(good)
    with caplog.at_level(logging.WARNING):
        logs = read_logs(tmp_path)
    assert {number: [event.at for event in log] for number, log in logs.items()} == {
        1: [1.5],
        3: [],
    }
    assert [record.getMessage().rpartition(": ")[2] for record in caplog.records] == [
        "line 2 cannot be read",
        "line 3 cannot be read",
    ]


def test_the_timeline_is_kept_when_the_parts_are_gone(tmp_path: Path) -> None:
    timeline = line_up(PARTS, {1: [_event(7, 'quo"te\n')]}, 175)
    save_timeline(tmp_path, timeline)
    assert load_timeline(tmp_path) == timeline
    assert [path.name for path in tmp_path.iterdir()] == [EVENTS_FILE]


@pytest.mark.parametrize("content", [b"", b"{}", b'{"duration": -1}', b'{"duration": NaN}'])
def test_a_spoilt_timeline_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(InputError):
        load_timeline(tmp_path)
    (tmp_path / EVENTS_FILE).write_bytes(content)
    with pytest.raises(InputError):
        load_timeline(tmp_path)
    save_timeline(tmp_path, Timeline(duration=1))
    assert load_timeline(tmp_path).duration == 1
