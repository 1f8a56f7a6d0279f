"""The authority and the server's certificate: made once, renewed when they have to be."""

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import PolicyBuilder, Store

from bridge.errors import SetupError
from bridge.server.tls_authority import (
    AUTHORITY_FILE,
    SERVER_FILE,
    Identity,
    fingerprint,
    load_authority,
    load_server,
    names_of,
)

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
NAMES = ("localhost", "127.0.0.1", "::1", "studio.local", "192.168.1.7")


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "data" / "tls"


def made(folder, names=NAMES, now=NOW):
    authority = load_authority(folder, now)
    return authority, load_server(folder, authority, names, now)


def serials(authority: Identity, server: Identity):
    return authority.certificate.serial_number, server.certificate.serial_number


def extension(identity: Identity, kind):
    return identity.certificate.extensions.get_extension_for_class(kind).value


def test_the_certificate_is_what_phones_ask_of_a_private_authority(folder):
    authority, server = made(folder)
    certificate = server.certificate
    assert set(names_of(certificate)) == set(NAMES)
    assert certificate.not_valid_after_utc - certificate.not_valid_before_utc == timedelta(days=397)
    assert certificate.not_valid_before_utc < NOW
    assert extension(server, x509.ExtendedKeyUsage)._usages == [ExtendedKeyUsageOID.SERVER_AUTH]
    assert not extension(server, x509.BasicConstraints).ca
    assert extension(authority, x509.BasicConstraints).ca
    assert extension(authority, x509.KeyUsage).key_cert_sign
    assert certificate.public_key().curve.name == "secp256r1"


@pytest.mark.parametrize("name", NAMES)
def test_it_is_valid_for_each_name_by_the_rules_of_the_web(folder, name):
    authority, server = made(folder)
    subject = next(
        item for item in extension(server, x509.SubjectAlternativeName) if str(item.value) == name
    )
    verifier = (
        PolicyBuilder()
        .store(Store([authority.certificate]))
        .time(NOW)
        .build_server_verifier(subject)
    )
    assert len(verifier.verify(server.certificate, [])) == 2


def test_a_second_start_uses_both_again(folder):
    assert serials(*made(folder)) == serials(*made(folder, now=NOW + timedelta(days=300)))


@pytest.mark.parametrize(
    ("names", "days"),
    [((*NAMES, "192.168.1.8"), 0), (NAMES[:-1], 0), (NAMES, 367)],
    ids=["new address", "address gone", "less than thirty days left"],
)
def test_only_the_servers_certificate_is_made_anew(folder, names, days):
    authority, server = serials(*made(folder))
    same, renewed = serials(*made(folder, names, NOW + timedelta(days=days)))
    assert same == authority
    assert renewed != server


def test_an_old_authority_is_replaced_with_what_it_signed(folder):
    first = serials(*made(folder))
    later = NOW + timedelta(days=3630)
    authority, server = made(folder, now=later)
    assert not set(serials(authority, server)) & set(first)
    server.certificate.verify_directly_issued_by(authority.certificate)


def test_a_certificate_never_outlives_its_authority(folder):
    authority, server = made(folder, now=NOW)
    authority, server = made(folder, now=NOW + timedelta(days=3600))
    assert server.certificate.not_valid_after_utc == authority.certificate.not_valid_after_utc


def test_a_certificate_of_another_authority_is_not_used(folder):
    _, server = made(folder)
    (folder / AUTHORITY_FILE).unlink()
    authority, renewed = made(folder)
    assert server.certificate != renewed.certificate
    renewed.certificate.verify_directly_issued_by(authority.certificate)


def test_keys_are_their_owners_alone(folder):
    authority, _ = made(folder)
    for path, mode in (
        (folder.parent, 0o700), (folder, 0o700),
        (folder / AUTHORITY_FILE, 0o600), (folder / SERVER_FILE, 0o600),
    ):  # fmt: skip
        assert path.stat().st_mode & 0o777 == mode
    assert sorted(path.name for path in folder.iterdir()) == [AUTHORITY_FILE, SERVER_FILE]
    assert "key" not in repr(authority)


@pytest.mark.parametrize("damage", [b"", b"not pem", "half", "other key"])
def test_a_damaged_authority_is_said_and_not_replaced(folder, damage):
    made(folder)
    path = folder / AUTHORITY_FILE
    whole = path.read_bytes()
    if damage == "half":
        damage = whole[: len(whole) // 2]
    elif damage == "other key":
        key, _, _ = (folder / SERVER_FILE).read_bytes().partition(b"-----BEGIN CERTIFICATE")
        damage = key + whole[whole.index(b"-----BEGIN CERTIFICATE") :]
    path.write_bytes(damage)
    with pytest.raises(SetupError, match="is damaged"):
        load_authority(folder, NOW)
    assert path.read_bytes() == damage


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(SetupError, match="Cannot make the folder"):
        load_authority(tmp_path / "file" / "tls", NOW)


def test_the_fingerprint_is_written_as_devices_show_it(folder):
    authority, _ = made(folder)
    shown = fingerprint(authority.certificate)
    assert len(shown.split(":")) == 32
    assert shown == shown.upper()
