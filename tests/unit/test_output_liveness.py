"""What a destination's behaviour means, as tables."""

import errno
from dataclasses import replace

import pytest

from bridge.broadcast.outputs.liveness import (
    Ended,
    Liveness,
    Progress,
    Verdict,
    accepted,
    assess,
    in_words,
    judge,
)

MEDIA = Progress(acked_at=90.0).heard(40_000, 100.0)


@pytest.mark.parametrize(
    ("progress", "now", "liveness"),
    [
        (Progress(acked_at=100.0), 100.0, Liveness.CONNECTING),
        (Progress(acked_at=100.0), 108.0, Liveness.CONNECTING),
        (Progress(acked_at=100.0), 108.1, Liveness.SILENT),
        (Progress(acked_at=90.0).heard(4000, 100.0), 101.0, Liveness.CONNECTING),
        (Progress(acked_at=90.0).heard(4000, 100.0), 108.1, Liveness.SILENT),
        (Progress(acked_at=90.0).heard(40_000, 100.0), 101.0, Liveness.PUBLISHING),
        (MEDIA, 108.0, Liveness.PUBLISHING),
        (MEDIA, 108.1, Liveness.STALLED),
        (MEDIA.heard(40_000, 107.0), 108.1, Liveness.STALLED),
        (MEDIA.heard(41_000, 107.0), 108.1, Liveness.PUBLISHING),
        (replace(MEDIA, blocked_since=99.0), 104.0, Liveness.PUBLISHING),
        (replace(MEDIA, blocked_since=99.0), 104.1, Liveness.STALLED),
    ],
)
def test_assess(progress: Progress, now: float, liveness: Liveness) -> None:
    assert assess(progress, now) is liveness
    assert liveness.dead == (liveness in {Liveness.STALLED, Liveness.SILENT})


def test_a_key_is_right_once_media_was_taken_for_three_seconds() -> None:
    assert not accepted(Progress(acked_at=90.0).heard(4000, 100.0), 110.0)
    assert not accepted(MEDIA, 102.9)
    assert accepted(MEDIA.heard(90_000, 102.0), 103.0)


def _ended(
    number: int = 0,
    *,
    accepted: bool = False,
    liveness: Liveness = Liveness.CONNECTING,
    forbidden: bool = False,
) -> Ended:
    return Ended(
        liveness=liveness, accepted=accepted, errno=number, words="oh", forbidden=forbidden
    )


@pytest.mark.parametrize(
    ("ended", "ever_accepted", "verdict"),
    [
        (_ended(errno.EIO), False, Verdict.REFUSED),
        (_ended(errno.EIO), True, Verdict.LOST),
        (_ended(errno.EIO, accepted=True), True, Verdict.LOST),
        (_ended(errno.EPIPE, accepted=True, liveness=Liveness.PUBLISHING), True, Verdict.LOST),
        (_ended(errno.ECONNREFUSED), False, Verdict.LOST),
        (_ended(errno.ETIMEDOUT), False, Verdict.LOST),
        (_ended(errno.EIO, liveness=Liveness.SILENT), False, Verdict.LOST),
        (_ended(0), False, Verdict.LOST),
        (_ended(0, forbidden=True), False, Verdict.FORBIDDEN),
    ],
)
def test_judge(ended: Ended, ever_accepted: bool, verdict: Verdict) -> None:
    assert judge(ended, ever_accepted=ever_accepted) is verdict
    assert in_words(ended, verdict).endswith(".")


def test_words_say_what_to_do_about_a_refusal() -> None:
    assert "stream key" in in_words(_ended(errno.EIO), Verdict.REFUSED)
    assert in_words(_ended(liveness=Liveness.SILENT), Verdict.LOST) == (
        "The connection was given up: no answer."
    )
