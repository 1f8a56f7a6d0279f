"""The programme in real time: constant timestamps, continuous sound, sound with the picture."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from bridge.broadcast.media.artwork import Artwork, Drawing
from bridge.broadcast.media.frames import view_planes
from bridge.broadcast.media.mixer import Mixer
from bridge.broadcast.media.packets import ORIGIN_SECONDS, EncodedPacket, TrackKind
from bridge.broadcast.media.programme import Programme
from bridge.broadcast.media.sources import AudioSource, SourceView, VideoSource
from bridge.broadcast.media.stage import Stage
from bridge.clock import SystemClock
from bridge.errors import SettingsError
from tests.component.media_builders import (
    CAPTION,
    GRID,
    RED,
    SIDE_BY_SIDE,
    classic,
    decode_pictures,
    decode_sound,
    draw_artwork,
    of,
    plain,
    settings,
    write_theme,
)

RATE = 48_000
SIDES = ("proposition", "opposition")


class Rig:
    """A programme with sources, and everything that comes out of it."""

    def __init__(self, artwork: Artwork, clock: SystemClock | None = None) -> None:
        self.cameras = {side: VideoSource(side) for side in SIDES}
        self.microphones = {side: AudioSource(side) for side in SIDES}
        for camera in self.cameras.values():
            camera.expect()
        self.packets: list[EncodedPacket] = []
        self.arrivals: list[float] = []
        self.failures: list[Exception] = []
        self.clock = clock or SystemClock()
        self.programme = Programme(
            settings(artwork.scene.width, artwork.scene.height),
            Stage(Drawing(SIDE_BY_SIDE, artwork, ())),
            Mixer(list(self.microphones.values())),
            self.cameras,
            clock=self.clock,
            sink=self.take,
            on_failure=self.failures.append,
        )

    def take(self, packet: EncodedPacket) -> None:
        self.arrivals.append(self.clock.monotonic())
        self.packets.append(packet)

    def frames(self) -> list[int]:
        return [GRID.frame(packet.pts) for packet in of(TrackKind.VIDEO, self.packets)]

    def sound_is_continuous(self) -> bool:
        pts = [packet.pts for packet in of(TrackKind.AUDIO, self.packets)]
        start = ORIGIN_SECONDS * RATE - 1_024
        return pts == list(range(start, start + 1_024 * len(pts), 1_024))

    @contextmanager
    def on_air(self) -> Iterator[None]:
        self.programme.start()
        try:
            yield
        finally:
            assert self.programme.stop()


@pytest.fixture(scope="module")
def artwork() -> Artwork:
    return classic(320, 180)


def test_three_seconds_have_constant_timestamps_and_continuous_sound(artwork):
    rig = Rig(artwork)
    assert rig.programme.renditions[0].parameters.codecs.startswith("avc1.64")
    begin, begin_wall = rig.clock.monotonic(), rig.clock.wall()
    with rig.on_air():
        assert abs(rig.programme.start_wall - begin_wall) < 0.1
        time.sleep(3)
    assert rig.arrivals[0] - begin < 0.15
    frames = rig.frames()
    stats = rig.programme.stats
    assert frames[0] == 0
    assert len(frames) == stats.ticks
    assert 88 <= frames[-1] + 1 <= 92
    assert frames[-1] + 1 == stats.ticks + stats.skipped
    assert stats.skipped <= 2, "a busy machine may cost a tick or two"
    assert rig.sound_is_continuous()
    sound = of(TrackKind.AUDIO, rig.packets)
    # The encoder's lead-in before, and the last frame filled up behind.
    end = sound[-1].pts + 1_024 - ORIGIN_SECONDS * RATE
    assert 0 <= end - (frames[-1] + 1) * 1_600 < 2 * 1_024
    assert 0 < stats.compose_ms < 20
    assert 0 < stats.encode_ms < 30
    assert not rig.failures


def test_all_sound_of_a_part_comes_before_its_last_picture(artwork):
    rig = Rig(artwork)
    with rig.on_air():
        time.sleep(1)
    heard_until = 0.0
    for packet in rig.packets[: len(rig.packets) - 10]:
        if packet.kind is TrackKind.AUDIO:
            heard_until = float(packet.time) + 1_024 / RATE
        elif GRID.frame(packet.pts) % GRID.part_frames == GRID.part_frames - 1:
            # All of it, less what AAC holds: lead-in, one frame and a part of one.
            assert heard_until >= float(packet.time) + 1 / 30 - 3 * 1_024 / RATE


def test_a_flash_at_any_moment_is_on_the_next_tick_after_its_beep(artwork):
    rig = Rig(artwork)
    with rig.on_air():
        first = rig.clock.monotonic() + 0.3
        white, black = plain((235, 128, 128)), plain((16, 128, 128))
        beep = 0.5 * np.sin(2 * np.pi * 1_000 * np.arange(9_600) / RATE).astype(np.float32)
        for number in range(4):
            # The source's own sender: the flash is put when it is due, the beep ahead of time.
            flash = first + number * 0.5
            rig.microphones["proposition"].write(flash, np.stack([beep, beep]))
            _sleep_until(flash)
            while rig.clock.monotonic() < flash + 0.2:
                rig.cameras["proposition"].put(white, flash)
                time.sleep(0.01)
            rig.cameras["proposition"].put(black, flash)
    parameters = rig.programme.renditions[0].parameters
    pictures = decode_pictures(parameters, rig.packets)
    light = np.array([view_planes(picture)[0][60:100, 20:140].mean() for _, picture in pictures])
    times = np.array([float(at) for at, _ in pictures])
    flashes = times[1:][(light[1:] > 180) & (light[:-1] <= 180)]
    start, sound = decode_sound(parameters, rig.packets)
    loud = np.flatnonzero(np.abs(sound) > 0.1)
    beeps = loud[np.r_[True, np.diff(loud) > 4_800]] / RATE + float(start)
    assert len(flashes) == len(beeps) == 4
    # A picture waits for its tick: up to a frame, half of one on average.
    offsets = flashes - beeps
    assert (offsets > -0.010).all()
    assert (offsets < 1 / 30 + 0.010).all()


def test_a_flash_and_a_beep_on_the_grid_are_decoded_within_2_ms(artwork):
    """The same without the wait for a tick: flash and beep are put exactly on the grid."""
    rig = Rig(artwork)
    begin = rig.clock.monotonic() + 0.1
    beep = 0.5 * np.sin(2 * np.pi * 1_000 * np.arange(9_600) / RATE).astype(np.float32)
    rig.microphones["opposition"].write(begin + 1.0, np.stack([beep, beep]))
    rig.programme.start(begin)
    _sleep_until(begin + 29.5 / 30)
    rig.cameras["opposition"].put(plain((235, 128, 128)), begin + 29.5 / 30)
    _sleep_until(begin + 1.5)
    assert rig.programme.stop()
    pictures = decode_pictures(rig.programme.renditions[0].parameters, rig.packets)
    flash = next(at for at, p in pictures if view_planes(p)[0][60:100, 180:300].mean() > 180)
    start, sound = decode_sound(rig.programme.renditions[0].parameters, rig.packets)
    heard = float(start) + int(np.argmax(np.abs(sound) > 0.1)) / RATE
    assert float(flash) == 1.0
    assert abs(heard - 1.0) < 0.002


def test_an_encoder_that_cannot_follow_costs_pictures_but_no_sound(artwork):
    rig = Rig(artwork)
    slow = threading.Event()

    def take(packet: EncodedPacket) -> None:
        rig.packets.append(packet)
        if packet.kind is TrackKind.VIDEO and not slow.is_set():
            slow.set()
            time.sleep(0.6)

    rig.programme._sink = take
    with rig.on_air():
        time.sleep(1.5)
    frames = rig.frames()
    assert rig.programme.stats.skipped >= 8
    assert len(frames) < frames[-1] + 1
    assert rig.sound_is_continuous()
    last = of(TrackKind.AUDIO, rig.packets)[-1].pts + 1_024 - ORIGIN_SECONDS * RATE
    assert last >= (frames[-1] + 1) * 1_600


def test_an_output_that_raises_ends_the_programme_and_says_so(artwork):
    rig = Rig(artwork)

    def refuse(_packet: EncodedPacket) -> None:
        raise OSError(28, "No space left on device")

    rig.programme._sink = refuse
    rig.programme.start()
    deadline = time.monotonic() + 5
    while not rig.failures and time.monotonic() < deadline:
        time.sleep(0.01)
    assert rig.programme.stop()
    assert [type(failure) for failure in rig.failures] == [OSError]


class JumpingClock(SystemClock):
    """A machine that stood still: its clock has gone on."""

    __slots__ = ()
    ahead = 0.0

    def monotonic(self) -> float:
        return time.monotonic() + type(self).ahead


@pytest.mark.parametrize(("standstill", "fails"), [(4.0, False), (11.0, True)])
def test_a_standstill_is_bridged_with_silence_unless_it_is_hopeless(artwork, standstill, fails):
    rig = Rig(artwork, JumpingClock())
    JumpingClock.ahead = 0.0
    rig.programme.start()
    time.sleep(0.2)
    JumpingClock.ahead = standstill
    time.sleep(0.5)
    assert rig.programme.stop()
    assert [getattr(failure, "code", None) for failure in rig.failures] == ["standstill"] * fails
    assert rig.sound_is_continuous()
    assert (rig.programme.stats.skipped >= standstill * 30 - 5) or fails


def test_with_pictures_held_one_tick_in_five_shows_the_one_before(artwork, monkeypatch):
    rig = Rig(artwork)
    asked: list[float] = []
    camera = rig.cameras["proposition"]
    current = camera.current

    def counted(now: float) -> SourceView:
        asked.append(now)
        return current(now)

    monkeypatch.setattr(camera, "current", counted)
    rig.programme.hold_pictures = True
    with rig.on_air():
        time.sleep(1)
    ticks = rig.programme.stats.ticks
    assert len(asked) == pytest.approx(ticks * 4 / 5, abs=2)
    assert rig.sound_is_continuous()


def test_stopping_twice_or_before_the_start_is_harmless(artwork):
    rig = Rig(artwork)
    assert rig.programme.stop()
    assert rig.programme.stop()


def test_a_canvas_of_another_size_than_the_artwork_is_refused(tmp_path):
    drawing = "".join(
        f'<rect data-tile="{side}" x="{160 * n}" y="0" width="160" height="90"/>'
        for n, side in enumerate(SIDES)
    )
    other = draw_artwork(write_theme(tmp_path, drawing), CAPTION, (640, 360))
    with pytest.raises(SettingsError):
        Programme(
            settings(320, 180), Stage(Drawing(SIDE_BY_SIDE, other, ())), Mixer([]), {},
            clock=SystemClock(), sink=lambda _: None, on_failure=lambda _: None,
        )  # fmt: skip


def test_a_picture_put_before_the_start_is_on_the_first_frame(artwork):
    rig = Rig(artwork)
    rig.cameras["proposition"].put(plain(RED), rig.clock.monotonic())
    with rig.on_air():
        time.sleep(0.2)
    _, picture = decode_pictures(rig.programme.renditions[0].parameters, rig.packets)[0]
    middle = [int(plane[len(plane) // 2, plane.shape[1] // 4]) for plane in view_planes(picture)]
    assert middle == pytest.approx(RED, abs=8)


def _sleep_until(moment: float) -> None:
    time.sleep(max(0.0, moment - time.monotonic()))
