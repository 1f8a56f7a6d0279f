"""What is made of a finished recording: sound, poster, chapter lists."""

import logging
from pathlib import Path

import pytest

from bridge.server.recordings import derived, finisher
from bridge.server.recordings.ffmpeg import run
from bridge.server.recordings.timeline import load_timeline
from tests import media
from tests.component.recorded_parts import (
    BINARIES,
    chapter_titles,
    finish,
    inodes,
    pictures,
    recorded,
    samples,
    write_journal,
    write_log,
    write_part,
)


async def test_everything_is_derived_and_only_what_is_missing_is_made_again(
    tmp_path: Path,
) -> None:
    write_journal(tmp_path)
    write_part(tmp_path, 1, recorded(34))
    write_log(tmp_path, 1, (12, "turn", "Ada"), (23, "marker", "<Vote>"))
    await finish(tmp_path)
    assert await derived.derive(tmp_path, "ffmpeg") == []
    assert derived.missing(tmp_path) == []
    sound = media.probe(tmp_path / "sound.m4a")
    assert next(s for s in sound["streams"] if s["codec_type"] == "audio")["codec_name"] == "aac"
    assert float(sound["format"]["duration"]) == pytest.approx(34, abs=0.05)
    assert samples(tmp_path / "sound.m4a", "audio") == samples(tmp_path / "programme.mp4", "audio")
    assert [title for _, title in chapter_titles(tmp_path / "sound.m4a")] == [
        "Cars should go",
        "Ada",
        "<Vote>",
    ]
    (poster,) = media.probe(tmp_path / "poster.jpg")["streams"]
    assert (poster["codec_name"], poster["width"], poster["height"]) == ("mjpeg", 640, 360)
    assert (tmp_path / "poster.jpg").stat().st_size < 100_000
    assert "00:00:23.000 --> 00:00:34.0" in (tmp_path / "chapters.vtt").read_text()
    youtube = (tmp_path / "chapters.txt").read_text()
    assert youtube == "0:00 Cars should go\n0:12 Ada\n0:23 (Vote)\n"
    made = inodes(tmp_path)
    (tmp_path / "poster.jpg").unlink()
    assert derived.missing(tmp_path) == ["poster.jpg"]
    assert await derived.derive(tmp_path, "ffmpeg") == []
    again = inodes(tmp_path)
    assert again.keys() == made.keys()
    assert {name for name in made if made[name] != again[name]} <= {"poster.jpg"}


@pytest.mark.parametrize(
    ("filters", "dark"),
    [
        ("color=black:s=320x180:d=20[a];testsrc=s=320x180:d=40[b];[a][b]concat", False),
        ("testsrc=s=320x180:d=4[a];color=black:s=320x180:d=50[b];[a][b]concat", False),
        ("color=black:s=320x180:d=20", True),
        ("testsrc=s=320x180:d=0.2", False),
    ],
)
@pytest.mark.parametrize("ffmpeg", BINARIES)
async def test_the_poster_is_not_black_unless_everything_is(
    tmp_path: Path, ffmpeg: str, filters: str, dark: bool
) -> None:
    arguments = ["-f", "lavfi", "-i", filters, "-g", "50", "-pix_fmt", "yuv420p", "-y"]
    command = ["ffmpeg", "-v", "error", *arguments, "-preset", "ultrafast", "programme.mp4"]
    await run(command, folder=tmp_path, seconds=60)
    assert await derived.derive(tmp_path, ffmpeg) == ["sound.m4a"]
    ((_, planes),) = pictures(tmp_path / "poster.jpg")
    assert bool(planes[:360].mean() < 20) is dark


async def test_what_cannot_be_derived_costs_only_itself(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_journal(tmp_path)
    write_part(tmp_path, 1, recorded(5))
    await finish(tmp_path)
    with caplog.at_level(logging.WARNING):
        assert await derived.derive(tmp_path, "/bin/false") == ["poster.jpg", "sound.m4a"]
        assert await derived.derive(tmp_path, None) == ["poster.jpg", "sound.m4a"]
    assert len(caplog.records) == 4
    assert (tmp_path / "chapters.vtt").is_file()
    assert not [name for name in inodes(tmp_path) if name.endswith(".new")]


async def test_a_recording_of_an_older_version_gets_everything_too(tmp_path: Path) -> None:
    write_journal(tmp_path)
    write_part(tmp_path, 1, recorded(5))
    await finish(tmp_path)
    (tmp_path / "events.json").unlink()
    finisher.drop_parts(tmp_path)
    assert await derived.derive(tmp_path, "ffmpeg") == []
    assert load_timeline(tmp_path).duration == pytest.approx(5, abs=0.034)
    assert (tmp_path / "chapters.txt").read_text() == "0:00 Cars should go\n"
