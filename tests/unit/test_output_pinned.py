"""A destination's address is checked once, and no other one is connected to."""

import socket

import pytest

from bridge.broadcast.outputs.pinned import is_public, pin, resolve
from bridge.errors import InputError


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2001:4860:4860::8888", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("::1", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("::ffff:10.0.0.1", False),
        ("::ffff:8.8.8.8", True),
        ("2002:0a00:0001::", False),
        ("ff02::1", False),
    ],
)
def test_only_the_public_internet_is_public(address: str, public: bool) -> None:
    assert is_public(address) is public


def test_a_private_address_is_refused_unless_it_is_allowed() -> None:
    with pytest.raises(InputError) as refused:
        resolve("rtmp://127.0.0.1/live/key", allow_private=False)
    assert refused.value.code == "private_address"
    assert resolve("rtmp://127.0.0.1/live/key", allow_private=True) == ["127.0.0.1"]


def test_one_private_address_among_public_ones_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def both(*_arguments: object, **_options: object) -> list[tuple[object, ...]]:
        return [(2, 1, 6, "", ("8.8.8.8", 443)), (2, 1, 6, "", ("10.0.0.1", 443))]

    monkeypatch.setattr(socket, "getaddrinfo", both)
    with pytest.raises(InputError):
        resolve("rtmps://two.example/live/key", allow_private=False)


@pytest.mark.parametrize(
    ("url", "address", "pinned", "options"),
    [
        (
            "rtmp://live.example/app/key?x=1",
            "8.8.8.8",
            "rtmp://8.8.8.8:1935/app/key?x=1",
            r"rtmp_tcurl=rtmp\://live.example\:1935/app",
        ),
        (
            "rtmps://b.example:443/live2?backup=1/key",
            "2001:4860::1",
            "rtmps://[2001:4860::1]:443/live2?backup=1/key",
            r"rtmp_tcurl=rtmps\://b.example\:443/live2?backup=1:verifyhost=b.example",
        ),
        ("rtmp://127.0.0.1:19350/live/key", "127.0.0.1", "rtmp://127.0.0.1:19350/live/key", ""),
    ],
)
def test_the_name_goes_along_with_the_address(
    url: str, address: str, pinned: str, options: str
) -> None:
    made = pin(url, address)
    assert (made.url, made.options) == (pinned, options)
    assert "key" not in made.options
