"""Which scene is on: the host's choice, shared screens, and who speaks, with hysteresis."""

import pytest

from bridge.broadcast.director import ActiveSpeaker, Director
from bridge.broadcast.gallery import face_of
from bridge.broadcast.media.scene import SceneKey, SceneName
from bridge.protocol.show import SceneChoice
from bridge.rooms.model import Side

SIDES = ("proposition", "opposition")
STEP = 0.1


def listen(speaker: ActiveSpeaker, seconds: float, *voiced: str, start: float = 0.0) -> float:
    """Let these be heard; return when it ends."""
    steps = round(seconds / STEP)
    for step in range(1, steps + 1):
        speaker.hear(voiced, start + step * STEP)
    return start + steps * STEP


def decide(
    director: Director,
    scene: str = "auto",
    *,
    side: Side | None = None,
    sharing: tuple[str, ...] = (),
    now: float = 0.0,
) -> SceneKey:
    choice = SceneChoice.model_validate({"scene": scene, "side": side})
    return director.decide(choice, sharing=sharing, voiced=(), now=now)


def test_who_speaks_for_a_while_becomes_the_speaker():
    speaker = ActiveSpeaker(SIDES)
    now = listen(speaker, 1.3, "opposition")
    assert speaker.side == "proposition", "that may have been a yes"
    listen(speaker, 0.3, "opposition", start=now)
    assert speaker.side == "opposition"


def test_pauses_between_words_do_not_make_a_listener_of_a_speaker():
    speaker = ActiveSpeaker(SIDES)
    now = listen(speaker, 2, "opposition")
    for _ in range(10):
        now = listen(speaker, 0.8, "opposition", start=now)
        now = listen(speaker, 0.4, start=now)
    assert speaker.side == "opposition"


def test_both_speaking_changes_nothing():
    speaker = ActiveSpeaker(SIDES)
    now = listen(speaker, 5, "proposition")
    listen(speaker, 10, *SIDES, start=now)
    assert speaker.side == "proposition"


def test_nobody_is_cut_away_before_four_seconds():
    speaker = ActiveSpeaker(SIDES)
    now = listen(speaker, 1.6, "opposition")
    assert speaker.side == "opposition"
    now = listen(speaker, 3.5, "proposition", start=now)
    assert speaker.side == "opposition"
    listen(speaker, 1, "proposition", start=now)
    assert speaker.side == "proposition"


def test_interjections_do_not_change_the_picture():
    speaker = ActiveSpeaker(SIDES)
    now = listen(speaker, 8, "proposition")
    for _ in range(20):
        now = listen(speaker, 0.5, *SIDES, start=now)
        now = listen(speaker, 2, "proposition", start=now)
        assert speaker.side == "proposition"


def test_a_pause_in_the_listening_is_not_heard_as_speech():
    speaker = ActiveSpeaker(SIDES)
    speaker.hear(["opposition"], 0.0)
    speaker.hear(["opposition"], 100.0)
    assert speaker.side == "proposition"


def test_the_newest_screen_is_shown_and_then_the_one_before():
    director = Director(SIDES)
    assert decide(director).name is SceneName.SIDE_BY_SIDE
    assert decide(director, sharing=("opposition",)) == SceneKey(SceneName.SCREEN, "opposition")
    assert decide(director, sharing=SIDES) == SceneKey(SceneName.SCREEN, "proposition")
    assert decide(director, sharing=("opposition",)) == SceneKey(SceneName.SCREEN, "opposition")
    assert decide(director) == SceneKey(SceneName.SIDE_BY_SIDE)


@pytest.mark.parametrize("scene", ["side_by_side", "title", "break", "result"])
def test_what_the_host_chose_stays_whatever_is_shared(scene):
    director = Director(SIDES)
    assert decide(director, scene, sharing=SIDES) == SceneKey(SceneName(scene))


def test_a_screen_that_nobody_shares_is_waited_for_side_by_side():
    director = Director(SIDES)
    assert decide(director, "screen") == SceneKey(SceneName.SIDE_BY_SIDE)
    assert decide(director, "screen", sharing=SIDES).name is SceneName.SCREEN


@pytest.mark.parametrize("scene", ["speaker", "picture_in_picture"])
def test_a_side_that_is_named_is_large_and_else_who_speaks(scene):
    director = Director(SIDES)
    named = decide(director, scene, side=Side.OPPOSITION)
    assert named == SceneKey(SceneName(scene), "opposition")
    choice = SceneChoice.model_validate({"scene": scene})
    keys = [
        director.decide(choice, sharing=(), voiced=["opposition"], now=step * STEP)
        for step in range(30)
    ]
    assert keys[0] == SceneKey(SceneName(scene), "proposition")
    assert keys[-1] == SceneKey(SceneName(scene), "opposition")


def test_auto_follows_the_voice_only_where_the_format_says_so():
    for follows, name in ((False, SceneName.SIDE_BY_SIDE), (True, SceneName.SPEAKER)):
        director = Director(SIDES, follow_voice=follows)
        assert decide(director).name is name
        assert decide(director, sharing=SIDES).name is SceneName.SCREEN


@pytest.mark.parametrize(
    ("seconds", "face"), [(0, "0:00"), (0.9999, "1"), (59.9, "0:59"), (3661, "1:01:01")]
)
def test_a_clock_is_read_as_people_read_it(seconds, face):
    assert face_of(seconds).endswith(face)
