"""Hardware encoders: found to work, or clearly not; and their byte streams brought into our form.

No test machine has the hardware, so libx264 stands in for it, opened as libav opens hardware: it
gives Annex B, and headers apart.
"""

import json
import sys
from collections.abc import Iterator

import pytest

from bridge import doctor
from bridge.broadcast import self_check
from bridge.broadcast.broadcast import encoder_settings
from bridge.broadcast.media import encoders
from bridge.broadcast.media.encoder import AudioEncoder, VideoEncoder, describe
from bridge.broadcast.media.encoders import (
    AUTO,
    HARDWARE,
    EncoderKind,
    PictureEncoder,
    VideoShape,
    choose,
    look,
)
from bridge.errors import SetupError
from bridge.protocol.broadcast_config import CanvasConfig
from tests.component.media_builders import BLUE, GRID, RED, decode_pictures, plain, settings

SHAPE = VideoShape(width=320, height=180, kbps=600, preset="superfast")
ZEROLATENCY = (("preset", "superfast"), ("tune", "zerolatency"))


def recipe(codec: str, pixels: str = "yuv420p") -> encoders._Recipe:
    options = (*ZEROLATENCY, ("forced-idr", "1"), ("x264-params", "scenecut=0"))
    return encoders._Recipe(codec, pixels, "a card", options)


@pytest.fixture
def without_hardware(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in HARDWARE:
        monkeypatch.setitem(encoders._RECIPES, kind, recipe(f"h264_{kind}_that_nobody_built"))


@pytest.fixture(params=["yuv420p", "nv12"])
def nvenc_stands_in(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    monkeypatch.setitem(encoders._RECIPES, EncoderKind.NVENC, recipe("libx264", request.param))


def test_x264_works_and_is_taken_without_a_trial(without_hardware: None) -> None:
    assert look(EncoderKind.X264, SHAPE).works
    assert choose("x264", SHAPE) is EncoderKind.X264


def test_auto_ends_with_x264_where_no_card_is(without_hardware: None) -> None:
    assert choose(AUTO, SHAPE) is EncoderKind.X264


@pytest.mark.usefixtures("nvenc_stands_in")
def test_auto_takes_the_first_card_that_works() -> None:
    assert choose(AUTO, SHAPE) is EncoderKind.NVENC
    assert choose("nvenc", SHAPE) is EncoderKind.NVENC


@pytest.mark.parametrize("kind", HARDWARE)
def test_a_card_asked_for_by_name_that_is_not_there_is_a_set_up_error(
    kind: EncoderKind, without_hardware: None
) -> None:
    with pytest.raises(SetupError) as caught:
        choose(kind, SHAPE)
    message = caught.value.message
    assert message.startswith(f"The encoder {kind} does not work here: not in this `av`")
    assert "a card" in message
    assert "debate-bridge doctor" in message
    assert "BRIDGE_ENCODER=x264" in message


def test_the_setting_reaches_the_broadcast(without_hardware: None) -> None:
    assert encoder_settings(CanvasConfig()).encoder is EncoderKind.X264
    assert encoder_settings(CanvasConfig(encoder="auto")).encoder is EncoderKind.X264
    with pytest.raises(SetupError, match="qsv does not work here"):
        encoder_settings(CanvasConfig(encoder="qsv"))


def test_what_libav_says_of_a_card_that_cannot_be_opened_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    crooked = encoders._Recipe("libx264", "yuv420p", "a card", (("preset", "crooked"),))
    monkeypatch.setitem(encoders._RECIPES, EncoderKind.QSV, crooked)
    finding = look(EncoderKind.QSV, SHAPE)
    assert not finding.works
    assert "crooked" in finding.why
    assert finding.why.endswith("; it takes a card")


def test_a_card_that_gives_keyframes_elsewhere_than_asked_does_not_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stubborn = encoders._Recipe("libx264", "yuv420p", "a card", (*ZEROLATENCY, ("g", "1")))
    monkeypatch.setitem(encoders._RECIPES, EncoderKind.VAAPI, stubborn)
    finding = look(EncoderKind.VAAPI, SHAPE)
    assert not finding.works
    assert "keyframes where asked: [True, True, True]" in finding.why


@pytest.mark.usefixtures("nvenc_stands_in")
def test_annex_b_becomes_what_outputs_take() -> None:
    chosen = settings(encoder=EncoderKind.NVENC)
    video = VideoEncoder(chosen)
    packets = []
    for number in range(130):
        colour = RED if number % 2 else BLUE
        made = list(video.encode(plain(colour, 320, 180), number))
        assert len(made) == 1
        packets += made
    packets += video.flush()
    assert [GRID.frame(packet.pts) for packet in packets if packet.keyframe] == [0, 60, 120]
    assert {packet.data[4] & 0x1F for packet in packets} == {1, 5}
    parameters = describe(chosen, video, AudioEncoder(chosen))
    assert parameters.codecs.startswith("avc1.64")
    pictures = decode_pictures(parameters, packets)
    assert len(pictures) == 130
    assert pictures[0][1].colorspace == 1


def test_our_record_of_annex_b_headers_is_the_one_that_x264_writes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    theirs = PictureEncoder(EncoderKind.X264, SHAPE).config
    options = encoders.x264_options(SHAPE)
    options["x264-params"] = options["x264-params"].replace("annexb=0", "annexb=1")
    monkeypatch.setitem(
        encoders._RECIPES,
        EncoderKind.NVENC,
        encoders._Recipe("libx264", "yuv420p", "a card", tuple(options.items())),
    )
    assert PictureEncoder(EncoderKind.NVENC, SHAPE).config == theirs


def test_hardware_is_not_asked_to_hurry(nvenc_stands_in: None) -> None:
    video = VideoEncoder(settings(encoder=EncoderKind.NVENC))
    assert not video.can_hurry
    assert not video.hurry(on=True)


def lines(checks: list[dict[str, object]]) -> Iterator[tuple[object, object]]:
    return ((check["name"], check["ok"]) for check in checks)


@pytest.mark.parametrize(("wanted", "faults"), [("x264", set()), ("qsv", {"encoder qsv"})])
def test_the_self_check_faults_a_missing_encoder_only_when_it_is_asked_for(
    wanted: str,
    faults: set[str],
    without_hardware: None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["self_check", wanted])
    self_check.main()
    checks = json.loads(capsys.readouterr().out)
    assert {name for name, ok in lines(checks) if not ok} == faults
    (qsv,) = (check for check in checks if check["name"] == "encoder qsv")
    assert qsv["found"] == "not here: not in this `av`; it takes a card"
    assert "BRIDGE_ENCODER" in qsv["remedy"]


def test_the_doctor_has_a_line_for_each_encoder() -> None:
    checks = {check.name: check for check in doctor._media("nvenc")}
    assert checks["encoder x264"].ok
    assert checks["encoder x264"].found == "works: libx264 encodes"
    for kind in HARDWARE:
        assert checks[f"encoder {kind}"].found.startswith(("works: ", "not here: "))
    nvenc = checks["encoder nvenc"]
    assert nvenc.ok == nvenc.found.startswith("works: ")
