"""When things are due, what the clock shows, and what a slow connection loses."""

import asyncio
from fractions import Fraction

import pytest
from aiortc.mediastreams import MediaStreamError
from av.packet import Packet

from bridge.debater.burn_in import clock_text
from bridge.debater.cadence import Cadence, Medium
from bridge.debater.tracks import EncodedTrack, IdleTrack


class CountingEncoder:
    """What a track needs of the encoder."""

    def __init__(self) -> None:
        self.sinks: list[EncodedTrack] = []
        self.keyframes_wanted = 0

    def add(self, _medium: Medium, sink: EncodedTrack) -> None:
        self.sinks.append(sink)
        self.request_keyframe()

    def remove(self, _medium: Medium, sink: EncodedTrack) -> None:
        if sink in self.sinks:
            self.sinks.remove(sink)

    def request_keyframe(self) -> None:
        self.keyframes_wanted += 1


def packet(number: int, *, keyframe: bool = False) -> Packet:
    made = Packet(bytes(10))
    made.pts, made.time_base = number, Fraction(1, 30)
    made.is_keyframe = keyframe
    return made


async def track_of(medium: Medium) -> tuple[EncodedTrack, CountingEncoder]:
    """A track whose sender has read one packet and waits for more."""
    encoder = CountingEncoder()
    track = EncodedTrack(encoder, medium)  # type: ignore[arg-type]
    first = asyncio.create_task(track.recv())
    await asyncio.sleep(0)
    track.put(packet(0, keyframe=True))
    assert (await first).pts == 0
    return track, encoder


def test_pictures_and_sounds_come_in_order_of_time():
    cadence = Cadence()
    due = [cadence.next(0.0) for _ in range(8)]
    assert [(d.medium, d.number) for d in due] == [
        (Medium.SOUND, 0), (Medium.PICTURE, 0), (Medium.SOUND, 1), (Medium.PICTURE, 1),
        (Medium.SOUND, 2), (Medium.SOUND, 3), (Medium.PICTURE, 2), (Medium.SOUND, 4),
    ]  # fmt: skip
    assert due[3].wait == pytest.approx(1 / 30)


def test_little_lateness_is_caught_up_and_nothing_left_out():
    cadence = Cadence()
    due = [cadence.next(0.2) for _ in range(10)]
    assert all(d.wait <= 0 for d in due)
    assert cadence.skipped == 0


def test_after_a_long_stop_numbers_are_left_out_on_both_grids():
    cadence = Cadence()
    cadence.next(0.0)
    cadence.next(0.0)
    numbers = {d.medium: d.number for d in (cadence.next(10.0), cadence.next(10.0))}
    assert numbers == {Medium.SOUND: 500, Medium.PICTURE: 300}
    assert cadence.skipped == 499 + 299


def test_clock_shows_every_frame_of_a_second_once():
    start = 1_700_000_000
    shown = [clock_text(round((start + n / 30) * 1e6), 30) for n in range(60)]
    assert shown[0] == "22:13:20.00"
    assert len(set(shown)) == 60
    assert [text[-2:] for text in shown[:30]] == [f"{n:02}" for n in range(30)]


async def test_track_takes_nothing_before_its_sender_reads():
    encoder = CountingEncoder()
    track = EncodedTrack(encoder, Medium.PICTURE)  # type: ignore[arg-type]
    assert encoder.sinks == []
    reader = asyncio.create_task(track.recv())
    await asyncio.sleep(0)
    assert encoder.sinks == [track]
    assert encoder.keyframes_wanted == 1
    track.stop()
    with pytest.raises(MediaStreamError):
        await reader
    assert encoder.sinks == []


async def test_pictures_before_the_first_keyframe_are_left_out():
    encoder = CountingEncoder()
    track = EncodedTrack(encoder, Medium.PICTURE)  # type: ignore[arg-type]
    reader = asyncio.create_task(track.recv())
    await asyncio.sleep(0)
    track.put(packet(1))
    track.put(packet(2, keyframe=True))
    assert (await reader).pts == 2


async def test_slow_sender_loses_pictures_up_to_the_next_keyframe():
    track, encoder = await track_of(Medium.PICTURE)
    for number in range(1, 40):
        track.put(packet(number))
    assert encoder.keyframes_wanted == 2
    track.put(packet(40, keyframe=True))
    track.put(packet(41))
    assert [(await track.recv()).pts for _ in range(2)] == [40, 41]
    assert track.dropped == 30


async def test_slow_sender_loses_the_oldest_sounds():
    track, _ = await track_of(Medium.SOUND)
    for number in range(1, 41):
        track.put(packet(number, keyframe=True))
    assert (await track.recv()).pts == 16
    assert track.dropped == 15


async def test_lost_packets_gate_pictures_but_not_sound():
    picture, _ = await track_of(Medium.PICTURE)
    sound, _ = await track_of(Medium.SOUND)
    for track in (picture, sound):
        track.put(packet(1))
        track.resync()
        track.put(packet(2))
        track.put(packet(3, keyframe=True))
    assert (await picture.recv()).pts == 3
    assert (await sound.recv()).pts == 1


async def test_idle_track_waits_until_it_is_stopped():
    track = IdleTrack()
    reader = asyncio.create_task(track.recv())
    await asyncio.sleep(0)
    assert not reader.done()
    track.stop()
    with pytest.raises(MediaStreamError):
        await reader
