"""HTTPS: certificates from files, or from an authority of our own for the local network."""

import ssl
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

from bridge.errors import SettingsError
from bridge.server.lan import Lan
from bridge.server.tls_authority import (
    SERVER_FILE,
    fingerprint,
    load_authority,
    load_server,
    names_of,
    utc,
)
from bridge.settings import SELF_SIGNED, Settings

_FOLDER: Final = "tls"


@dataclass(frozen=True, slots=True)
class AuthorityNotice:
    """What devices must be given so that they trust us. Nothing secret."""

    pem: bytes
    fingerprint: str
    """SHA-256 of the certificate, as devices show it: `AB:CD:…`."""


@dataclass(frozen=True, slots=True)
class Tls:
    """What the server presents to browsers."""

    context: ssl.SSLContext
    name: str
    """The name or address by which other devices get here; "" when the certificate has none."""
    names: tuple[str, ...]
    """Every name and address that the certificate is for."""
    authority: AuthorityNotice | None
    """Our own authority; None with certificates from files."""


def open_tls(settings: Settings, lan: Lan, wall_seconds: float) -> Tls | None:
    """Return what `settings.tls` asks for; None without it.

    Blocking: reads, and with "self-signed" writes, files. Raises SettingsError in one sentence for
    files that cannot be used, SetupError for a data folder that cannot.
    """
    now = utc(wall_seconds)
    if settings.tls is None:
        return None
    if settings.tls == SELF_SIGNED:
        return _self_signed(settings, lan, now)
    assert isinstance(settings.tls, Path)  # noqa: S101 - Settings: nothing else is left
    assert settings.tls_key is not None  # noqa: S101 - Settings: a certificate comes with its key
    return _from_files(settings.tls, settings.tls_key, now)


def _self_signed(settings: Settings, lan: Lan, now: datetime) -> Tls:
    folder = settings.data_dir / _FOLDER
    authority = load_authority(folder, now)
    public = settings.public_url.host if settings.public_url else None
    chosen = (public.strip("[]"),) if public else ()
    server = load_server(folder, authority, lan.names(*chosen), now)
    notice = AuthorityNotice(
        authority.certificate.public_bytes(Encoding.PEM), fingerprint(authority.certificate)
    )
    context = _context(folder / SERVER_FILE, folder / SERVER_FILE)
    name = str(lan.address or "localhost")
    return Tls(context, name, tuple(names_of(server.certificate)), notice)


def _from_files(certificate_path: Path, key_path: Path, now: datetime) -> Tls:
    certificate = _read_certificate(certificate_path)
    _check_key(key_path, certificate, certificate_path)
    ends, begins = certificate.not_valid_after_utc, certificate.not_valid_before_utc
    if now > ends:
        message = f"The certificate {certificate_path} expired on {ends:%Y-%m-%d}. Renew it."
        raise SettingsError(message)
    if now < begins:
        message = (
            f"The certificate {certificate_path} is valid from {begins:%Y-%m-%d}: "
            "wait, or set this machine's clock."
        )
        raise SettingsError(message)
    names = tuple(names_of(certificate))
    typed = [name for name in names if not name.startswith("*.")]
    return Tls(_context(certificate_path, key_path), next(iter(typed), ""), names, None)


def _read_certificate(path: Path) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(_read(path, "certificate"))
    except ValueError:
        message = f"{path} is no certificate in PEM form."
        raise SettingsError(message) from None


def _check_key(path: Path, certificate: x509.Certificate, certificate_path: Path) -> None:
    try:
        key = load_pem_private_key(_read(path, "key"), None)
    except TypeError:
        message = f"The key {path} has a passphrase. Remove it with `openssl pkey`."
        raise SettingsError(message) from None
    except ValueError:
        message = f"{path} is no private key in PEM form."
        raise SettingsError(message) from None
    form = Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    if key.public_key().public_bytes(*form) != certificate.public_key().public_bytes(*form):
        message = f"The key {path} does not belong to the certificate {certificate_path}."
        raise SettingsError(message)


def _read(path: Path, what: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        message = f"Cannot read the {what} {path}: {error.strerror}."
        raise SettingsError(message) from None


def _context(certificate: Path, key: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # aiohttp speaks no HTTP/2; saying so keeps browsers from asking.
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        message = f"Cannot use the certificate {certificate}: {error.strerror}."
        raise SettingsError(message) from None
    return context
