"""Half an hour with a sender whose crystal is off, in virtual time: from packets to what is shown.

Real parts: jitter buffers, clock mapping, playout delay, and the queue that sound is read from.
Only codecs and sockets are left out.
"""

import random
from dataclasses import dataclass, field
from heapq import heappop, heappush

import numpy as np
import pytest

from bridge.aiortc_inside.media import OPUS
from bridge.broadcast.media.sources import AudioSource
from bridge.broadcast.rtc.clock_mapping import ClockMapping
from bridge.broadcast.rtc.jitter_buffer import AudioJitterBuffer, VideoJitterBuffer
from bridge.broadcast.rtc.playout_delay import PlayoutDelay
from tests.rtc import VP8_DELTA, VP8_KEY, packet

SECONDS = 30 * 60
RATE = 48_000
PACKET = 960
TICK = 1600
NTP = 3_900_000_000.0
_PROBE = 200
"""Samples looked at to know where in the sound a tick is."""
_REPAIR = 0.08
"""Seconds until a lost packet of the camera comes after all; sound is not repeated."""


@dataclass
class Sender:
    """Captures sound and pictures by its own crystal."""

    skew: float
    reports: bool
    rng: random.Random = field(default_factory=lambda: random.Random(11))
    now: float = 1000.0

    def real(self, captured: float) -> float:
        return 1000.0 + captured / (1 + self.skew)

    def arrival(self, captured: float, encoding: float, *, lossy: bool) -> float | None:
        way = 0.04 + encoding + self.rng.expovariate(1 / 0.008)
        lost = self.rng.random() < 0.01
        if lost and not lossy:
            return None
        return self.real(captured) + way + (_REPAIR if lost else 0.0)


def sound_of(number: int) -> np.ndarray:
    """A packet whose samples tell their own position, to be read back from what is heard."""
    position = (number * PACKET + np.arange(PACKET)) % (RATE * 20)
    wave = position.astype(np.float32) / (RATE * 20)
    return np.stack([wave, wave])


def whole(heard: np.ndarray) -> bool:
    """Whether this is sound as it was written: not faded beside a lost packet, not at the turn."""
    rise = float(heard[_PROBE] - heard[0])
    return heard[0] > 0 and abs(rise * RATE * 20 / _PROBE - 1) < 0.05


@dataclass
class Programme:
    """What the receive path does with arrivals, and what the programme then shows and plays."""

    delay: PlayoutDelay = field(default_factory=lambda: PlayoutDelay(0.25, 1.0))

    def __post_init__(self) -> None:
        self.mapping = ClockMapping(self.delay, ("microphone", "camera"))
        self.sound = AudioJitterBuffer()
        self.pictures = VideoJitterBuffer()
        self.source = AudioSource("proposition", self.delay)
        self.due: list[tuple[float, float]] = []
        """When pictures are due without delay, and when they were captured."""

    def take_sound(self, number: int, now: float) -> None:
        item = packet(number, number * PACKET, payload=b"x", codec=OPUS, arrival=now)
        self._hear(self.sound.push(item, now), now)

    def _hear(self, frames, now: float) -> None:
        for frame in frames:
            self.mapping.arrived("microphone", frame.timestamp, RATE, frame.arrival)
            due = self.mapping.due("microphone", frame.timestamp)
            self.delay.note("a/microphone", now - due, now)
            self.source.write(due, sound_of(frame.timestamp // PACKET))

    def take_picture(self, number: int, now: float) -> None:
        payload = VP8_KEY if number == 0 else VP8_DELTA
        for frame in self.pictures.push(
            packet(number, number * 3000, payload=payload, arrival=now), now
        ):
            self.mapping.arrived("camera", frame.timestamp, 90_000, frame.arrival)
            due = self.mapping.due("camera", frame.timestamp)
            self.delay.note("a/camera", now - due, now)
            self.due.append((due, frame.timestamp / 90_000))

    def poll(self, now: float) -> None:
        self._hear(self.sound.poll(now), now)
        self.pictures.poll(now)
        self.delay.update(now)


def run(sender: Sender, programme: Programme) -> list[tuple[float, float]]:
    """Return (when, sound position minus picture's capture time) for pictures that were shown."""
    events: list[tuple[float, int, str, int]] = []
    for number in range(SECONDS * 50):
        captured = number / 50
        at = sender.arrival(captured, 0.03, lossy=False)
        if at is not None:
            heappush(events, (at, number, "sound", number))
        if sender.reports and number % 250 == 10:
            heappush(events, (sender.real(captured) + 0.05, number, "report", number))
    for number in range(SECONDS * 30):
        at = sender.arrival(number / 30, 0.08, lossy=True)
        assert at is not None
        heappush(events, (at, number, "picture", number))
    return _play(events, programme)


def _play(events, programme: Programme) -> list[tuple[float, float]]:
    apart: list[tuple[float, float]] = []
    shown = 0
    for tick in range(SECONDS * 30 - 60):
        start = 1000.5 + tick / 30
        while events and events[0][0] < start:
            at, _, kind, number = heappop(events)
            if kind == "sound":
                programme.take_sound(number, at)
            elif kind == "picture":
                programme.take_picture(number, at)
            else:
                captured = number / 50
                programme.mapping.report("microphone", NTP + captured, number * PACKET)
                programme.mapping.report("camera", NTP + captured, round(captured * 90_000))
        programme.poll(start)
        heard = programme.source.read(start, TICK)[0]
        if tick % 30:
            continue
        while (
            shown < len(programme.due)
            and programme.due[shown][0] + programme.delay.seconds <= start
        ):
            shown += 1
        if shown == 0 or not whole(heard):
            continue
        due, captured = programme.due[shown - 1]
        # The picture on screen is older than this moment by how long ago it was due.
        of_picture = captured + start - programme.delay.seconds - due
        of_sound = float(heard[0]) * 20
        error = (of_sound - of_picture + 10) % 20 - 10
        apart.append((start, error))
    return apart


@pytest.mark.parametrize(
    ("skew", "reports"),
    [(100e-6, True), (-100e-6, False)],
    ids=["fast, with reports", "slow, by arrivals alone"],
)
def test_lips_stay_within_40_ms_for_half_an_hour_at_100_ppm(skew: float, reports: bool) -> None:
    programme = Programme()
    apart = run(Sender(skew, reports), programme)
    assert len(apart) > SECONDS * 0.9
    # Without reports the encoders' own delays, here 50 ms apart, cannot be known.
    known = 0.0 if reports else 0.05
    errors = np.abs([error - known for at, error in apart if at > 1010])
    assert np.max(errors) < 0.04
    assert np.median(errors) < 0.005
    assert programme.source.dropped == 0
    assert programme.source.jumps <= 1
