"""Isolated tracks on a real disk, read by ffprobe and ffmpeg."""

import json
import subprocess
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest
from av.audio.codeccontext import AudioCodecContext
from av.video.codeccontext import VideoCodecContext

from bridge.aiortc_inside.media import H264
from bridge.broadcast.isolated.recorder import IsolatedRecorder, Timeline
from bridge.broadcast.isolated.track_file import IsolatedFrame, TrackFile
from bridge.broadcast.rtc.frames import EncodedFrame, is_keyframe
from bridge.broadcast.rtc.playout_delay import PlayoutDelay
from bridge.clock import FakeClock
from bridge.protocol.broadcast_config import RecordingConfig
from tests.traps import vp8

DELAY = 0.25
BEGIN = 500.0


def opus(count: int) -> list[bytes]:
    codec = AudioCodecContext.create("libopus", "w")
    codec.sample_rate, codec.layout, codec.format = 48_000, "stereo", "s16"
    codec.time_base = Fraction(1, 48_000)
    data: list[bytes] = []
    for number in range(count):
        sound = av.AudioFrame("s16", "stereo", 960)
        sound.planes[0].update(bytes(range(240)) * 16)
        sound.sample_rate, sound.pts = 48_000, number * 960
        data += [bytes(packet) for packet in codec.encode(sound)]
    return data


def h264(count: int) -> list[bytes]:
    codec = VideoCodecContext.create("libx264", "w")
    codec.width, codec.height, codec.pix_fmt = *vp8.SIZE, "yuv420p"
    codec.time_base, codec.framerate, codec.gop_size = Fraction(1, 30), Fraction(30), 10_000
    codec.options = {"preset": "ultrafast", "tune": "zerolatency", "profile": "baseline"}
    return [bytes(packet) for n in range(count) for packet in codec.encode(vp8.moving(n))]


def sound_frame(data: bytes, number: int) -> EncodedFrame:
    return EncodedFrame(
        codec="opus", data=data, timestamp=number * 960, clock_rate=48_000, arrival=0.0,
        keyframe=True, lost_before=0,
    )  # fmt: skip


def probe(path: Path, *what: str) -> dict[str, Any]:
    command = ["ffprobe", "-v", "error", "-of", "json", *what, str(path)]
    done = subprocess.run(command, capture_output=True, check=True, timeout=30)
    return dict(json.loads(done.stdout))


def decode(path: Path) -> str:
    """Decode all; returns what ffmpeg complained of."""
    # With a clock fine enough for any times: by itself ffmpeg rounds them to a guessed frame rate.
    to = ["-map", "0", "-fps_mode", "passthrough", "-enc_time_base", "1:10000", "-f", "null", "-"]
    command = ["ffmpeg", "-v", "error", "-i", str(path), *to]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    return done.stderr


def times(path: Path, stream: str) -> list[float]:
    packets = probe(path, "-select_streams", stream, "-show_entries", "packet=pts_time")["packets"]
    return [float(packet["pts_time"]) for packet in packets]


async def record(folder: Path, seconds: int = 4) -> None:
    """Thirty pictures and fifty packets a second, as the receive path hands them over."""
    recorder = IsolatedRecorder(
        RecordingConfig(folder=folder, number=2, isolated=True),
        PlayoutDelay(DELAY, 1.0),
        FakeClock(),
    )
    tap = recorder.tap("proposition")
    recorder.start(Timeline(begin=BEGIN, start_wall=1_700_000_000.0, fps=30))
    pictures = vp8.encode(30 * seconds)
    for number, data in enumerate(opus(50 * seconds)):
        while len(pictures) > 30 * seconds - number * 0.6:
            shown = 30 * seconds - len(pictures)
            tap.take("camera", vp8.frame(pictures.pop(0), shown), BEGIN + 1 + shown / 30)
        # The mapping slews by a little; the steps of the file must not.
        tap.take("microphone", sound_frame(data, number), BEGIN + 1 + number * 0.02002)
    for left in range(30 * seconds - len(pictures), 30 * seconds):
        tap.take("camera", vp8.frame(pictures.pop(0), left), BEGIN + 1 + left / 30)
    await recorder.stop(10)


