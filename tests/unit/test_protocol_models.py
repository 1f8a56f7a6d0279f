import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from bridge.errors import InputError, TokenError
from bridge.protocol.messages import (
    IceCandidate,
    Join,
    Signal,
    SignalFrom,
    Wanted,
    dump,
)
from bridge.protocol.tokens import TokenSigner
from bridge.protocol.upload import (
    PART_BOXES,
    ProgrammeDescription,
    RenditionDescription,
    part_number,
    split,
)
from bridge.rooms.model import Role
from tests.server import SOURCE, part_bytes

SIGNER = TokenSigner(b"k" * 32)


def test_a_token_proves_room_and_role():
    grant = SIGNER.read(SIGNER.sign("room1", Role.HOST))
    assert (grant.room, grant.role) == ("room1", Role.HOST)


@given(st.text(max_size=600))
def test_anything_else_is_a_token_error(text):
    with pytest.raises(TokenError):
        SIGNER.read(text)


@pytest.mark.parametrize("position", [0, 5, -1])
def test_a_changed_token_is_refused(position):
    token = list(SIGNER.sign("room1", Role.HOST))
    token[position] = "A" if token[position] != "A" else "B"
    with pytest.raises(TokenError):
        SIGNER.read("".join(token))


def test_a_token_of_another_installation_is_refused():
    with pytest.raises(TokenError):
        TokenSigner(b"x" * 32).read(SIGNER.sign("room1", Role.HOST))


def test_a_token_for_another_room_or_role_says_so():
    token = SIGNER.sign("room1", Role.PROPOSITION)
    with pytest.raises(TokenError) as other_room:
        SIGNER.require(token, "room2", Role.PROPOSITION)
    with pytest.raises(TokenError) as other_role:
        SIGNER.require(token, "room1", Role.HOST)
    assert (other_room.value.code, other_role.value.code) == ("token_room", "token_role")


def test_a_signal_carries_exactly_one_thing():
    base = {"to": "bridge", "session": "abcdefgh", "link": "abcdefgh.1"}
    description = {"type": "offer", "sdp": "v=0"}
    candidate = {"candidate": "candidate:1"}
    assert Signal.model_validate({**base, "description": description}).candidate is None
    assert Signal.model_validate({**base, "candidate": candidate}).description is None
    for bad in ({}, {"description": description, "candidate": candidate}):
        with pytest.raises(ValidationError):
            Signal.model_validate({**base, **bad})


PICTURE = {"width": 618, "height": 466, "fit": "cover", "frameRate": 30, "bitRate": 1_294_000}


def test_what_is_wanted_is_told_in_the_words_of_browsers_and_a_picture_may_be_missing():
    signal = Signal.model_validate(
        {"to": "proposition", "session": "abcdefgh", "link": "a.1", "wanted": {"camera": PICTURE}}
    )
    assert signal.wanted is not None
    assert signal.wanted.screen is None
    assert dump(signal)["wanted"] == {"camera": PICTURE}


@pytest.mark.parametrize(
    "wrong",
    [
        {"width": 0},
        {"height": 5000},
        {"fit": "fill"},
        {"frameRate": 0},
        {"bitRate": 1},
        {"bitRate": 10**9},
        {"unknown": 1},
    ],
)
def test_what_nobody_can_want_is_refused(wrong):
    with pytest.raises(ValidationError):
        Wanted.model_validate({"screen": {**PICTURE, **wrong}})


@pytest.mark.parametrize(
    "content",
    [
        {"seat_key": "short"},
        {"seat_key": "x" * 65},
        {"seat_key": "with space in it"},
        {"media": {"camera": "perhaps"}},
        {"unknown": 1},
    ],
)
def test_join_refuses_what_it_does_not_know(content):
    with pytest.raises(ValidationError):
        Join.model_validate(content)


def test_sdp_above_32_kib_is_refused():
    with pytest.raises(ValidationError):
        Signal.model_validate(
            {
                "to": "bridge",
                "session": "abcdefgh",
                "link": "a.1",
                "description": {"type": "offer", "sdp": "x" * (32 * 1024 + 1)},
            }
        )


def test_candidates_speak_w3c_on_the_wire():
    candidate = IceCandidate.model_validate(
        {"candidate": "candidate:1", "sdpMid": "0", "sdpMLineIndex": 0, "newer": "ignored"}
    )
    assert dump(candidate) == {"candidate": "candidate:1", "sdpMid": "0", "sdpMLineIndex": 0}


def test_the_sender_is_called_from_on_the_wire():
    message = SignalFrom.model_validate({"from": "bridge", "session": "abcdefgh", "link": "a.1"})
    assert dump(message)["from"] == "bridge"


def test_a_description_knows_its_grid():
    description = ProgrammeDescription(
        fps=30, part_frames=12, segment_frames=60, start_wall=0.0, renditions=(SOURCE,)
    )
    assert float(description.part_duration) == 0.4
    assert description.parts_per_segment == 5


def test_a_description_says_what_is_wrong_with_its_renditions():
    for wrong in (
        {"codecs": "mp4a.40.2"},
        {"width": None},
        {"name": "../x"},
        {"codecs": "vp09.00.10.08"},
    ):
        with pytest.raises(ValidationError):
            RenditionDescription.model_validate({**SOURCE.model_dump(), **wrong})
    with pytest.raises(ValidationError, match="same name"):
        ProgrammeDescription(
            fps=30, part_frames=12, segment_frames=60, start_wall=0.0, renditions=(SOURCE, SOURCE)
        )


def test_what_is_joined_is_split_again_and_what_is_torn_refused():
    parts = [part_bytes(7, mark) for mark in (b"s", b"3", b"a")]
    body = b"".join(parts)
    assert list(split(body, PART_BOXES, 3)) == parts
    assert {part_number(part) for part in parts} == {7}
    for wrong, count in ((body, 2), (body, 4), (body[:-1], 3), (body + b"x", 3), (b"", 1)):
        with pytest.raises(InputError):
            split(wrong, PART_BOXES, count)
