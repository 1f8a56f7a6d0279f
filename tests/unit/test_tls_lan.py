"""What a machine is called on its network."""

from ipaddress import ip_address

import pytest

from bridge.server.lan import Lan, host_names, in_url, is_loopback, usable


def addresses(*texts: str):
    return [ip_address(text) for text in texts]


def test_the_way_out_comes_first_then_private_ipv4_then_ipv6():
    found = addresses("fd00::5", "8.8.4.4", "172.17.0.1", "192.168.1.7", "127.0.0.1", "::1")
    ordered = usable(found, ip_address("192.168.1.7"))
    assert list(map(str, ordered)) == ["192.168.1.7", "172.17.0.1", "8.8.4.4", "fd00::5"]


def test_addresses_that_other_devices_cannot_type_are_left_out():
    assert usable(addresses("127.0.0.1", "::1", "fe80::1", "169.254.3.4"), None) == ()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("studio", ("studio", "studio.local")),
        ("Studio.Home.Arpa", ("studio.home.arpa", "studio.local")),
        ("studio.local", ("studio.local",)),
        ("localhost", ()),
        ("", ()),
        ("my_machine", ()),
        ("büro", ()),
    ],
)
def test_host_names(name, expected):
    assert host_names(name) == expected


def test_names_hold_everything_once():
    lan = Lan(tuple(addresses("192.168.1.7", "fd00::5")), ("studio", "studio.local"))
    assert lan.names("studio.local", "debates.example") == (
        "localhost", "127.0.0.1", "::1", "studio", "studio.local",
        "192.168.1.7", "fd00::5", "debates.example",
    )  # fmt: skip
    assert Lan((), ()).address is None


def test_this_machine_can_be_looked_at():
    lan = Lan.look()
    assert not [address for address in lan.addresses if address.is_loopback]


def test_hosts_in_urls():
    assert (in_url("fd00::5"), in_url("10.0.0.7")) == ("[fd00::5]", "10.0.0.7")
    assert all(map(is_loopback, ("localhost", "127.0.0.2", "::1", "[::1]", "a.localhost")))
    assert not any(map(is_loopback, ("10.0.0.7", "fd00::5", "localhost.example", "")))
