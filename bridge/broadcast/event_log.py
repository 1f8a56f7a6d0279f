"""What happens in a debate, noted on the programme's timeline for its recording."""

from collections.abc import Callable

from pydantic import JsonValue

from bridge.clock import Clock
from bridge.protocol.events import MAX_TEXT, EventKind, RecordedEvent


class EventLog:
    """Stamps events and hands them on as lines. Loop-side only.

    `begin` is frame 0 of the programme, in monotonic seconds; `write` takes whole lines.
    """

    def __init__(self, clock: Clock, begin: float, write: Callable[[bytes], None]) -> None:
        self._clock = clock
        self._begin = begin
        self._write = write

    def note(self, kind: EventKind, text: str = "", **data: JsonValue) -> None:
        """Note that this happens now."""
        event = RecordedEvent(
            at=round(max(0.0, self._clock.monotonic() - self._begin), 3),
            wall=round(self._clock.wall(), 3),
            kind=kind,
            text=text[:MAX_TEXT],
            data=data,
        )
        self._write(event.model_dump_json(exclude_defaults=True).encode() + b"\n")
