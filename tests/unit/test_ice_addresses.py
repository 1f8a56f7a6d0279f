import ipaddress
from typing import Any

import pytest

from bridge.aiortc_inside import addresses
from bridge.broadcast.rtc.offer import usable_candidate
from bridge.protocol.broadcast_config import ANYWHERE, NetworkConfig

PRIVATE = "a=candidate:abc 1 udp 2130706431 10.0.0.5 40001 typ host"
PRIVATE6 = "a=candidate:def 1 udp 2130706431 fd00::5 40002 typ host"
RELAY = "a=candidate:9 1 udp 16777215 198.51.100.7 50000 typ relay raddr 10.0.0.5 rport 40001"
ANSWER = "\r\n".join(["v=0", "m=audio 40001 UDP/TLS/RTP/SAVPF 96", PRIVATE, PRIVATE6, RELAY, ""])


def network(**options: Any) -> NetworkConfig:
    return NetworkConfig.model_validate(options)


def candidates(sdp: str) -> list[list[str]]:
    return [line.split(" ") for line in sdp.splitlines() if line.startswith("a=candidate:")]


def test_loopback_is_offered_where_there_is_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(addresses, "_system_addresses", lambda use_ipv4, use_ipv6: [])
    assert addresses.host_addresses(use_ipv4=True, use_ipv6=True) == ["127.0.0.1"]
    assert addresses.only_loopback()
    monkeypatch.setattr(addresses, "_system_addresses", lambda use_ipv4, use_ipv6: ["192.0.2.2"])
    assert addresses.host_addresses(use_ipv4=True, use_ipv6=True) == ["192.0.2.2"]
    assert not addresses.only_loopback()


def test_interfaces_are_chosen_by_name_or_by_address(monkeypatch: pytest.MonkeyPatch) -> None:
    here = [("lo", "127.0.0.1"), ("eth0", "10.0.0.5"), ("eth0", "fd00::5"), ("wg0", "10.9.0.1")]
    monkeypatch.setattr(addresses, "_interface_addresses", lambda: iter(here))
    chosen = addresses.chosen_addresses
    assert chosen(network(udp_interfaces=("eth0",))) == ["10.0.0.5", "fd00::5"]
    assert chosen(network(udp_interfaces=("eth0",), udp_ipv6=False)) == ["10.0.0.5"]
    assert chosen(network(udp_interfaces=("10.9.0.1", "lo"))) == ["127.0.0.1", "10.9.0.1"]
    assert chosen(network(udp_interfaces=("eth1",))) == []


def test_ipv6_is_left_out_where_it_is_off(monkeypatch: pytest.MonkeyPatch) -> None:
    def system(use_ipv4: bool, use_ipv6: bool) -> list[str]:
        return ["10.0.0.5", "fd00::5"] if use_ipv6 else ["10.0.0.5"]

    monkeypatch.setattr(addresses, "_system_addresses", system)
    assert addresses.chosen_addresses(ANYWHERE) == ["10.0.0.5", "fd00::5"]
    assert addresses.chosen_addresses(network(udp_ipv6=False)) == ["10.0.0.5"]


def test_without_a_public_address_the_answer_stays_as_it_is() -> None:
    assert addresses.advertise(ANSWER, ANYWHERE) == ANSWER


def test_the_public_address_stands_before_the_private_one_of_its_family() -> None:
    told = candidates(addresses.advertise(ANSWER, network(public_address=("203.0.113.5",))))
    assert [fields[4] for fields in told] == ["203.0.113.5", "10.0.0.5", "fd00::5", "198.51.100.7"]
    public, private = told[:2]
    assert public[5:] == ["40001", "typ", "host"], "a 1:1 NAT keeps the port"
    assert int(public[3]) < int(private[3]), "who reaches the private one is on its network"
    assert public[0] != private[0], "candidates of one foundation would wait for each other"


def test_both_families_can_be_public_at_once_and_private_ones_kept_to_oneself() -> None:
    both = network(public_address=("203.0.113.5", "2001:db8::5"), advertise_private=False)
    told = candidates(addresses.advertise(ANSWER, both))
    assert [fields[4] for fields in told] == ["203.0.113.5", "2001:db8::5", "198.51.100.7"]
    one = network(public_address=("203.0.113.5",), advertise_private=False)
    told = candidates(addresses.advertise(ANSWER, one))
    assert [fields[4] for fields in told] == ["203.0.113.5", "fd00::5", "198.51.100.7"]


def test_an_address_that_the_machine_has_itself_is_told_once() -> None:
    own = network(public_address=("10.0.0.5",), advertise_private=False)
    told = candidates(addresses.advertise(ANSWER, own))
    assert [fields[4] for fields in told] == ["10.0.0.5", "fd00::5", "198.51.100.7"]


def test_every_port_of_a_range_is_tried_once() -> None:
    assert sorted(addresses._from_anywhere((40_000, 40_009))) == list(range(40_000, 40_010))


@pytest.mark.parametrize(
    "address",
    ["10.0.0.5", "172.16.1.1", "192.168.1.1", "100.64.0.1", "fd00::5", "::ffff:10.0.0.5"],
)
def test_a_public_server_is_not_sent_to_its_own_network(address: str) -> None:
    line = f"candidate:1 1 udp 2113937151 {address} 54400 typ host"
    assert not ipaddress.ip_address(address).is_global
    assert usable_candidate(line, allow_loopback=False)
    assert not usable_candidate(line, allow_loopback=False, allow_private=False)


@pytest.mark.parametrize("address", ["8.8.8.8", "2a00:1450::5"])
def test_addresses_of_the_internet_are_always_taken(address: str) -> None:
    line = f"candidate:1 1 udp 2113937151 {address} 54400 typ srflx raddr 0.0.0.0 rport 0"
    assert usable_candidate(line, allow_loopback=False, allow_private=False)


def test_loopback_in_the_clothes_of_ipv6_is_loopback() -> None:
    line = "candidate:1 1 udp 2113937151 ::ffff:127.0.0.1 54400 typ host"
    assert not usable_candidate(line, allow_loopback=False)
