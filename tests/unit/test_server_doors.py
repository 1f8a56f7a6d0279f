"""Small rules at the server's doors: packets, origins, rates, keys, errors."""

from urllib.parse import urlencode

import pytest
from aiohttp.test_utils import make_mocked_request
from pydantic import BaseModel, ValidationError

from bridge.clock import FakeClock
from bridge.errors import ConflictError, InputError, NotFoundError, SetupError, TokenError
from bridge.server.door import JsonPacket, SameOrigin
from bridge.server.listening import _reachable, shown_address
from bridge.server.pages import language
from bridge.server.problems import explain, status_of
from bridge.server.rate import TokenBucket
from bridge.server.secrets import InstallationKey, Vault
from bridge.server.signalling import check_sdp
from bridge.settings import Settings


def test_a_packet_of_ours_is_decoded():
    packet = JsonPacket(encoded_packet='213["media",{"camera":true}]')
    assert (packet.data, packet.id) == (["media", {"camera": True}], 13)


@pytest.mark.parametrize(
    "packet",
    [b"\x01", '51-["a",{"_placeholder":true,"num":0}]', '451999999-["a"]', "2{}", "2[]", "2[1]",
     "2[", "x", "9", '4"e"', "2" + "[" * 30_000, "2/ns", "2" + "1" * 200 + "[]"],
)  # fmt: skip
def test_any_other_packet_is_refused(packet):
    with pytest.raises(InputError):
        JsonPacket(encoded_packet=packet)


@pytest.mark.parametrize(
    ("origin", "environ", "admitted"),
    [
        ("http://debates.lan:8080", {"HTTP_HOST": "debates.lan:8080"}, True),
        ("https://debates.lan:8080", {"HTTP_HOST": "debates.lan:8080"}, True),
        ("http://debates.lan", {"HTTP_HOST": "debates.lan:8080"}, False),
        ("https://debates.example", {"HTTP_HOST": "10.0.0.7:8080"}, True),
        (
            "https://front.example",
            {"HTTP_HOST": "x", "HTTP_X_FORWARDED_HOST": "front.example, y"},
            True,
        ),
        ("https://evil.example", {"HTTP_HOST": "debates.lan"}, False),
        ("null", {"HTTP_HOST": "debates.lan"}, False),
        ("", {}, False),
        (None, {}, False),
    ],
)
def test_same_origin(origin, environ, admitted):
    assert SameOrigin("https://debates.example/")(origin, environ) is admitted


def test_a_bucket_allows_a_burst_and_then_its_rate():
    clock = FakeClock()
    bucket = TokenBucket(clock, per_second=2, burst=3)
    assert [bucket.take() for _ in range(4)] == [True, True, True, False]
    clock.advance(0.5)
    assert [bucket.take() for _ in range(2)] == [True, False]
    clock.advance(1000)
    assert [bucket.take() for _ in range(4)] == [True, True, True, False]


def test_the_key_is_made_once_and_for_its_owner_alone(tmp_path):
    first, again = InstallationKey.load(tmp_path), InstallationKey.load(tmp_path)
    assert first == again
    assert (tmp_path / "secret.key").stat().st_mode & 0o777 == 0o600
    assert first.derive("tokens") == again.derive("tokens") != first.derive("destinations")
    assert "secret" not in repr(first)
    assert [path.name for path in tmp_path.iterdir()] == ["secret.key"]


def test_a_damaged_key_is_said_and_not_replaced(tmp_path):
    (tmp_path / "secret.key").write_bytes(b"short")
    with pytest.raises(SetupError):
        InstallationKey.load(tmp_path)
    assert (tmp_path / "secret.key").read_bytes() == b"short"


def test_the_vault_opens_only_with_its_own_key(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    vault, other = (Vault(InstallationKey.load(tmp_path / name)) for name in "ab")
    sealed = vault.seal("rtmp://live.example.com/app/key")
    assert "key" not in sealed
    assert vault.open(sealed) == "rtmp://live.example.com/app/key"
    with pytest.raises(SetupError) as refusal:
        other.open(sealed)
    assert "rtmp" not in refusal.value.message


def test_a_description_of_usual_size_passes():
    media = "m=video 9 UDP/TLS/RTP/SAVPF 96\r\n" + "a=candidate:1\r\n" * 30
    check_sdp("v=0\r\n" + media * 3)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (InputError(""), 400),
        (InputError("", code="too_large"), 413),
        (TokenError(""), 401),
        (TokenError("", code="token_room"), 403),
        (NotFoundError(""), 404),
        (ConflictError(""), 409),
        (SetupError(""), 503),
    ],
)
def test_each_error_has_its_status(error, status):
    assert status_of(error) == status


def test_a_wrong_field_is_named_and_its_value_is_not():
    class Body(BaseModel):
        destinations: tuple[int, ...]

    with pytest.raises(ValidationError) as refusal:
        Body.model_validate({"destinations": [1, "rtmp://secret"]})
    text = explain(refusal.value)
    assert text.startswith("destinations.1: ")
    assert "rtmp" not in text


@pytest.mark.parametrize(
    ("host", "found"),
    [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.1"), ("::", "[::1]"), ("::1", "[::1]"),
     ("192.168.1.5", "192.168.1.5")],
)  # fmt: skip
def test_broadcasts_find_a_server_wherever_it_listens(host, found):
    assert _reachable(host) == found


def test_the_address_that_is_shown(tmp_path):
    plain = Settings(data_dir=tmp_path)
    public = Settings.model_validate({"public_url": "https://debates.example/"})
    assert shown_address(plain, None, "127.0.0.1", 8123) == "http://localhost:8123"
    assert shown_address(plain, None, "0.0.0.0", 8123) == "http://localhost:8123"
    assert shown_address(plain, None, "192.168.1.5", 8123) == "http://192.168.1.5:8123"
    assert shown_address(public, None, "127.0.0.1", 8123) == "https://debates.example"


@pytest.mark.parametrize(
    ("query", "accepted", "found"),
    [
        ({}, "", "en"),
        ({}, "fr-CA,fr;q=0.9,en;q=0.8", "fr"),
        ({}, "de,fr;q=0.5", "fr"),
        ({"lang": "en"}, "fr", "en"),
        ({"lang": "../.."}, "fr", "fr"),
        ({}, "*", "en"),
    ],
)
def test_the_language_of_a_page(query, accepted, found):
    path = "/?" + urlencode(query)
    request = make_mocked_request("GET", path, headers={"Accept-Language": accepted})
    assert language(request) == found
