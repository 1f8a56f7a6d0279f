"""A certificate authority of our own, for networks where no public one can vouch for us.

What it makes fits what phones ask of a private authority: EC P-256, names only in subjectAltName,
`serverAuth`, and at most 397 days for a server.
"""

import ipaddress
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Self

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from bridge.errors import SetupError
from bridge.server.secrets import write_private

AUTHORITY_FILE: Final = "authority.pem"
SERVER_FILE: Final = "server.pem"

_AUTHORITY_LIFE: Final = timedelta(days=3650)
_SERVER_LIFE: Final = timedelta(days=397)
_RENEW_BEFORE: Final = timedelta(days=30)
_CLOCK_SLACK: Final = timedelta(days=1)
"""Certificates begin this long ago: the clock of a phone may be behind ours."""


@dataclass(frozen=True, slots=True)
class Identity:
    """A certificate with its private key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey = field(repr=False)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote. Raises SetupError when the file is damaged."""
        try:
            pem = path.read_bytes()
            certificate, key = x509.load_pem_x509_certificate(pem), load_pem_private_key(pem, None)
        except OSError as error:
            message = f"Cannot read {path}: {error.strerror}."
            raise SetupError(message) from None
        except (ValueError, TypeError):
            raise _damaged(path) from None
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise _damaged(path)
        if certificate.public_key() != key.public_key():
            raise _damaged(path)
        return cls(certificate, key)

    def save(self, path: Path) -> None:
        """Write both into one file that only its owner reads, whole or not at all."""
        key = self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        write_private(path, key + self.certificate.public_bytes(Encoding.PEM))

    def lasts(self, now: datetime) -> bool:
        """Whether it is valid now and need not be renewed yet."""
        certificate = self.certificate
        return (
            certificate.not_valid_before_utc
            <= now
            < certificate.not_valid_after_utc - _RENEW_BEFORE
        )


def load_authority(folder: Path, now: datetime) -> Identity:
    """Return the authority kept in `folder`, made at first call and when it is about to expire.

    Raises SetupError when the folder cannot be made or the file is damaged.
    """
    try:
        # Ours may be the first word in the data folder, which is private as a whole.
        folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder.mkdir(exist_ok=True, mode=0o700)
        folder.chmod(0o700)
    except OSError as error:
        message = f"Cannot make the folder {folder}: {error.strerror}."
        raise SetupError(message) from None
    path = folder / AUTHORITY_FILE
    if path.exists():
        authority = Identity.load(path)
        if authority.lasts(now):
            return authority
    authority = _make_authority(now)
    authority.save(path)
    return authority


def load_server(folder: Path, authority: Identity, names: Sequence[str], now: datetime) -> Identity:
    """Return the server's identity for exactly `names` (host names and addresses).

    It is made anew when the names differ, when fewer than 30 days are left, or when another
    authority signed it.
    """
    path = folder / SERVER_FILE
    if path.exists():
        server = Identity.load(path)
        same = set(names_of(server.certificate)) == set(names)
        if same and server.lasts(now) and _signed_by(server.certificate, authority):
            return server
    server = _make_server(authority, names, now)
    server.save(path)
    return server


def names_of(certificate: x509.Certificate) -> list[str]:
    """Return the host names and addresses that a certificate is for, as text, in its order."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return [str(name.value) for name in names if isinstance(name, x509.DNSName | x509.IPAddress)]


def fingerprint(certificate: x509.Certificate) -> str:
    """Return the SHA-256 of a certificate as devices show it: `AB:CD:…`."""
    return certificate.fingerprint(SHA256()).hex(":").upper()


def _damaged(path: Path) -> SetupError:
    return SetupError(
        f"{path} is damaged. Remove it; if it was the authority, devices must trust the new one."
    )


def _signed_by(certificate: x509.Certificate, authority: Identity) -> bool:
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key())
    found = certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier)
    return found.value == identifier


def _make_authority(now: datetime) -> Identity:
    key = ec.generate_private_key(ec.SECP256R1())
    # Its own name for each installation: two with one name and different keys confuse devices.
    name = _name(f"Debate bridge authority {os.urandom(3).hex()}")
    certificate = (
        _begin(name, name, key.public_key(), now, now + _AUTHORITY_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .sign(key, SHA256())
    )
    return Identity(certificate, key)


def _make_server(authority: Identity, names: Sequence[str], now: datetime) -> Identity:
    key = ec.generate_private_key(ec.SECP256R1())
    issuer = authority.certificate
    end = min(now - _CLOCK_SLACK + _SERVER_LIFE, issuer.not_valid_after_utc)
    certificate = (
        _begin(_name("Debate bridge"), issuer.subject, key.public_key(), now, end)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(list(map(_general, names))), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key()),
            critical=False,
        )
        .sign(authority.key, SHA256())
    )
    return Identity(certificate, key)


def _begin(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    now: datetime,
    end: datetime,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCK_SLACK)
        .not_valid_after(end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def utc(wall_seconds: float) -> datetime:
    """Convert seconds since 1970, as a Clock gives them, to whole seconds in UTC."""
    return datetime.fromtimestamp(int(wall_seconds), UTC)
