"""Chapters of a recording: from what happened to what players and platforms read. Pure.

Markers and turns of the debate begin chapters. Without any, the scenes do, as long as they are
not passing ones. Times are whole milliseconds of the finished file.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from bridge.rooms.model import Side
from bridge.server.recordings.timeline import PlacedEvent

_SHORTEST_MS: Final = 1000
_SHORTEST_SCENE_MS: Final = 5000
_SHORTEST_ON_YOUTUBE_MS: Final = 10_000
"""YouTube shows no chapters at all when one is shorter (support.google.com/youtube/9884579)."""

_SCENE_TITLES: Final = {
    "side_by_side": "Side by side",
    "speaker": "Speaker",
    "picture_in_picture": "Picture in picture",
    "screen": "Shared screen",
    "title": "Title",
    "break": "Break",
    "result": "Result",
}
_NOT_PRINTED: Final = re.compile(r"[\x00-\x20\x7f-\x9f\u2028\u2029]+")
_FFMETADATA_SPECIAL: Final = re.compile(r"([=;#\\])")


@dataclass(frozen=True, slots=True)
class Chapter:
    """A stretch of the finished file."""

    begin_ms: int
    end_ms: int
    title: str
    """One line, never empty."""


@dataclass(frozen=True, slots=True)
class _Beginning:
    at_ms: int
    title: str


def find_chapters(
    events: Sequence[PlacedEvent], *, duration: float, motion: str, names: Mapping[Side, str]
) -> list[Chapter]:
    """Divide `duration` seconds into chapters, in order and without gaps, each at least 1 s long.

    A shorter one becomes the beginning of the next, the last one the end of the one before. There
    is always at least one; what comes before the first event is called after the motion.
    """
    whole_ms = max(1, _milliseconds(duration))
    ordered = sorted(events, key=lambda event: event.at)
    beginnings = _spoken(ordered, names) or _scenes(ordered, whole_ms, names)
    inside = [beginning for beginning in beginnings if 0 <= beginning.at_ms < whole_ms]
    start = _Beginning(0, _one_line(motion) or "Debate")
    return _divide([start, *inside], whole_ms, _SHORTEST_MS)


def as_ffmetadata(chapters: Sequence[Chapter]) -> str:
    """Input file for ffmpeg, from which a container gets its chapters."""
    lines = [";FFMETADATA1"]
    for chapter in chapters:
        title = _FFMETADATA_SPECIAL.sub(r"\\\1", chapter.title)
        lines += ["[CHAPTER]", "TIMEBASE=1/1000"]
        lines += [f"START={chapter.begin_ms}", f"END={chapter.end_ms}", f"title={title}"]
    return "\n".join(lines) + "\n"


def as_webvtt(chapters: Sequence[Chapter]) -> str:
    """Text of a `<track kind="chapters">` (WebVTT 6.4)."""
    blocks = ["WEBVTT"]
    for number, chapter in enumerate(chapters, 1):
        title = chapter.title.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        span = f"{_webvtt_time(chapter.begin_ms)} --> {_webvtt_time(chapter.end_ms)}"
        blocks.append(f"{number}\n{span}\n{title}")
    return "\n\n".join(blocks) + "\n"


def as_youtube(chapters: Sequence[Chapter]) -> str:
    """Lines for the description of a video on YouTube: `0:00 Title`, each at least 10 s long.

    YouTube takes them when there are three or more. It refuses angle brackets in descriptions.
    """
    if not chapters:
        return ""
    beginnings = [_Beginning(chapter.begin_ms, chapter.title) for chapter in chapters]
    longer = _divide(beginnings, chapters[-1].end_ms, _SHORTEST_ON_YOUTUBE_MS)
    brackets = str.maketrans("<>", "()")
    return "".join(
        f"{_youtube_time(chapter.begin_ms)} {chapter.title.translate(brackets)}\n"
        for chapter in longer
    )


def _spoken(events: Sequence[PlacedEvent], names: Mapping[Side, str]) -> list[_Beginning]:
    """Where turns and markers begin."""
    beginnings = []
    for event in events:
        if event.kind in {"turn", "marker"}:
            said = _one_line(event.text) or _side_name(event, names)
            title = said or ("Turn" if event.kind == "turn" else "Marker")
            beginnings.append(_Beginning(_milliseconds(event.at), title))
    return beginnings


def _scenes(
    events: Sequence[PlacedEvent], whole_ms: int, names: Mapping[Side, str]
) -> list[_Beginning]:
    """Where scenes begin that stay; one that is interrupted by a passing one goes on."""
    shown = [
        _Beginning(_milliseconds(event.at), _scene_title(event, names))
        for event in events
        if event.kind == "scene"
    ]
    changes = list(_without_repeats(shown))
    ends = [*(change.at_ms for change in changes), whole_ms][1:]
    staying = [
        change
        for change, end_ms in zip(changes, ends, strict=True)
        if end_ms - change.at_ms >= _SHORTEST_SCENE_MS
    ]
    return list(_without_repeats(staying))


def _without_repeats(beginnings: Sequence[_Beginning]) -> Iterator[_Beginning]:
    yield from beginnings[:1]
    yield from (later for before, later in pairwise(beginnings) if later.title != before.title)


def _scene_title(event: PlacedEvent, names: Mapping[Side, str]) -> str:
    scene = str(event.data.get("scene", ""))
    title = _one_line(event.text) or _SCENE_TITLES.get(scene) or _one_line(scene) or "Scene"
    name = _side_name(event, names)
    return f"{title}: {name}" if name else title


def _side_name(event: PlacedEvent, names: Mapping[Side, str]) -> str:
    side = event.data.get("side")
    return _one_line(names.get(Side(side), "")) if side in set(Side) else ""


def _divide(beginnings: Sequence[_Beginning], whole_ms: int, shortest_ms: int) -> list[Chapter]:
    """Chapters from the first beginning to `whole_ms`, none shorter if it can be helped."""
    chapters: list[Chapter] = []
    begin_ms = beginnings[0].at_ms
    ends = [*(beginning.at_ms for beginning in beginnings), whole_ms][1:]
    for beginning, end_ms in zip(beginnings, ends, strict=True):
        if end_ms - begin_ms >= shortest_ms or (not chapters and end_ms == whole_ms):
            chapters.append(Chapter(begin_ms, end_ms, beginning.title))
            begin_ms = end_ms
    if begin_ms < whole_ms:
        last = chapters.pop()
        chapters.append(Chapter(last.begin_ms, whole_ms, last.title))
    return chapters


def _one_line(text: str) -> str:
    return _NOT_PRINTED.sub(" ", text).strip()


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)


def _webvtt_time(time_ms: int) -> str:
    minutes, rest = divmod(time_ms, 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{rest // 1000:02}.{rest % 1000:03}"


def _youtube_time(time_ms: int) -> str:
    minutes, seconds = divmod(time_ms // 1000, 60)
    if minutes < 60:
        return f"{minutes}:{seconds:02}"
    return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"
