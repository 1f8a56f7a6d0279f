"""The FLV that we write, judged by ffprobe and by decoding it."""

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest

from bridge.broadcast.outputs import flv
from tests import media


def _write(file: Path, start: Fraction = Fraction(0), shift: int = 0):
    """Encode, write from `start` on, `shift` seconds later than it was; returns what is inside."""
    parameters, packets = media.encode_programme(4)
    kept = [packet for packet in packets if packet.time >= start]
    moved = [
        replace(packet, pts=packet.pts + shift * (90_000 if packet.kind == "video" else 48_000))
        for packet in kept
    ]
    file.write_bytes(
        flv.header(parameters, "debate-bridge")
        + b"".join(flv.tag(packet, start) for packet in moved)
    )
    return parameters, kept


def test_every_picture_comes_out_bit_identical(tmp_path: Path) -> None:
    file = tmp_path / "programme.flv"
    parameters, packets = _write(file)
    report = media.probe(file)
    video, audio = report["streams"]
    assert (video["codec_name"], video["width"], video["height"]) == ("h264", 320, 180)
    assert int(video["nb_read_packets"]) == 120
    assert (audio["codec_name"], audio["sample_rate"]) == ("aac", "48000")
    assert int(audio["nb_read_packets"]) == len(media.audio_of(packets))
    assert report["format"]["tags"]["encoder"] == "debate-bridge"
    media.decodes_cleanly(file)
    assert media.picture_digests(file) == media.packet_digests(parameters, packets)


def test_a_connection_that_begins_later_begins_at_zero(tmp_path: Path) -> None:
    file = tmp_path / "later.flv"
    _write(file, start=Fraction(2))
    for stream in media.probe(file)["streams"]:
        assert float(stream["start_time"]) < 0.03
    media.decodes_cleanly(file)


@pytest.mark.parametrize("hours", [4.66, 13])
def test_timestamps_cross_the_24th_bit(tmp_path: Path, hours: float) -> None:
    # 2^24 ms are 4 h 39 min 37 s: the first case crosses it within the file.
    shift = 16_775 if hours < 5 else int(hours * 3600)
    file = tmp_path / "long.flv"
    _write(file, shift=shift)
    packets = media.probe(file, "-show_packets", "-select_streams", "v")["packets"]
    times = [float(packet["pts_time"]) for packet in packets]
    assert times[0] == pytest.approx(shift, abs=0.001)
    steps = [later - time for time, later in pairwise(times)]
    assert max(steps) < 0.035
