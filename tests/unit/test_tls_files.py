"""Certificates from files: what cannot be used is said in one sentence."""

import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from pydantic import ValidationError

from bridge.errors import SettingsError
from bridge.server.lan import Lan
from bridge.server.listening import shown_address
from bridge.server.terminal import shows_invites
from bridge.server.tls import open_tls
from bridge.server.tls_authority import Identity, load_authority, load_server
from bridge.settings import Settings

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
LAN = Lan((ip_address("192.168.1.7"),), ("studio", "studio.local"))


@pytest.fixture
def identity(tmp_path: Path) -> Identity:
    folder = tmp_path / "made" / "tls"
    names = ("*.debates.example", "debates.example", "203.0.113.5")
    return load_server(folder, load_authority(folder, NOW), names, NOW)


@pytest.fixture
def certificate(tmp_path: Path, identity: Identity) -> Path:
    path = tmp_path / "cert.pem"
    path.write_bytes(identity.certificate.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture
def key(tmp_path: Path, identity: Identity) -> Path:
    return write_key(tmp_path / "key.pem", identity)


def write_key(path: Path, identity: Identity, passphrase: bytes = b"") -> Path:
    sealed = (
        serialization.BestAvailableEncryption(passphrase)
        if passphrase
        else serialization.NoEncryption()
    )
    form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    path.write_bytes(identity.key.private_bytes(*form, sealed))
    return path


def opened(certificate: object, key: object = None, *, now: datetime = NOW, **more: object):
    settings = Settings.model_validate({"tls": certificate, "tls_key": key, **more})
    return open_tls(settings, LAN, now.timestamp())


def test_a_certificate_with_its_key(certificate, key):
    tls = opened(certificate, key)
    assert isinstance(tls.context, ssl.SSLContext)
    assert tls.name == "debates.example"
    assert tls.names == ("*.debates.example", "debates.example", "203.0.113.5")
    assert tls.authority is None


def test_without_tls_there_is_none(tmp_path):
    assert opened(None) is None


@pytest.mark.parametrize(
    ("days", "sentence"),
    [(400, "expired on 2027-12-24. Renew it"), (-2, "is valid from 2026-11-22: wait")],
)
def test_a_certificate_out_of_its_time(certificate, key, days, sentence):
    with pytest.raises(SettingsError, match=sentence):
        opened(certificate, key, now=NOW + timedelta(days=days))


def test_a_key_of_another_certificate(certificate, key, tmp_path):
    other = load_authority(tmp_path / "other" / "tls", NOW)
    write_key(key, other)
    with pytest.raises(SettingsError, match=r"key\.pem does not belong to the certificate .*cert"):
        opened(certificate, key)


def test_files_that_are_not_there_or_something_else(certificate, key, identity, tmp_path):
    nowhere = tmp_path / "nowhere.pem"
    sealed = write_key(tmp_path / "sealed.pem", identity, b"open sesame")
    for pair, sentence in (
        ((nowhere, key), "Cannot read the certificate .*No such file"),
        ((certificate, nowhere), "Cannot read the key .*No such file"),
        ((tmp_path, key), "Cannot read the certificate .*directory"),
        ((key, key), "is no certificate in PEM form"),
        ((certificate, certificate), "is no private key in PEM form"),
        ((certificate, sealed), "has a passphrase"),
    ):
        with pytest.raises(SettingsError, match=sentence):
            opened(*pair)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"tls": "cert.pem"}, "a certificate needs its key"),
        ({"tls_key": "key.pem"}, "a key is only for a certificate"),
        ({"tls": "self-signed", "tls_key": "key.pem"}, "a key is only for a certificate"),
    ],
)
def test_a_certificate_and_its_key_come_together(given, sentence):
    with pytest.raises(ValidationError, match=sentence):
        Settings.model_validate(given)


def test_settings_come_from_the_environment(monkeypatch):
    monkeypatch.setenv("BRIDGE_TLS", "self-signed")
    assert Settings().tls == "self-signed"
    monkeypatch.setenv("BRIDGE_TLS", "/etc/cert.pem")
    monkeypatch.setenv("BRIDGE_TLS_KEY", "/etc/key.pem")
    assert (Settings().tls, Settings().tls_key) == (Path("/etc/cert.pem"), Path("/etc/key.pem"))


def test_tls_is_for_other_devices_unless_an_address_was_chosen(monkeypatch):
    assert Settings().listening_host == "127.0.0.1"
    assert Settings(tls="self-signed").listening_host == "0.0.0.0"
    assert Settings(tls="self-signed", host="127.0.0.1").listening_host == "127.0.0.1"
    monkeypatch.setenv("BRIDGE_HOST", "127.0.0.1")
    assert Settings(tls="self-signed").listening_host == "127.0.0.1"


def test_the_public_name_is_in_the_certificate(tmp_path):
    data = tmp_path / "data"
    tls = opened("self-signed", data_dir=data, public_url="https://debates.lan:8443/")
    assert {"debates.lan", "192.168.1.7", "studio.local", "localhost", "::1"} <= set(tls.names)
    tls = opened("self-signed", data_dir=data, public_url="https://[fd00::9]:8443/")
    assert "fd00::9" in tls.names


def test_the_address_that_is_shown(tmp_path, certificate, key):
    settings = Settings(data_dir=tmp_path / "data", tls="self-signed")
    own, real = opened("self-signed", data_dir=tmp_path / "data"), opened(certificate, key)
    assert shown_address(settings, own, "0.0.0.0", 8443) == "https://192.168.1.7:8443"
    assert shown_address(settings, own, "127.0.0.1", 8443) == "https://localhost:8443"
    assert shown_address(settings, own, "10.0.0.3", 8443) == "https://10.0.0.3:8443"
    assert shown_address(settings, own, "fd00::5", 8443) == "https://[fd00::5]:8443"
    assert shown_address(settings, real, "10.0.0.3", 8443) == "https://debates.example:8443"
    public = Settings.model_validate({"tls": "self-signed", "public_url": "https://a.example"})
    assert shown_address(public, own, "0.0.0.0", 8443) == "https://a.example"


def test_invites_are_printed_only_where_their_owner_reads_them(monkeypatch):
    for terminal, shown in ((True, True), (False, False)):
        monkeypatch.setattr("sys.stdout.isatty", lambda terminal=terminal: terminal)
        assert shows_invites(Settings(tls="self-signed")) is shown
        assert not shows_invites(Settings())
        assert shows_invites(Settings(show_invites=True))
        assert not shows_invites(Settings(tls="self-signed", show_invites=False))
