import logging
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from bridge.clock import FakeClock
from bridge.log import Redactor
from bridge.rooms.model import Side
from bridge.server.ice_servers import IceServers, turn_credential
from bridge.settings import Settings

TURN = "turn:turn.example:3478?transport=udp"


def refusal(**options: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        Settings(**options)
    return str(caught.value.errors()[0]["msg"])


def test_the_password_is_what_openssl_says() -> None:
    # printf %s NAME | openssl dgst -sha1 -hmac north -binary | base64
    assert turn_credential("north", "1795478400:room-proposition") == "LC3fcY7v1yF60S9VmJsbL8Ocy6g="


def test_nobody_is_told_of_servers_that_are_not_there() -> None:
    assert IceServers(Settings(), FakeClock()).of("room", Side.PROPOSITION) == ()


def test_each_join_has_credentials_that_end() -> None:
    clock = FakeClock()
    settings = Settings(
        stun_urls=("stun:stun.example",), turn_urls=(TURN,), turn_secret=SecretStr("north"),
        turn_lifetime_hours=2,
    )  # fmt: skip
    servers = IceServers(settings, clock)
    stun, turn = servers.of("room", Side.PROPOSITION)
    assert (stun.urls, stun.username, stun.credential) == ("stun:stun.example", None, None)
    assert turn.urls == TURN
    assert turn.username == f"{round(clock.wall()) + 7200}:room-proposition"
    assert turn.credential == turn_credential("north", turn.username)
    clock.advance(60)
    assert servers.of("room", Side.PROPOSITION)[1].username != turn.username
    assert servers.of("room", Side.OPPOSITION)[1].credential != turn.credential


def test_fixed_credentials_are_passed_on() -> None:
    settings = Settings(
        turn_urls=(TURN,), turn_username="debate", turn_password=SecretStr("hunter22")
    )
    (turn,) = IceServers(settings, FakeClock()).of("room", Side.OPPOSITION)
    assert (turn.username, turn.credential) == ("debate", "hunter22")


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"turn_urls": (TURN,)}, "turn_secret, or turn_username"),
        ({"turn_urls": (TURN,), "turn_username": "debate"}, "not both"),
        ({"turn_secret": "north", "turn_username": "a", "turn_password": "b"}, "not both"),
        ({"stun_urls": ("stun.example:3478",)}, "stun:host:3478"),
        ({"stun_urls": (TURN,)}, "stun_urls"),
        ({"turn_urls": ("http://turn.example",), "turn_secret": "north"}, "turn_urls"),
        ({"turn_urls": ("turn:a?transport=tls",), "turn_secret": "north"}, "turn_urls"),
        ({"udp_ports": "40000"}, '"40000-40100"'),
        ({"udp_ports": "40100-40000"}, '"40000-40100"'),
        ({"udp_ports": "80-90"}, "from 1024"),
        ({"public_address": "bridge.example"}, "IPv4 or IPv6"),
    ],
)
def test_contradictions_are_refused_in_words(options: dict[str, Any], word: str) -> None:
    assert word in refusal(**options)


def test_lists_in_the_environment_are_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BRIDGE_TURN_URLS", f"{TURN}, turns:[2001:db8::1]:5349")
    monkeypatch.setenv("BRIDGE_TURN_SECRET", "north")
    monkeypatch.setenv("BRIDGE_PUBLIC_ADDRESS", "203.0.113.5 2001:db8::1")
    monkeypatch.setenv("BRIDGE_UDP_PORTS", "40000-40100")
    settings = Settings()
    assert settings.turn_urls == (TURN, "turns:[2001:db8::1]:5349")
    assert [str(address) for address in settings.public_address] == ["203.0.113.5", "2001:db8::1"]
    assert settings.udp_ports == (40_000, 40_100)


def test_the_secret_shows_neither_in_settings_nor_in_logs() -> None:
    settings = Settings(turn_urls=(TURN,), turn_secret=SecretStr("north-by-northwest"))
    assert "northwest" not in repr(settings) + str(settings.model_dump())
    record = logging.makeLogRecord({"msg": "with north-by-northwest"})
    Redactor(settings.secrets).filter(record)
    assert record.getMessage() == "with [hidden]"
