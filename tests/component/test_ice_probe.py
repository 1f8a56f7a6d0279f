import socket
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

import pytest

from bridge import doctor
from bridge.server import ice_probe
from bridge.settings import Settings


@contextmanager
def stun_server() -> Iterator[int]:
    """Answers one binding request, after a packet that is not the answer."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(5)

        def answer() -> None:
            request, asker = server.recvfrom(2048)
            server.sendto(b"noise", asker)
            server.sendto(b"\x01\x01\x00\x00" + request[4:20], asker)

        thread = Thread(target=answer)
        thread.start()
        yield server.getsockname()[1]
        thread.join()


def test_a_server_that_answers_is_fine() -> None:
    with stun_server() as port:
        assert ice_probe.failure_of(f"stun:127.0.0.1:{port}") is None


def test_a_server_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ice_probe, "_ANSWER_SECONDS", 0.2)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        port = silent.getsockname()[1]
        assert ice_probe.failure_of(f"turn:127.0.0.1:{port}") == "no answer within 0.2 s"
        failure = ice_probe.failure_of(f"turn:127.0.0.1:{port}?transport=tcp")
    assert failure == "Connection refused"


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("stun:a.example", ("stun", "a.example", 3478, False)),
        ("turn:a.example:99?transport=tcp", ("turn", "a.example", 99, True)),
        ("turns:[2001:db8::1]", ("turns", "2001:db8::1", 5349, False)),
        ("turn:[2001:db8::1]:99", ("turn", "2001:db8::1", 99, False)),
    ],
)
def test_urls_are_read(url: str, parts: tuple[str, str, int, bool]) -> None:
    assert ice_probe._parts(url) == parts


def test_the_doctor_counts_free_ports_and_names_interfaces_that_are_gone() -> None:
    settings = Settings(udp_ports=(47_310, 47_312), udp_interfaces=("lo", "none0"))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 47_311))
        (ports,) = doctor._media_ports(settings)
    (interfaces,) = doctor._media_interfaces(settings)
    assert (ports.ok, ports.found) == (False, "2 of 3 free")
    assert (interfaces.ok, interfaces.found) == (False, "none0 not there")


def test_without_settings_the_doctor_has_nothing_to_look_at() -> None:
    settings = Settings()
    assert not doctor._media_ports(settings)
    assert not doctor._media_interfaces(settings)
    assert not doctor._ice_servers(settings)
