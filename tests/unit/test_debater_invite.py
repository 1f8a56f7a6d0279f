"""Invites are taken apart, or refused in words that help and hide the token."""

import pytest

from bridge.debater.invite import Invite, parse_invite
from bridge.errors import InputError


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("http://localhost:8080/debate/abc234#tok.en-1", "http://localhost:8080"),
        ("https://debate.example/debate/abc234#tok.en-1", "https://debate.example"),
        ("https://example.org/bridge/debate/abc234#tok.en-1", "https://example.org/bridge"),
        ("  http://[::1]:8080/debate/abc234/#tok.en-1\n", "http://[::1]:8080"),
    ],
)
def test_invite_gives_server_room_and_token(url, server):
    assert parse_invite(url) == Invite(server, "abc234", "tok.en-1")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("", "begins with http"),
        ("localhost:8080/debate/abc#secrettoken", "begins with http"),
        ("ftp://localhost/debate/abc#secrettoken", "begins with http"),
        ("http:///debate/abc#secrettoken", "begins with http"),
        ("http://localhost:99999/debate/abc#secrettoken", "not an address"),
        ("http://[::1/debate/abc#secrettoken", "not an address"),
        ("http://localhost/watch/abc#secrettoken", "/debate/ROOM"),
        ("http://localhost/host/abc#secrettoken", "/debate/ROOM"),
        ("http://localhost/debate/#secrettoken", "/debate/ROOM"),
        ("http://localhost/debate/../etc#secrettoken", "/debate/ROOM"),
        ("http://localhost/debate/abc", "after '#'"),
        ("http://localhost/debate/abc#" + "secrettoken" * 100, "too long"),
    ],
)
def test_what_is_not_an_invite_is_refused_in_words_without_the_token(url, words):
    with pytest.raises(InputError) as refusal:
        parse_invite(url)
    assert words in refusal.value.message
    assert "secrettoken" not in refusal.value.message


def test_token_is_not_in_the_repr():
    assert "secret" not in repr(parse_invite("http://localhost/debate/abc#secret"))
