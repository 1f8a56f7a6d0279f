"""From what happened to chapters, and how players and platforms are told of them."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.protocol.events import EventKind
from bridge.rooms.model import Side
from bridge.server.recordings.chapters import (
    Chapter,
    as_ffmetadata,
    as_webvtt,
    as_youtube,
    find_chapters,
)
from bridge.server.recordings.timeline import PlacedEvent

NAMES = {Side.PROPOSITION: "Ada", Side.OPPOSITION: "Ben"}
KINDS: tuple[EventKind, ...] = ("start", "scene", "marker", "turn", "floor", "joined", "end")


def _event(at: float, kind: EventKind, text: str = "", **data: str) -> PlacedEvent:
    return PlacedEvent(at=at, wall=0.0, kind=kind, text=text, data=dict(data), part=1)


def _scene(at: float, scene: str, side: str | None = None) -> PlacedEvent:
    return _event(at, "scene", scene=scene, **({"side": side} if side else {}))


def _found(duration: float, *events: PlacedEvent) -> list[tuple[float, str]]:
    chapters = find_chapters(events, duration=duration, motion="Cars should go", names=NAMES)
    assert chapters[-1].end_ms == round(duration * 1000)
    return [(chapter.begin_ms / 1000, chapter.title) for chapter in chapters]


def test_a_recording_in_which_nothing_happened_is_one_chapter_called_after_the_motion() -> None:
    assert _found(60) == [(0, "Cars should go")]
    assert _found(0.3, _event(0.1, "turn", "Too short")) == [(0, "Too short")]
    assert find_chapters([], duration=5, motion=" \n", names={})[0].title == "Debate"


def test_turns_and_markers_begin_chapters_and_scenes_then_do_not() -> None:
    events = [
        _scene(0, "title"),
        _event(20, "turn", "Opening: Ada"),
        _scene(30, "speaker", "proposition"),
        _event(50.5, "marker", "The question"),
        _event(70, "joined", "Ben"),
    ]
    assert _found(100, *reversed(events)) == [
        (0, "Cars should go"),
        (20, "Opening: Ada"),
        (50.5, "The question"),
    ]


def test_an_event_without_a_text_is_named_after_the_debater_or_its_kind() -> None:
    events = [_event(0, "turn", side="opposition"), _event(9, "turn"), _event(18, "marker", " ")]
    assert _found(30, *events) == [(0, "Ben"), (9, "Turn"), (18, "Marker")]


def test_without_turns_and_markers_the_scenes_that_stay_begin_chapters() -> None:
    events = [
        _scene(0, "side_by_side"),
        _scene(20, "screen"),
        _scene(22, "side_by_side"),
        _scene(40, "speaker", "opposition"),
        _scene(50, "speaker", "opposition"),
        _scene(58, "result"),
    ]
    assert _found(60, *events) == [(0, "Side by side"), (40, "Speaker: Ben")]


@pytest.mark.parametrize(
    ("times", "begins"),
    [
        ((0.4, 10), (0, 10)),
        ((5, 5.3, 5.6, 20), (0, 5, 20)),
        ((5, 29.5), (0, 5)),
        ((29.2,), (0,)),
        ((-3, 30, 40), (0,)),
    ],
)
def test_a_chapter_shorter_than_a_second_goes_into_the_next(
    times: tuple[float, ...], begins: tuple[float, ...]
) -> None:
    found = _found(30, *(_event(at, "marker", f"at {at}") for at in times))
    assert tuple(begin for begin, _ in found) == begins


def test_of_merged_chapters_the_last_one_names_it() -> None:
    events = [_event(5, "marker", "mistake"), _event(5.3, "marker", "right")]
    assert _found(30, *events) == [(0, "Cars should go"), (5, "right")]


@given(
    duration=st.floats(min_value=0.001, max_value=50_000),
    happened=st.lists(
        st.tuples(st.floats(-10, 60_000), st.sampled_from(KINDS), st.text(max_size=8)), max_size=40
    ),
)
def test_chapters_cover_the_recording_in_order_and_none_is_empty(
    duration: float, happened: list[tuple[float, EventKind, str]]
) -> None:
    events = [_event(at, kind, text, scene=text) for at, kind, text in happened]
    chapters = find_chapters(events, duration=duration, motion="Cars", names=NAMES)
    assert chapters[0].begin_ms == 0
    assert chapters[-1].end_ms == max(1, round(duration * 1000))
    assert all(before.end_ms == later.begin_ms for before, later in pairwise(chapters))
    assert all(chapter.end_ms - chapter.begin_ms >= 1000 for chapter in chapters[1:])
    assert len(chapters) == 1 or chapters[0].end_ms >= 1000
    assert all(chapter.title and chapter.title.splitlines() == [chapter.title]
               for chapter in chapters)  # fmt: skip
    times = [line.split()[0] for line in as_youtube(chapters).split("\n")[:-1]]
    seconds = [sum(int(n) * 60**i for i, n in enumerate(reversed(t.split(":")))) for t in times]
    assert seconds[0] == 0
    assert all(later - before >= 10 for before, later in pairwise(seconds))


def test_ffmetadata_is_escaped() -> None:
    text = as_ffmetadata([Chapter(0, 1500, r"a=b; #c \d")])
    assert text == (
        ";FFMETADATA1\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=1500\n"
        r"title=a\=b\; \#c \\d" + "\n"
    )


def test_webvtt_is_escaped_and_has_hours() -> None:
    text = as_webvtt([Chapter(0, 3_723_004, "A & B --> <i>"), Chapter(3_723_004, 3_800_000, "C")])
    assert text == (
        "WEBVTT\n\n1\n00:00:00.000 --> 01:02:03.004\nA &amp; B --&gt; &lt;i&gt;\n\n"
        "2\n01:02:03.004 --> 01:03:20.000\nC\n"
    )


def test_youtube_gets_none_shorter_than_ten_seconds() -> None:
    chapters = [
        Chapter(0, 4_000, "Title"),
        Chapter(4_000, 65_900, "Opening <Ada>"),
        Chapter(65_900, 3_700_000, "Reply"),
        Chapter(3_700_000, 3_706_000, "Result"),
    ]
    assert as_youtube(chapters) == "0:00 Opening (Ada)\n1:05 Reply\n"
    long = [Chapter(0, 3_700_000, "One"), Chapter(3_700_000, 3_800_000, "Two")]
    assert as_youtube(long) == "0:00 One\n1:01:40 Two\n"
    assert as_youtube([]) == ""
