"""From counters that only grow to what came in the last second."""

from dataclasses import dataclass
from typing import Final

from bridge.broadcast.rtc.ingest import IngestStats
from bridge.broadcast.rtc.tracks import MICROPHONE
from bridge.protocol.messages import IngestReport

_SHORTEST: Final = 0.5
"""Seconds; over less than that rates only jump about."""
_OPUS_RATE: Final = 48_000


@dataclass(frozen=True, slots=True)
class _Totals:
    generation: int
    at: float
    packets: int = 0
    bytes: int = 0
    missed: int = 0
    pictures: int = 0
    concealed: int = 0


class LegMeter:
    """Makes reports of a debater's leg. One thread."""

    def __init__(self) -> None:
        self._last: _Totals | None = None
        self._report: IngestReport | None = None

    def report(self, stats: IngestStats, now: float) -> IngestReport:
        """Return the newest figures; they are at least half a second's."""
        totals = _add_up(stats, now)
        last = self._last
        if last is None or last.generation != totals.generation:
            self._last, self._report = totals, None
            return IngestReport(state=stats.state)
        elapsed = now - last.at
        if elapsed < _SHORTEST:
            rates = self._report or IngestReport(state=stats.state)
            return rates.model_copy(update={"state": stats.state})
        self._last = totals
        packets = totals.packets - last.packets
        lost = totals.missed - last.missed
        self._report = IngestReport(
            state=stats.state,
            round_trip_ms=None if stats.round_trip is None else round(stats.round_trip * 1000, 1),
            kbps=round((totals.bytes - last.bytes) * 8 / 1000 / elapsed, 1),
            pictures_per_second=round((totals.pictures - last.pictures) / elapsed, 1),
            lost_percent=round(100 * lost / max(1, packets + lost), 1),
            concealed_ms=round(1000 * (totals.concealed - last.concealed) / _OPUS_RATE, 1),
        )
        return self._report


def _add_up(stats: IngestStats, now: float) -> _Totals:
    sound = [track for track in stats.tracks if track.name == MICROPHONE]
    pictures = [track for track in stats.tracks if track.name != MICROPHONE]
    return _Totals(
        generation=stats.generation,
        at=now,
        packets=sum(track.received.packets for track in stats.tracks),
        bytes=sum(track.received.bytes for track in stats.tracks),
        missed=sum(track.received.missed for track in stats.tracks),
        pictures=sum(track.decoded.decoded for track in pictures),
        concealed=sum(track.decoded.concealed for track in sound),
    )