async def test_camera_and_microphone_stand_where_the_programme_shows_them(tmp_path: Path) -> None:
    await record(tmp_path)

    path = tmp_path / "proposition-2.mkv"
    assert decode(path) == ""
    pictures, sound = times(path, "v"), times(path, "a")
    assert (len(pictures), len(sound)) == (120, 200)
    for number, time in enumerate(pictures):
        assert time == pytest.approx(1 + DELAY + (number + 0.5) / 30, abs=0.001)
    for number, time in enumerate(sound):
        assert time == pytest.approx(1 + DELAY + number * 0.02, abs=0.001)


async def test_the_sidecar_tells_clock_codecs_and_sizes(tmp_path: Path) -> None:
    await record(tmp_path, seconds=1)

    sidecar = json.loads((tmp_path / "isolated-2.json").read_text())
    assert (sidecar["broadcast"], sidecar["start_wall"], sidecar["fps"]) == (2, 1_700_000_000.0, 30)
    assert sidecar["ended"] is True
    microphone, camera = sidecar["files"][0]["tracks"]
    assert sidecar["files"][0]["file"] == "proposition-2.mkv"
    assert (camera["track"], camera["codec"], camera["first"]) == ("camera", "VP8", 1.2667)
    assert camera["sizes"] == [{"from": 1.2667, "width": 320, "height": 180}]
    assert microphone["holes"] == []


async def test_a_file_cut_anywhere_is_read_without_repair(tmp_path: Path) -> None:
    await record(tmp_path)
    whole = (tmp_path / "proposition-2.mkv").read_bytes()

    before = 0
    for part in (0.2, 0.43, 0.77, 0.99):
        cut = tmp_path / "cut.mkv"
        cut.write_bytes(whole[: int(len(whole) * part)])
        seen = len(times(cut, "v"))
        assert seen > before
        before = seen
        decode(cut)


def test_h264_of_a_browser_is_read_with_its_size(tmp_path: Path) -> None:
    file = TrackFile(tmp_path / "opposition-1.mkv")
    for number, data in enumerate(h264(60)):
        file.put(
            IsolatedFrame(
                file="opposition", track="camera", codec=H264, data=data, time=number / 30,
                keyframe=is_keyframe(H264, data),
            )
        )  # fmt: skip
    file.close()

    path = tmp_path / "opposition-1.mkv"
    assert decode(path) == ""
    stream = probe(path, "-show_streams")["streams"][0]
    assert (stream["codec_name"], stream["width"], stream["height"]) == ("h264", 320, 180)
    assert len(times(path, "v")) == 60


async def test_a_disk_that_fails_ends_the_tracks_and_nothing_else(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await record(tmp_path / "gone", seconds=1)

    assert "the isolated tracks have ended" in caplog.text


async def test_what_is_not_taken_is_left_out_up_to_a_keyframe_and_counted(tmp_path: Path) -> None:
    recorder = IsolatedRecorder(
        RecordingConfig(folder=tmp_path, number=1, isolated=True),
        PlayoutDelay(DELAY, 1.0),
        FakeClock(),
    )
    tap = recorder.tap("proposition")
    first, *_, last = vp8.encode(3)
    # Closed: nothing is taken any more, as when the disk is behind.
    await recorder.stop(1)
    recorder.start(Timeline(begin=BEGIN, start_wall=0.0, fps=30))
    tap.take("camera", vp8.frame(first, 0), BEGIN + 1)
    tap.take("camera", vp8.frame(last, 1), BEGIN + 1.1)
    await recorder.stop(5)

    assert recorder.dropped == 2
    assert json.loads((tmp_path / "isolated-1.json").read_text())["dropped"] == 2
