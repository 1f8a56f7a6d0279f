"""Clips of a finished recording, judged by decoding them."""

import asyncio
from fractions import Fraction
from pathlib import Path

import pytest

from bridge.errors import ConflictError, InputError, SetupError
from bridge.server.recordings import avc_config, finisher
from bridge.server.recordings.clip import ClipCutter
from tests import media
from tests.component.recorded_parts import (
    BINARIES,
    Picture,
    difference,
    pictures,
    recorded,
    write_part,
)

FRAME = Fraction(1, 30)
KEYFRAMES = (0, 60, 120, 180, 240, 270, 330, 390)
SAME = 1.0
"""Mean difference up to which a picture is another one encoded once more."""


@pytest.fixture(scope="module")
def programme(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("programme")
    write_part(folder, 1, recorded(9))
    write_part(folder, 2, recorded(5))
    asyncio.run(finisher.finish(folder, "ffmpeg", on_progress=lambda _done: None))
    return folder


@pytest.fixture(scope="module")
def source(programme: Path) -> list[Picture]:
    return pictures(programme / "programme.mp4")


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def _in_step(clip: Path) -> None:
    """Picture and sound begin and end together, within a frame of sound or one of picture."""
    tracks = media.probe(clip)["streams"]
    video, audio = ((float(t["start_time"]), float(t["duration"])) for t in tracks)
    assert video[0] == pytest.approx(audio[0], abs=0.022)
    assert sum(video) == pytest.approx(sum(audio), abs=float(FRAME))


@pytest.mark.parametrize("ffmpeg", BINARIES)
@pytest.mark.parametrize(
    ("begin", "end"), [("3.1", "7.5"), ("0.033", "2"), ("4.5", "5.5"), ("8.2", "11.1"), ("4", "8")]
)
async def test_an_exact_clip_has_the_very_pictures(
    programme: Path, source: list[Picture], tmp_path: Path, ffmpeg: str, begin: str, end: str
) -> None:
    (tmp_path / "programme.mp4").hardlink_to(programme / "programme.mp4")
    from_, to = Fraction(begin), Fraction(end)
    clip = await ClipCutter(ffmpeg).cut(tmp_path, from_, to, exact=True)
    assert clip.name == f"clip-{round(from_ * 1000)}-{round(to * 1000)}-exact.mp4"
    media.decodes_cleanly(clip)
    _in_step(clip)
    duration = float(media.probe(clip)["format"]["duration"])
    assert duration == pytest.approx(float(to - from_), abs=float(FRAME))
    wanted = [(at, planes) for at, planes in source if from_ - FRAME / 2 <= at < to - FRAME / 2]
    got = pictures(clip)
    assert len(got) == len(wanted)
    for (at, planes), (wanted_at, wanted_planes) in zip(got, wanted, strict=True):
        assert float(at - got[0][0]) == pytest.approx(float(wanted_at - wanted[0][0]), abs=1e-3)
        assert difference(planes, wanted_planes) < SAME
    first = next(n for n, (at, _) in enumerate(source) if at == wanted[0][0])
    near = range(max(first - 3, 0), first + 4)
    assert min(near, key=lambda n: difference(got[0][1], source[n][1])) == first
    # From the next keyframe on everything is what it was.
    copied = next(key for key in KEYFRAMES if key >= first) - first
    pairs = zip(got[copied:], wanted[copied:], strict=True)
    assert all(difference(ours[1], theirs[1]) == 0 for ours, theirs in pairs)


@pytest.mark.parametrize("ffmpeg", BINARIES)
async def test_a_plain_clip_begins_with_the_keyframe_before_and_is_not_encoded(
    programme: Path, source: list[Picture], tmp_path: Path, ffmpeg: str
) -> None:
    (tmp_path / "programme.mp4").hardlink_to(programme / "programme.mp4")
    clip = await ClipCutter(ffmpeg).cut(tmp_path, Fraction("3.1"), Fraction("7.5"))
    media.decodes_cleanly(clip)
    _in_step(clip)
    duration = float(media.probe(clip)["format"]["duration"])
    assert duration == pytest.approx(5.5, abs=float(FRAME))
    wanted, got = source[60:225], pictures(clip)
    assert len(got) == len(wanted)
    assert all(difference(a[1], b[1]) == 0 for a, b in zip(got, wanted, strict=True))
    assert _names(tmp_path) == [clip.name, "programme.mp4"]


async def test_one_record_holds_the_parameter_sets_of_both_pieces(
    programme: Path, tmp_path: Path
) -> None:
    (tmp_path / "programme.mp4").hardlink_to(programme / "programme.mp4")
    clip = await ClipCutter("ffmpeg").cut(tmp_path, Fraction("3.1"), Fraction("7.5"), exact=True)
    config, before = avc_config.read(clip), avc_config.read(programme / "programme.mp4")
    assert config.sps[0] == before.sps[0]
    assert (len(config.sps), len(config.pps)) == (2, 2)
    assert config.profile[0] == before.profile[0]
    assert (before.highest_id, config.highest_id) == (0, 1)


async def test_a_clip_is_made_once_and_one_at_a_time(programme: Path, tmp_path: Path) -> None:
    (tmp_path / "programme.mp4").hardlink_to(programme / "programme.mp4")
    cutter = ClipCutter("ffmpeg")
    span = Fraction(1), Fraction(3)
    first, second = await asyncio.gather(*(cutter.cut(tmp_path, *span) for _ in range(2)))
    made = first.stat().st_ino
    assert first == second
    assert (await cutter.cut(tmp_path, *span)).stat().st_ino == made
    other = Fraction(4), Fraction(6)
    answers = await asyncio.gather(
        *(cutter.cut(tmp_path, *other) for _ in range(6)), return_exceptions=True
    )
    assert sum(isinstance(answer, ConflictError) for answer in answers) == 2


@pytest.mark.parametrize(("begin", "end"), [(3, 3), (4, 3), (-1, 3), (14, 20), (2.005, 2.006)])
async def test_a_piece_that_is_none_is_refused(
    programme: Path, tmp_path: Path, begin: float, end: float
) -> None:
    (tmp_path / "programme.mp4").hardlink_to(programme / "programme.mp4")
    with pytest.raises(InputError):
        await ClipCutter("ffmpeg").cut(tmp_path, Fraction(begin), Fraction(end))
    assert _names(tmp_path) == ["programme.mp4"]


async def test_without_an_encoder_an_exact_clip_is_refused_and_a_plain_one_made(
    programme: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "programme"
    folder.mkdir()
    (folder / "programme.mp4").hardlink_to(programme / "programme.mp4")
    poor = tmp_path / "ffmpeg"
    poor.write_text(
        '#!/bin/sh\ncase "$*" in *-encoders*) echo " V..... libx264rgb not this one";;\n'
        '*) exec ffmpeg "$@";; esac\n'
    )
    poor.chmod(0o755)
    cutter = ClipCutter(str(poor))
    with pytest.raises(InputError, match="libx264") as refusal:
        await cutter.cut(folder, Fraction("3.1"), Fraction(5), exact=True)
    assert refusal.value.code == "no_encoder"
    assert (await cutter.cut(folder, Fraction("3.1"), Fraction(5))).is_file()
    assert (await cutter.cut(folder, Fraction(2), Fraction(5), exact=True)).is_file()
    with pytest.raises(SetupError):
        await ClipCutter(None).cut(folder, Fraction(1), Fraction(2))


async def test_the_oldest_clips_go_and_so_does_what_a_crash_left(
    programme: Path, tmp_path: Path
) -> None:
    (tmp_path / "programme.mp4").hardlink_to(programme / "programme.mp4")
    (tmp_path / "clip-0-9-exact.mp4.new").write_bytes(b"left by a crash")
    for number in range(20):
        (tmp_path / f"clip-0-{number}.mp4").write_bytes(b"older")
    clip = await ClipCutter("ffmpeg").cut(tmp_path, Fraction(2), Fraction(4))
    kept = [name for name in _names(tmp_path) if name.startswith("clip-")]
    assert len(kept) == 20
    assert clip.name in kept
